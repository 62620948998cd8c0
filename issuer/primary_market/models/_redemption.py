"""Requests of participants to redeem tokens for shares."""

from decimal import Decimal

from django.db import models
from django.db.models import F, Q

from issuer.foundation.fields import IdField, QuantityField
from issuer.primary_market.states import ENDED_STATES, RedemptionState

_R = RedemptionState
#: The burn of a request is signed, or further on. A frozen request may be one of these.
BURN_KNOWN = [_R.BURNING, _R.BURNED, _R.DELIVERING, _R.COMPLETED]
DELIVERY_KNOWN = [_R.DELIVERING, _R.COMPLETED]
#: All the tokens of a request are here, or were when they were burned.
ALL_RECEIVED = [_R.RECEIVED, _R.APPROVED, *BURN_KNOWN]


class RedemptionRequest(models.Model):
    """A participant returns `quantity` tokens, which are burned, and receives shares for them.

    Only `services` write `state`, and every write leaves a `RedemptionTransition`. PostgreSQL
    keeps `received` what the deposits of the request add up to.
    """

    id = IdField()
    participant = models.ForeignKey(
        "parties.AuthorizedParticipant", models.PROTECT, related_name="redemptions"
    )
    token = models.ForeignKey("instruments.Token", models.PROTECT, related_name="redemptions")
    deployment = models.ForeignKey(
        "instruments.Deployment", models.PROTECT, related_name="redemptions"
    )
    wallet = models.ForeignKey(
        "parties.Wallet",
        models.PROTECT,
        related_name="redemptions",
        help_text="From which the tokens come.",
    )
    quantity = QuantityField(help_text="Whole tokens, before the multiplier.")
    multiplier = QuantityField(help_text="Shares per token.")
    shares = QuantityField(
        help_text="Whole shares that are delivered: quantity × multiplier, rounded down."
    )
    minimum = QuantityField(help_text="Whole tokens that had to be redeemed at least.")
    received = QuantityField(
        default=Decimal(0), help_text="Whole tokens of it that have come, finally."
    )
    deposit_address = models.CharField(max_length=64, help_text="To which the tokens are sent.")
    client_reference = models.CharField(max_length=64)
    state = models.CharField(
        max_length=16, choices=RedemptionState, default=RedemptionState.REQUESTED, editable=False
    )
    account = models.ForeignKey(
        "custody.CustodyAccount",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="redemptions",
        help_text="From which the shares are delivered.",
    )
    receiving_party = models.CharField(
        max_length=128, blank=True, help_text="To whom the shares are delivered."
    )
    burn_intent = models.ForeignKey(
        "chain.TransactionIntent",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="redemptions",
    )
    instruction = models.OneToOneField(
        "custody.SettlementInstruction",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="redemption",
    )
    reason = models.CharField(
        max_length=500, blank=True, help_text="Of the last step; no personal data."
    )
    requested_by = models.CharField(max_length=128)
    requested_at = models.DateTimeField()
    expires_at = models.DateTimeField(help_text="Unless the tokens have come before.")
    completed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        permissions = [
            ("accept_redemption", "Can accept and reject redemptions, and assign deposits"),
            ("propose_redemption", "Can propose redemption requests for approval"),
            ("confirm_redemption", "Can confirm proposed redemption requests"),
            ("freeze_redemption", "Can freeze and unfreeze redemptions, and clear deposits"),
        ]
        constraints = [
            models.CheckConstraint(
                name="redemption_state_known", condition=Q(state__in=RedemptionState.values)
            ),
            models.CheckConstraint(
                name="redemption_quantity_positive", condition=Q(quantity__gt=0)
            ),
            models.CheckConstraint(
                name="redemption_multiplier_positive", condition=Q(multiplier__gt=0)
            ),
            models.CheckConstraint(name="redemption_shares_positive", condition=Q(shares__gt=0)),
            models.CheckConstraint(
                name="redemption_received_within_quantity",
                condition=Q(received__gte=0, received__lte=F("quantity")),
            ),
            models.CheckConstraint(
                name="redemption_all_received_before_approval",
                condition=~Q(state__in=ALL_RECEIVED) | Q(received=F("quantity")),
            ),
            models.CheckConstraint(
                name="redemption_quarantined_with_tokens",
                condition=~Q(state=_R.QUARANTINED) | Q(received__gt=0, burn_intent=None),
            ),
            models.CheckConstraint(
                name="redemption_accepted_says_where_to_deliver",
                condition=~Q(state__in=[_R.AWAITING_TOKENS, *ALL_RECEIVED])
                | Q(account__isnull=False) & ~Q(receiving_party=""),
            ),
            models.CheckConstraint(
                name="redemption_burn_known_iff_on_chain",
                condition=Q(state__in=BURN_KNOWN, burn_intent__isnull=False)
                | Q(state=_R.FROZEN)
                | ~Q(state__in=[*BURN_KNOWN, _R.FROZEN]) & Q(burn_intent=None),
            ),
            models.CheckConstraint(
                name="redemption_delivery_known_iff_instructed",
                condition=Q(state__in=DELIVERY_KNOWN, instruction__isnull=False)
                | ~Q(state__in=DELIVERY_KNOWN) & Q(instruction=None),
            ),
            models.CheckConstraint(
                name="redemption_completed_iff_time",
                condition=Q(state=_R.COMPLETED, completed_at__isnull=False)
                | ~Q(state=_R.COMPLETED) & Q(completed_at=None),
            ),
            models.CheckConstraint(
                name="redemption_stopped_says_why",
                condition=~Q(
                    state__in=[_R.REJECTED, _R.CANCELLED, _R.EXPIRED, _R.QUARANTINED, _R.FROZEN]
                )
                | ~Q(reason=""),
            ),
            models.UniqueConstraint(
                name="redemption_client_reference_once",
                fields=["participant", "client_reference"],
            ),
            models.UniqueConstraint(
                name="redemption_burn_of_one_request",
                fields=["burn_intent"],
            ),
        ]
        indexes = [
            models.Index(
                name="redemption_open",
                fields=["requested_at"],
                condition=~Q(state__in=sorted(ENDED_STATES)),
            ),
            models.Index(name="redemption_of_participant", fields=["participant", "-id"]),
        ]

    def __str__(self) -> str:
        return f"{self.client_reference} ({self.pk})"

    @property
    def missing(self) -> Decimal:
        """Whole tokens of it that have not come."""
        missing: Decimal = self.quantity - self.received
        return missing


class RedemptionTransition(models.Model):
    """A step of a redemption request; append-only."""

    id = IdField()
    request = models.ForeignKey(RedemptionRequest, models.PROTECT, related_name="transitions")
    step = models.CharField(max_length=32)
    origin = models.CharField(max_length=16)
    destination = models.CharField(max_length=16)
    actor = models.CharField(max_length=128)
    person_id = models.UUIDField(null=True)
    reason = models.CharField(max_length=500, blank=True)
    occurred_at = models.DateTimeField()

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.origin} to {self.destination}"
