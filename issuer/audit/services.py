"""Everything that writes to the trail."""

from datetime import datetime

from django.db import models

from issuer.audit.models import AuditEvent
from issuer.foundation.actors import Actor
from issuer.foundation.transactions import require_transaction


def record(
    action: str, *, subject: models.Model, actor: Actor, at: datetime, **facts: str
) -> AuditEvent:
    """Write down that `actor` did `action` to `subject`, beside what was done.

    `facts` are strings that explain it, without secrets and without personal data. Fails outside
    a transaction, for an act and its record are committed together or not at all.
    """
    require_transaction()
    assert all(isinstance(fact, str) for fact in facts.values()), "A fact is a string."
    return AuditEvent.objects.create(
        action=action,
        subject_type=subject._meta.label_lower,
        subject_id=subject.pk,
        actor=str(actor),
        person_id=actor.person,
        facts=facts,
        occurred_at=at,
    )
