"""Everything that writes alerts: each event once per channel, and tried until it is taken."""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.db import transaction

from issuer.audit import services as audit
from issuer.events import selectors as events
from issuer.foundation.actors import Actor
from issuer.foundation.transactions import require_transaction
from issuer.operations.alerts.messages import is_told
from issuer.operations.alerts.states import DeliveryState, DeliveryStep
from issuer.operations.models import AlertCursor, AlertDelivery

EVENTS_PER_ROUND: Final = 500
#: A try that takes longer is dead: its task is ended before.
LEASE: Final = timedelta(seconds=100)
#: Between two tries: this, twice this, four times this, and so on up to the longest.
FIRST_WAIT: Final = timedelta(seconds=10)
LONGEST_WAIT: Final = timedelta(minutes=15)
#: Whoever has not been reached by then is not at this address.
PATIENCE: Final = timedelta(hours=24)
_PROBLEM_LENGTH: Final = 500


@transaction.atomic
def raise_alerts(*, channels: Collection[str], actor: Actor, at: datetime) -> int:
    """Have every new event that staff are told of delivered by each of `channels`.

    Reads on from the last event it saw, so that none is missed or told twice; return how many
    deliveries were begun.
    """
    AlertCursor.objects.get_or_create(pk=1)
    cursor = AlertCursor.objects.select_for_update().get(pk=1)
    seen = list(events.after(cursor.transaction_id, cursor.event_id, limit=EVENTS_PER_ROUND))
    if not seen:
        return 0
    deliveries = AlertDelivery.objects.bulk_create(
        AlertDelivery(event=event, channel=channel, raised_at=at, due_at=at)
        for event in seen
        if is_told(event)
        for channel in sorted(channels)
    )
    cursor.transaction_id, cursor.event_id = seen[-1].transaction_id, seen[-1].pk
    cursor.save(update_fields=["transaction_id", "event_id"])
    for delivery in deliveries:
        facts = {"event": delivery.event.type, "channel": delivery.channel}
        audit.record("alert.raise", subject=delivery, actor=actor, at=at, **facts)
    return len(deliveries)


@transaction.atomic
def begin_try(delivery_id: UUID, *, at: datetime) -> AlertDelivery | None:
    """Take a delivery that is due, so that nobody else tries it meanwhile; None if none is.

    It is due again when this try must be over: whoever dies in it has it repeated.
    """
    delivery = (
        AlertDelivery.objects.select_for_update(of=("self",), skip_locked=True)
        .select_related("event")
        .filter(pk=delivery_id, state=DeliveryState.PENDING, due_at__lte=at)
        .first()
    )
    if delivery is None:
        return None
    delivery.tries += 1
    delivery.due_at = at + LEASE
    delivery.save(update_fields=["tries", "due_at"])
    return delivery


@transaction.atomic
def record_sent(delivery_id: UUID, *, actor: Actor, at: datetime) -> AlertDelivery:
    """Record that the other side took an alert.

    Raises:
        IllegalTransition: if that, or that it was given up, is recorded.
    """
    delivery = _lock(delivery_id)
    delivery.sent_at, delivery.problem = at, ""
    return _take(DeliveryStep.SEND, delivery, actor=actor, at=at)


@transaction.atomic
def record_failure(delivery_id: UUID, *, problem: str, actor: Actor, at: datetime) -> AlertDelivery:
    """Record why a try failed; after a day nobody tries again.

    Raises:
        IllegalTransition: if the delivery is over.
    """
    delivery = _lock(delivery_id)
    DeliveryStep.ABANDON.value.check(DeliveryState(delivery.state))
    delivery.problem = problem[:_PROBLEM_LENGTH]
    if at - delivery.raised_at >= PATIENCE:
        return _take(DeliveryStep.ABANDON, delivery, actor=actor, at=at)
    delivery.due_at = at + min(FIRST_WAIT * 2 ** min(delivery.tries - 1, 10), LONGEST_WAIT)
    delivery.save(update_fields=["problem", "due_at"])
    return delivery


def _lock(delivery_id: UUID) -> AlertDelivery:
    return AlertDelivery.objects.select_for_update(of=("self",)).get(pk=delivery_id)


def _take(
    step: DeliveryStep, delivery: AlertDelivery, *, actor: Actor, at: datetime
) -> AlertDelivery:
    """Take a step with a locked delivery: the only writer of `state`."""
    require_transaction()
    step.value.check(DeliveryState(delivery.state))
    delivery.state = step.value.destination
    delivery.save(update_fields=["state", "sent_at", "problem"])
    facts = {"channel": delivery.channel, "tries": str(delivery.tries)}
    audit.record(f"alert.{step.name.lower()}", subject=delivery, actor=actor, at=at, **facts)
    return delivery
