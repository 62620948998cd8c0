"""Questions about what happened."""

from uuid import UUID

from django.db import models
from django.db.models import Q, QuerySet

from issuer.events.models import Event
from issuer.foundation.transactions import HORIZON


def about(subject: models.Model, event_type: str) -> QuerySet[Event]:
    """Return what of one type happened to `subject`, in its order."""
    return Event.objects.filter(
        type=event_type, subject_type=subject._meta.label_lower, subject_id=subject.pk
    ).order_by("sequence")


def after(transaction_id: int, event_id: UUID, *, limit: int) -> QuerySet[Event]:
    """Return up to `limit` events that follow the one named, in the order of their transactions.

    Leaves out what a transaction still under way could come before, so that a reader who goes on
    from the last event it saw misses none. Begin with transaction 0 and the nil UUID.
    """
    later = Q(transaction_id__gt=transaction_id) | Q(transaction_id=transaction_id, id__gt=event_id)
    events = Event.objects.filter(later, transaction_id__lt=HORIZON)
    return events.order_by("transaction_id", "id")[:limit]
