"""Tokens that came to a deposit address, and tokens that go back from there."""

from decimal import Decimal

from django.db import models
from django.db.models import F, Q

from issuer.foundation import quantities
from issuer.foundation.fields import IdField, QuantityField
from issuer.primary_market.models._redemption import RedemptionRequest
from issuer.primary_market.states import (
    GIVEN_UP_STATES,
    OPEN_RETURN_STATES,
    DepositCause,
    DepositState,
    ReturnState,
)

ON_CHAIN = [ReturnState.SIGNED, ReturnState.RETURNED]


class Deposit(models.Model):
    """A final transfer of a token of ours to a deposit address. Only `services` write `state`.

    `matched` of it are counted for its redemption, and never for another one; `returned` of it
    went back or are approved to. Only a deposit that is matched as a whole is MATCHED.
    """

    id = IdField()
    transfer = models.OneToOneField(
        "chain.IncomingTransfer", models.PROTECT, related_name="deposit"
    )
    redemption = models.ForeignKey(
        RedemptionRequest, models.PROTECT, null=True, blank=True, related_name="deposits"
    )
    quantity = QuantityField(help_text="Whole tokens.")
    matched = QuantityField(default=Decimal(0), help_text="Of them, counted for the redemption.")
    returned = QuantityField(default=Decimal(0), help_text="Of them, sent back or approved to be.")
    state = models.CharField(max_length=16, choices=DepositState, editable=False)
    cause = models.CharField(max_length=16, choices=DepositCause, blank=True)
    reason = models.CharField(
        max_length=500, blank=True, help_text="What a person said of it; no personal data."
    )
    recorded_at = models.DateTimeField()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                name="deposit_state_known", condition=Q(state__in=DepositState.values)
            ),
            models.CheckConstraint(
                name="deposit_cause_known", condition=Q(cause__in=["", *DepositCause.values])
            ),
            models.CheckConstraint(name="deposit_of_something", condition=Q(quantity__gt=0)),
            models.CheckConstraint(
                name="deposit_parts_within_it",
                condition=Q(
                    matched__gte=0,
                    matched__lte=F("quantity"),
                    returned__gte=0,
                    returned__lte=F("quantity"),
                ),
            ),
            models.CheckConstraint(
                name="deposit_matched_iff_redemption",
                condition=Q(matched__gt=0, redemption__isnull=False)
                | Q(matched=0, redemption=None),
            ),
            models.CheckConstraint(
                name="deposit_matched_as_a_whole_or_says_why",
                condition=Q(state=DepositState.MATCHED, matched=F("quantity"), returned=0, cause="")
                | ~Q(state=DepositState.MATCHED) & ~Q(cause=""),
            ),
            models.CheckConstraint(
                name="deposit_returned_iff_it_went_back",
                condition=~Q(state__in=[DepositState.RETURNING, DepositState.RETURNED])
                | Q(returned__gt=0),
            ),
        ]
        indexes = [
            models.Index(
                name="deposit_waiting",
                fields=["recorded_at"],
                condition=Q(state__in=[DepositState.UNMATCHED, DepositState.QUARANTINED]),
            ),
        ]

    def __str__(self) -> str:
        return f"Deposit of {quantities.to_text(self.quantity)} {self.transfer.deployment.token}"

    @property
    def to_return(self) -> Decimal:
        """Whole tokens that no live redemption counts on, and that did not go back yet."""
        spoken_for = Decimal(0)
        if self.redemption is not None and self.redemption.state not in GIVEN_UP_STATES:
            spoken_for = self.matched
        rest: Decimal = self.quantity - self.returned - spoken_for
        return rest


class DepositReturn(models.Model):
    """Tokens of a deposit that go back to where they came from. Only `services` write `state`.

    Two persons approve it; its id stands for it on the chain's side, too.
    """

    id = IdField()
    deposit = models.ForeignKey(Deposit, models.PROTECT, related_name="returns")
    quantity = QuantityField(help_text="Whole tokens.")
    recipient = models.CharField(max_length=64, help_text="From which they came.")
    reason = models.CharField(max_length=500, help_text="Why they go back; no personal data.")
    state = models.CharField(
        max_length=16, choices=ReturnState, default=ReturnState.PROPOSED, editable=False
    )
    intent = models.ForeignKey(
        "chain.TransactionIntent",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="deposit_returns",
    )
    failure = models.CharField(
        max_length=500, blank=True, help_text="Why the last transaction of it failed."
    )
    proposed_by = models.CharField(max_length=128)
    proposed_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        verbose_name = "return of tokens"
        verbose_name_plural = "returns of tokens"
        permissions = [
            ("propose_return", "Can propose the return of tokens"),
            ("confirm_return", "Can confirm proposed returns of tokens"),
        ]
        constraints = [
            models.CheckConstraint(
                name="return_state_known", condition=Q(state__in=ReturnState.values)
            ),
            models.CheckConstraint(name="return_of_something", condition=Q(quantity__gt=0)),
            models.CheckConstraint(name="return_says_why", condition=~Q(reason="")),
            models.CheckConstraint(
                name="return_intent_known_iff_on_chain",
                condition=Q(state__in=ON_CHAIN, intent__isnull=False)
                | ~Q(state__in=ON_CHAIN) & Q(intent=None),
            ),
            models.CheckConstraint(
                name="return_closed_iff_time",
                condition=Q(state__in=sorted(OPEN_RETURN_STATES), closed_at=None)
                | ~Q(state__in=sorted(OPEN_RETURN_STATES)) & Q(closed_at__isnull=False),
            ),
            models.UniqueConstraint(
                name="return_open_once_per_deposit",
                fields=["deposit"],
                condition=Q(state__in=sorted(OPEN_RETURN_STATES)),
            ),
        ]

    def __str__(self) -> str:
        return f"Return of {quantities.to_text(self.quantity)} to {self.recipient}"
