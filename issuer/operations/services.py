"""What the machine room writes."""

from django.db import transaction
from django.db.models.functions import Now

from issuer.operations.models import Heartbeat


@transaction.atomic
def record_heartbeat() -> None:
    """Record that beat, broker and worker work, as of the database's own time."""
    Heartbeat.objects.update_or_create(id=1, defaults={"beaten_at": Now()})
