"""Everything that writes alerts: each event once per channel, and tried until it is taken."""

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.db import connection, transaction
from django.db.models import QuerySet

from issuer.audit import services as audit
from issuer.events import selectors as events
from issuer.events.models import Event
from issuer.foundation.actors import Actor
from issuer.foundation.transactions import require_transaction
from issuer.operations.alerts.messages import is_told
from issuer.operations.alerts.states import DeliveryState, DeliveryStep
from issuer.operations.models import AlertAttempt, AlertCursor, AlertDelivery

EVENTS_PER_ROUND: Final = 500
#: A try that takes longer is dead: its task is ended before.
LEASE: Final = timedelta(seconds=140)
#: Between two tries: this, twice this, four times this, and so on up to the longest.
FIRST_WAIT: Final = timedelta(seconds=10)
LONGEST_WAIT: Final = timedelta(minutes=15)
#: After a failure a channel rests for so long, whatever else is due by it.
CHANNEL_REST: Final = FIRST_WAIT
#: Whoever has not been reached by then is not at this address.
PATIENCE: Final = timedelta(hours=24)

NO_CHANNEL: Final = "No channel is configured."
LOST: Final = "The worker ended before the try did; whether the other side got it is not known."
_PROBLEM_LENGTH: Final = 500
#: The lock that keeps two workers from beginning tries by one channel, with the channel's name.
_BEGINNING: Final = 0x616C6572  # "aler"


@transaction.atomic
def raise_alerts(*, channels: Collection[str], actor: Actor, at: datetime) -> int:
    """Have every new event that staff are told of delivered by each of `channels`.

    Reads on from the last event it saw, so that none is missed or told twice; return how many
    alerts were raised. Without channels an alert is kept as told to nobody: those of the last day
    are told once there are some, older ones only the back office shows.
    """
    AlertCursor.objects.get_or_create(pk=1)
    cursor = AlertCursor.objects.select_for_update().get(pk=1)
    _address(channels, actor=actor, at=at)
    seen = list(events.after(cursor.transaction_id, cursor.event_id, limit=EVENTS_PER_ROUND))
    if not seen:
        return 0
    raised = [
        _delivery(event, channel, at=at)
        for event in seen
        if is_told(event)
        for channel in sorted(channels) or [""]
    ]
    cursor.transaction_id, cursor.event_id = seen[-1].transaction_id, seen[-1].pk
    cursor.save(update_fields=["transaction_id", "event_id"])
    _begin(raised, actor=actor, at=at)
    return len(raised)


@transaction.atomic
def begin_try(channel: str, *, actor: Actor, at: datetime) -> AlertDelivery | None:
    """Take the delivery by `channel` that is due, and of several the least tried; None if none is.

    A channel is tried once at a time, so that a slow one delays no other. A try that should be
    over, and whose end nobody recorded, failed with whoever made it, and counts as one.
    """
    if not _first_to_begin(channel):
        return None
    pending = AlertDelivery.objects.filter(channel=channel, state=DeliveryState.PENDING)
    begun = pending.filter(begun_at__isnull=False)
    under_way = begun.first()
    if under_way is not None and under_way.due_at > at:
        return None
    if under_way is not None:
        lost = begun.select_for_update(of=("self",)).filter(pk=under_way.pk).first()
        if lost is not None:  # else its end is recorded after all
            _fail(lost, LOST, actor=actor, at=at)
    # What is locked is being put off or called forward: it keeps for the next round.
    due = pending.select_for_update(of=("self",), skip_locked=True).select_related("event")
    delivery = due.filter(begun_at=None, due_at__lte=at).order_by("tries", "pk").first()
    if delivery is None:
        return None
    delivery.tries += 1
    delivery.begun_at, delivery.due_at = at, at + LEASE
    delivery.save(update_fields=["tries", "begun_at", "due_at"])
    return delivery


@transaction.atomic
def record_sent(delivery_id: UUID, *, actor: Actor, at: datetime) -> AlertDelivery:
    """Record that the other side took an alert; what else waits for its channel is due at once.

    Raises:
        IllegalTransition: if that, or that it was given up, is recorded.
    """
    delivery = _lock(delivery_id)
    DeliveryStep.SEND.value.check(DeliveryState(delivery.state))
    _keep_attempt(delivery, "", at=at)
    _take(DeliveryStep.SEND, delivery, actor=actor, at=at, sent_at=at, problem="", begun_at=None)
    _others_of(delivery).filter(due_at__gt=at).update(due_at=at)
    return delivery


@transaction.atomic
def record_failure(delivery_id: UUID, *, problem: str, actor: Actor, at: datetime) -> AlertDelivery:
    """Record why a try failed, without secrets; after a day nobody tries again.

    The channel rests before it is tried with anything else.

    Raises:
        IllegalTransition: if the delivery is over.
    """
    delivery = _lock(delivery_id)
    DeliveryStep.ABANDON.value.check(DeliveryState(delivery.state))
    _fail(delivery, problem, actor=actor, at=at)
    _others_of(delivery).filter(due_at__lt=at + CHANNEL_REST).update(due_at=at + CHANNEL_REST)
    return delivery


