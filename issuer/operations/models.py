"""What the machine room remembers."""

from uuid import UUID

from django.db import models

from issuer.foundation.fields import IdField
from issuer.operations.alerts.states import DeliveryState


class Heartbeat(models.Model):
    """When the beat last reached a worker; the one row that `tasks.beat` renews.

    `beaten_at` is the database's own time, since the demo world's clock may jump.
    """

    id = models.SmallIntegerField(primary_key=True, default=1, editable=False)
    beaten_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(name="heartbeat_is_one_row", condition=models.Q(id=1)),
        ]

    def __str__(self) -> str:
        return f"Heartbeat of {self.beaten_at:%Y-%m-%d %H:%M:%S}"


class AlertCursor(models.Model):
    """Up to which event staff have been alerted; the one row that `alerts.services` moves on."""

    id = models.SmallIntegerField(primary_key=True, default=1, editable=False)
    transaction_id = models.BigIntegerField(default=0)
    event_id = models.UUIDField(default=UUID(int=0))

    class Meta:
        constraints = [
            models.CheckConstraint(name="alert_cursor_is_one_row", condition=models.Q(id=1)),
        ]

    def __str__(self) -> str:
        return f"Alerts up to event {self.event_id}"


class AlertDelivery(models.Model):
    """An event that staff are told of by one channel. Only `alerts.services` write `state`."""

    id = IdField()
    event = models.ForeignKey("events.Event", models.PROTECT, related_name="alerts")
    channel = models.CharField(max_length=16)
    state = models.CharField(
        max_length=16, choices=DeliveryState, default=DeliveryState.PENDING, editable=False
    )
    tries = models.PositiveIntegerField(default=0)
    raised_at = models.DateTimeField()
    due_at = models.DateTimeField(help_text="When it is tried next.")
    sent_at = models.DateTimeField(null=True, blank=True)
    problem = models.CharField(max_length=500, blank=True, help_text="Of the last try.")

    class Meta:
        ordering = ["-id"]
        verbose_name_plural = "alert deliveries"
        constraints = [
            models.CheckConstraint(
                name="alert_delivery_state_known",
                condition=models.Q(state__in=DeliveryState.values),
            ),
            models.UniqueConstraint(
                name="alert_delivery_once_per_event_and_channel", fields=["event", "channel"]
            ),
            models.CheckConstraint(
                name="alert_delivery_sent_iff_time",
                condition=models.Q(state=DeliveryState.SENT, sent_at__isnull=False)
                | ~models.Q(state=DeliveryState.SENT) & models.Q(sent_at=None),
            ),
        ]
        indexes = [
            models.Index(
                name="alert_delivery_due",
                fields=["due_at"],
                condition=models.Q(state=DeliveryState.PENDING),
            )
        ]

    def __str__(self) -> str:
        return f"{self.event.type} by {self.channel}"
