"""What the machine room does in the background."""

from typing import Final
from uuid import UUID

import structlog
from celery import shared_task

from issuer.foundation import clock
from issuer.foundation.actors import system
from issuer.operations import services
from issuer.operations.alerts import channels
from issuer.operations.alerts import services as alerts
from issuer.operations.alerts.channels import AlertNotSent
from issuer.operations.alerts.messages import alert_of
from issuer.operations.alerts.states import DeliveryState
from issuer.operations.models import AlertDelivery

#: A task that waited longer would only repeat another.
EXPIRES_SECONDS: Final = 20

logger = structlog.get_logger(__name__)


@shared_task(ignore_result=True, expires=30)
def beat() -> None:
    """Show that beat, broker and worker work; safe to deliver more than once."""
    services.record_heartbeat()


@shared_task(ignore_result=True)
def alert_staff() -> None:
    """Raise alerts for what is new, and one task for each that is due; safe to deliver again."""
    actor, at = system("operations.alert_staff"), clock.now()
    alerts.raise_alerts(channels=channels.configured().keys(), actor=actor, at=at)
    due = AlertDelivery.objects.filter(state=DeliveryState.PENDING, due_at__lte=at)
    for delivery_id in due.order_by("due_at", "pk").values_list("pk", flat=True):
        deliver_alert.apply_async(kwargs={"delivery_id": str(delivery_id)}, expires=EXPIRES_SECONDS)


@shared_task(ignore_result=True, soft_time_limit=60, time_limit=90)
def deliver_alert(*, delivery_id: str, **_future: object) -> None:
    """Try one delivery; a second worker that gets the same task finds it taken."""
    actor = system("operations.deliver_alert")
    delivery = alerts.begin_try(UUID(delivery_id), at=clock.now())
    if delivery is None:
        return
    channel = channels.configured().get(delivery.channel)
    try:
        if channel is None:
            raise AlertNotSent(f"No channel {delivery.channel} is configured any more.")
        channel.send(alert_of(delivery.event, delivery_id=str(delivery.pk)))
    except AlertNotSent as problem:
        logger.error("alert.not_sent", channel=delivery.channel, reason=str(problem))
        alerts.record_failure(delivery.pk, problem=str(problem), actor=actor, at=clock.now())
    else:
        alerts.record_sent(delivery.pk, actor=actor, at=clock.now())
