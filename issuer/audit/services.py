"""Everything that writes to the trail."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from django.db import connection, models, transaction

from issuer.audit import seals, selectors
from issuer.audit.errors import TrailOfAnotherCluster
from issuer.audit.models import AuditEvent, Seal, SealedEvent
from issuer.foundation.actors import Actor
from issuer.foundation.transactions import require_transaction

#: Bounds the memory that one seal takes; what is left over is sealed by the next.
EVENTS_PER_SEAL: Final = 10_000
#: The key of the lock that lets one sealer work at a time; apart from all others of the house.
_SEALING: Final = 0x7365616C  # "seal"


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


def record_each(
    action: str,
    done: Sequence[tuple[models.Model, Mapping[str, str]]],
    *,
    actor: Actor,
    at: datetime,
) -> list[AuditEvent]:
    """Write down that `actor` did `action` to each subject, with its facts, in one statement.

    As `record` otherwise.
    """
    require_transaction()
    assert all(isinstance(fact, str) for _, facts in done for fact in facts.values())
    return AuditEvent.objects.bulk_create(
        AuditEvent(
            action=action,
            subject_type=subject._meta.label_lower,
            subject_id=subject.pk,
            actor=str(actor),
            person_id=actor.person,
            facts=dict(facts),
            occurred_at=at,
        )
        for subject, facts in done
    )


@transaction.atomic
def seal(*, actor: Actor, at: datetime) -> Seal | None:
    """Seal the oldest events that are not sealed yet; return None if there are none.

    Gives each its position, without a gap, and links them to the seal before. Events of a
    transaction that could still be joined by an earlier one wait for the next seal. One sealer
    works at a time; another waits for it.

    Raises:
        TrailOfAnotherCluster: if the trail ends in a transaction that this PostgreSQL has not
            reached yet, as it does after a logical restore.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_SEALING])
        cursor.execute("SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint")
        (next_transaction_id,) = cursor.fetchone()
    last = SealedEvent.objects.select_related("event", "seal").order_by("-position").first()
    if last is not None and last.event.transaction_id >= next_transaction_id:
        raise TrailOfAnotherCluster(
            "The trail was written by transactions that are still to come here; raise this "
            f"cluster's next transaction above {last.event.transaction_id} (pg_resetwal)."
        )
    events = list(selectors.sealable(last.event if last else None)[:EVENTS_PER_SEAL])
    if not events:
        return None
    first_position = last.position + 1 if last else 1
    made = Seal(
        number=last.seal.number + 1 if last else 1,
        first_position=first_position,
        last_position=first_position + len(events) - 1,
        previous_hash=last.seal.hash if last else seals.NO_SEAL,
        sealed_at=at,
        sealed_by=str(actor),
    )
    made.hash = seals.hash_of(made, events)
    made.save(force_insert=True)
    SealedEvent.objects.bulk_create(
        SealedEvent(position=position, event=event, seal=made)
        for position, event in enumerate(events, start=first_position)
    )
    return made
