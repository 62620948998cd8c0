"""Questions to the trail."""

from django.db import models
from django.db.models import QuerySet

from issuer.audit import seals
from issuer.audit.models import AuditEvent, Seal
from issuer.foundation.transactions import HORIZON


def events_of(subject: models.Model) -> QuerySet[AuditEvent]:
    """Return what was done to `subject`, the newest first."""
    return AuditEvent.objects.filter(
        subject_type=subject._meta.label_lower, subject_id=subject.pk
    ).order_by("-id")


def newest_seal() -> Seal | None:
    """Return the newest seal; whoever keeps its hash can tell if anything before it changes."""
    return Seal.objects.order_by("-number").first()


def sealable(last_sealed: AuditEvent | None) -> QuerySet[AuditEvent]:
    """Return the events to be sealed after `last_sealed`, in the order of their transactions.

    All events of a transaction are sealed together or wait together for the horizon, except
    where a seal is full; what the last one left over begins behind its last event.
    """
    events = AuditEvent.objects.filter(transaction_id__lt=HORIZON)
    if last_sealed is not None:
        events = events.filter(
            models.Q(transaction_id__gt=last_sealed.transaction_id)
            | models.Q(transaction_id=last_sealed.transaction_id, id__gt=last_sealed.pk)
        )
    return events.order_by("transaction_id", "id")


def first_broken_seal() -> Seal | None:
    """Return the first seal that does not fit its events or the seal before it, if any.

    Reads the whole trail.
    """
    number, position, previous_hash = 1, 1, seals.NO_SEAL
    for seal in Seal.objects.order_by("number").iterator():
        sealed = list(seal.events.select_related("event").order_by("position"))
        fits = (
            (seal.number, seal.first_position, seal.previous_hash)
            == (number, position, previous_hash)
            and [one.position for one in sealed]
            == list(range(seal.first_position, seal.last_position + 1))
            and seals.hash_of(seal, (one.event for one in sealed)) == seal.hash
        )
        if not fits:
            return seal
        number, position, previous_hash = seal.number + 1, seal.last_position + 1, seal.hash
    return None
