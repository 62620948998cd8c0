"""What the machine room remembers."""

from typing import Final
from uuid import UUID

from django.db import models

from issuer.foundation.fields import IdField
from issuer.operations.alerts.states import DeliveryState

_WITHOUT_CHANNEL: Final = [
    DeliveryState.UNADDRESSED,
    DeliveryState.ABANDONED,
    DeliveryState.ACKNOWLEDGED,
]


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
    """An event that staff are told of by one channel. Only `alerts.services` write `state`.

    Its id is what the other side knows a repeated alert by. Without a channel there is nobody to
    tell; the back office shows it until one is configured, or a person has read it.
    """

    id = IdField()
    event = models.ForeignKey("events.Event", models.PROTECT, related_name="alerts")
    channel = models.CharField(max_length=16, blank=True, help_text="Empty: none is configured.")
    state = models.CharField(
        max_length=16, choices=DeliveryState, default=DeliveryState.PENDING, editable=False
    )
    tries = models.PositiveIntegerField(default=0)
    raised_at = models.DateTimeField()
    due_at = models.DateTimeField(
        help_text="When it is tried next; while it is tried, when that must be over."
    )
    begun_at = models.DateTimeField(
        null=True, blank=True, help_text="When the try began that is not over."
    )
    sent_at = models.DateTimeField(null=True, blank=True)
    problem = models.CharField(max_length=500, blank=True, help_text="Of the last try.")

    class Meta:
        ordering = ["-id"]
        verbose_name_plural = "alert deliveries"
        permissions = [("acknowledge_alert", "Can acknowledge alerts")]
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
            models.CheckConstraint(
                name="alert_delivery_needs_a_channel_to_be_tried",
                condition=~models.Q(channel="") & ~models.Q(state=DeliveryState.UNADDRESSED)
                | models.Q(channel="", tries=0, state__in=_WITHOUT_CHANNEL),
            ),
            models.CheckConstraint(
                name="alert_delivery_is_tried_while_pending",
                condition=models.Q(begun_at=None) | models.Q(state=DeliveryState.PENDING),
            ),
            models.UniqueConstraint(  # a slow channel keeps one worker busy, and no more
                name="alert_delivery_one_try_per_channel",
                fields=["channel"],
                condition=models.Q(begun_at__isnull=False),
            ),
        ]
        indexes = [
            models.Index(
                name="alert_delivery_due",
                fields=["due_at"],
                condition=models.Q(state=DeliveryState.PENDING),
            ),
            models.Index(
                name="alert_delivery_least_tried",
                fields=["channel", "tries", "id"],
                condition=models.Q(state=DeliveryState.PENDING),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.event.type} by {self.channel}" if self.channel else self.event.type


class AlertAttempt(models.Model):
    """How one try at a delivery ended; append-only. Without a problem, the other side took it."""

    id = IdField()
    delivery = models.ForeignKey(AlertDelivery, models.PROTECT, related_name="attempts")
    number = models.PositiveIntegerField(help_text="1, 2, 3, … per delivery.")
    begun_at = models.DateTimeField()
    ended_at = models.DateTimeField()
    problem = models.CharField(max_length=500, blank=True)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(
                name="alert_attempt_once_per_number", fields=["delivery", "number"]
            ),
        ]

    def __str__(self) -> str:
        return f"Try {self.number}: {self.problem or 'taken'}"
