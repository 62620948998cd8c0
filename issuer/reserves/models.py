"""Shares held for a request, so that no two requests use the same ones."""

from django.db import models
from django.db.models import Q

from issuer.foundation import quantities
from issuer.foundation.fields import IdField, QuantityField
from issuer.reserves.states import ShareHoldState


class ShareHold(models.Model):
    """Shares of a token set aside for one request. Only `services` write `state`."""

    id = IdField()
    token = models.ForeignKey("instruments.Token", models.PROTECT, related_name="share_holds")
    request_id = models.UUIDField()
    quantity = QuantityField(help_text="Whole shares.")
    state = models.CharField(
        max_length=16, choices=ShareHoldState, default=ShareHoldState.ACTIVE, editable=False
    )
    held_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                name="share_hold_state_known", condition=Q(state__in=ShareHoldState.values)
            ),
            models.CheckConstraint(
                name="share_hold_quantity_positive", condition=Q(quantity__gt=0)
            ),
            models.UniqueConstraint(
                name="share_hold_active_once_per_request",
                fields=["request_id"],
                condition=Q(state=ShareHoldState.ACTIVE),
            ),
            models.CheckConstraint(
                name="share_hold_ended_has_time",
                condition=Q(state=ShareHoldState.ACTIVE, ended_at=None)
                | ~Q(state=ShareHoldState.ACTIVE) & Q(ended_at__isnull=False),
            ),
        ]
        indexes = [
            models.Index(
                name="share_hold_active", fields=["token"], condition=Q(state=ShareHoldState.ACTIVE)
            )
        ]

    def __str__(self) -> str:
        return f"{quantities.to_text(self.quantity)} shares for {self.request_id}"
