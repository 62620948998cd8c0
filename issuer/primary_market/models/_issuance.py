"""Requests of participants to issue tokens."""

from django.db import models
from django.db.models import Q

from issuer.foundation.fields import IdField, QuantityField
from issuer.primary_market.states import FINAL_STATES, IssuanceState

ON_CHAIN = Q(state__in=[IssuanceState.MINTING, IssuanceState.COMPLETED])


class IssuanceRequest(models.Model):
    """A participant delivers shares into custody and receives `quantity` tokens.

    Only `services` write `state`, and every write leaves an `IssuanceTransition`.
    """

    id = IdField()
    participant = models.ForeignKey(
        "parties.AuthorizedParticipant", models.PROTECT, related_name="issuances"
    )
    token = models.ForeignKey("instruments.Token", models.PROTECT, related_name="issuances")
    deployment = models.ForeignKey(
        "instruments.Deployment", models.PROTECT, related_name="issuances"
    )
    wallet = models.ForeignKey("parties.Wallet", models.PROTECT, related_name="issuances")
    quantity = QuantityField(help_text="Whole tokens, before the multiplier.")
    multiplier = QuantityField(help_text="Shares per token when the request was made.")
    shares = QuantityField(help_text="Whole shares to deliver: quantity × multiplier, rounded up.")
    client_reference = models.CharField(max_length=64)
    state = models.CharField(
        max_length=16, choices=IssuanceState, default=IssuanceState.REQUESTED, editable=False
    )
    instruction = models.OneToOneField(
        "custody.SettlementInstruction",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="issuance",
    )
    mint_intent = models.ForeignKey(
        "chain.TransactionIntent", models.PROTECT, null=True, blank=True, related_name="issuances"
    )
    reason = models.CharField(
        max_length=500, blank=True, help_text="Of the last step; no personal data."
    )
    requested_by = models.CharField(max_length=128)
    requested_at = models.DateTimeField()
    expires_at = models.DateTimeField(help_text="Unless the shares have settled before.")
    completed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        permissions = [
            ("accept_issuance", "Can accept and reject issuance requests"),
            ("propose_issuance", "Can propose issuance requests for approval"),
            ("confirm_issuance", "Can confirm proposed issuance requests"),
            ("freeze_issuance", "Can freeze and unfreeze issuance requests"),
        ]
        constraints = [
            models.CheckConstraint(
                name="issuance_state_known", condition=Q(state__in=IssuanceState.values)
            ),
            models.CheckConstraint(name="issuance_quantity_positive", condition=Q(quantity__gt=0)),
            models.CheckConstraint(
                name="issuance_multiplier_positive", condition=Q(multiplier__gt=0)
            ),
            models.CheckConstraint(name="issuance_shares_positive", condition=Q(shares__gt=0)),
            models.CheckConstraint(
                name="issuance_accepted_has_instruction",
                condition=~Q(
                    state__in=[
                        IssuanceState.ACCEPTED,
                        IssuanceState.FUNDED,
                        IssuanceState.APPROVED,
                        IssuanceState.MINTING,
                        IssuanceState.COMPLETED,
                    ]
                )
                | Q(instruction__isnull=False),
            ),
            models.CheckConstraint(
                name="issuance_mint_known_iff_on_chain",
                condition=ON_CHAIN & Q(mint_intent__isnull=False) | ~ON_CHAIN & Q(mint_intent=None),
            ),
            models.CheckConstraint(
                name="issuance_completed_iff_time",
                condition=Q(state=IssuanceState.COMPLETED, completed_at__isnull=False)
                | ~Q(state=IssuanceState.COMPLETED) & Q(completed_at=None),
            ),
            models.CheckConstraint(
                name="issuance_stopped_says_why",
                condition=~Q(
                    state__in=[
                        IssuanceState.REJECTED,
                        IssuanceState.CANCELLED,
                        IssuanceState.FROZEN,
                    ]
                )
                | ~Q(reason=""),
            ),
            models.UniqueConstraint(
                name="issuance_client_reference_once", fields=["participant", "client_reference"]
            ),
        ]
        indexes = [
            models.Index(
                name="issuance_open",
                fields=["requested_at"],
                condition=~Q(state__in=sorted(FINAL_STATES)),
            ),
            models.Index(name="issuance_of_participant", fields=["participant", "-id"]),
        ]

    def __str__(self) -> str:
        return f"{self.client_reference} ({self.pk})"


class IssuanceTransition(models.Model):
    """A step of an issuance request; append-only."""

    id = IdField()
    request = models.ForeignKey(IssuanceRequest, models.PROTECT, related_name="transitions")
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
