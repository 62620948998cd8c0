"""What the machine room does in the background."""

from time import monotonic
from typing import Final

import structlog
from celery import shared_task

from issuer.foundation import clock
from issuer.foundation.actors import Actor, system
from issuer.operations import services
from issuer.operations.alerts import channels, selectors
from issuer.operations.alerts import services as alerts
from issuer.operations.alerts.channels import AlertNotSent
from issuer.operations.alerts.messages import alert_of
from issuer.operations.models import AlertDelivery

#: A task that waited longer would only repeat another.
EXPIRES_SECONDS: Final = 20
#: After so long a channel begins no further try before others had a turn.
TURN_SECONDS: Final = 20

logger = structlog.get_logger(__name__)


@shared_task(ignore_result=True, expires=30)
def beat() -> None:
    """Show that beat, broker and worker work; safe to deliver more than once."""
    services.record_heartbeat()


@shared_task(ignore_result=True)
def alert_staff() -> None:
    """Raise alerts for what is new, and one task for each channel by which one is due.

    Safe to deliver again.
    """
    actor, at = system("operations.alert_staff"), clock.now()
    alerts.raise_alerts(channels=channels.configured().keys(), actor=actor, at=at)
    for channel in selectors.channels_due(at=at):
        deliver_alerts.apply_async(kwargs={"channel": channel}, expires=EXPIRES_SECONDS)


@shared_task(ignore_result=True, soft_time_limit=90, time_limit=120)
def deliver_alerts(*, channel: str, **_future: object) -> None:
    """Hand over what is due by one channel, until nothing is, a try fails or others want a turn.

    A second worker that gets the same task meanwhile finds the channel busy.
    """
    actor = system("operations.deliver_alerts")
    turn_ends = monotonic() + TURN_SECONDS
    while monotonic() < turn_ends:
        delivery = alerts.begin_try(channel, actor=actor, at=clock.now())
        if delivery is None or not _try(delivery, actor=actor):
            return


def _try(delivery: AlertDelivery, *, actor: Actor) -> bool:
    """Try a delivery that was begun, and record how that ended, whatever ends it."""
    problem = "It ended unexpectedly; the log says how."
    try:
        _hand_over(delivery)
        problem = ""
    except AlertNotSent as refusal:
        problem = str(refusal)
        logger.error("alert.not_sent", channel=delivery.channel, reason=problem)
    finally:  # a fault of ours goes on to the log, but not before it is written down
        if problem:
            alerts.record_failure(delivery.pk, problem=problem, actor=actor, at=clock.now())
        else:
            alerts.record_sent(delivery.pk, actor=actor, at=clock.now())
    return not problem


def _hand_over(delivery: AlertDelivery) -> None:
    channel = channels.configured().get(delivery.channel)
    if channel is None:
        raise AlertNotSent(f"No channel {delivery.channel} is configured any more.")
    channel.send(alert_of(delivery.event, delivery_id=str(delivery.pk)))