@transaction.atomic
def acknowledge(*, event_ids: Collection[UUID], actor: Actor, at: datetime) -> int:
    """Record that a person has read in the back office what no channel could tell.

    Return of how many of the events a delivery ended with it; those still tried go on.
    """
    rows = AlertDelivery.objects.select_for_update(of=("self",)).filter(
        event__in=event_ids, state__in=sorted(DeliveryStep.ACKNOWLEDGE.value.origins)
    )
    read = [
        _take(DeliveryStep.ACKNOWLEDGE, row, actor=actor, at=at).event_id
        for row in list(rows.order_by("pk"))
    ]
    return len(set(read))


def _first_to_begin(channel: str) -> bool:
    """Say whether nobody else is beginning a try by `channel`; until this transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s, hashtext(%s))", [_BEGINNING, channel])
        (first,) = cursor.fetchone()
    return bool(first)


def _delivery(event: Event, channel: str, *, at: datetime) -> AlertDelivery:
    """Return a new delivery; without a channel, one that waits until there is some."""
    delivery = AlertDelivery(event=event, channel=channel, raised_at=at, due_at=at)
    if not channel:
        delivery.state, delivery.problem = DeliveryState.UNADDRESSED, NO_CHANNEL
    return delivery


def _address(channels: Collection[str], *, actor: Actor, at: datetime) -> None:
    """Hand what nobody could be told to the channels that there are now; give up what is old."""
    rows = AlertDelivery.objects.select_for_update(of=("self",)).select_related("event")
    waiting = list(rows.filter(state=DeliveryState.UNADDRESSED).order_by("pk"))
    further = []
    for delivery in waiting:
        if at - delivery.raised_at >= PATIENCE:
            _take(DeliveryStep.ABANDON, delivery, actor=actor, at=at)
        elif channels:
            first, *others = sorted(channels)
            columns = {"channel": first, "due_at": at, "problem": ""}
            _take(DeliveryStep.ADDRESS, delivery, actor=actor, at=at, **columns)
            further += [_delivery(delivery.event, other, at=at) for other in others]
    _begin(further, actor=actor, at=at)


def _begin(deliveries: Iterable[AlertDelivery], *, actor: Actor, at: datetime) -> None:
    rows = AlertDelivery.objects.bulk_create(deliveries)
    told = [(row, {"event": row.event.type, "channel": row.channel}) for row in rows]
    audit.record_each("alert.raise", told, actor=actor, at=at)


def _fail(delivery: AlertDelivery, problem: str, *, actor: Actor, at: datetime) -> None:
    delivery.problem = problem[:_PROBLEM_LENGTH]
    _keep_attempt(delivery, delivery.problem, at=at)
    if at - delivery.raised_at >= PATIENCE:
        _take(DeliveryStep.ABANDON, delivery, actor=actor, at=at, begun_at=None)
        return
    delivery.due_at = at + min(FIRST_WAIT * 2 ** min(delivery.tries - 1, 10), LONGEST_WAIT)
    delivery.begun_at = None
    delivery.save(update_fields=["problem", "due_at", "begun_at"])


def _keep_attempt(delivery: AlertDelivery, problem: str, *, at: datetime) -> None:
    """Write down how a try ended; what ended before, as lost, stays as it was written then."""
    if delivery.begun_at is not None:
        AlertAttempt.objects.create(
            delivery=delivery,
            number=delivery.tries,
            begun_at=delivery.begun_at,
            ended_at=at,
            problem=problem,
        )


def _others_of(delivery: AlertDelivery) -> QuerySet[AlertDelivery]:
    return AlertDelivery.objects.filter(
        channel=delivery.channel, state=DeliveryState.PENDING, begun_at=None
    ).exclude(pk=delivery.pk)


def _lock(delivery_id: UUID) -> AlertDelivery:
    rows = AlertDelivery.objects.select_for_update(of=("self",)).select_related("event")
    return rows.get(pk=delivery_id)


def _take(
    step: DeliveryStep, delivery: AlertDelivery, *, actor: Actor, at: datetime, **columns: Any
) -> AlertDelivery:
    """Take a step with a locked delivery: the only writer of `state`."""
    require_transaction()
    step.value.check(DeliveryState(delivery.state))
    delivery.state = step.value.destination
    for name, value in columns.items():
        setattr(delivery, name, value)
    delivery.save(update_fields=["state", "problem", *columns])
    facts = {"channel": delivery.channel, "tries": str(delivery.tries)}
    audit.record(f"alert.{step.name.lower()}", subject=delivery, actor=actor, at=at, **facts)
    return delivery
