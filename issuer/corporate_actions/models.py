"""Splits of shares that tokens track, from the announcement to the statement that shows them."""

from datetime import datetime, timedelta
from fractions import Fraction

from django.db import models
from django.db.models import F, Q

from issuer.corporate_actions.states import PENDING_STATES, ActPurpose, SplitState
from issuer.foundation.fields import IdField

WINDOW_SECONDS_MAX = 24 * 60 * 60


class StockSplit(models.Model):
    """Of `shares_before` shares of a token become `shares_after`; only `services` write `state`.

    Minting and burning halt from `window_seconds` before it until books and chains have followed.
    """

    id = IdField()
    token = models.ForeignKey("instruments.Token", models.PROTECT, related_name="stock_splits")
    shares_after = models.PositiveIntegerField()
    shares_before = models.PositiveIntegerField()
    effective_at = models.DateTimeField(help_text="To the second, which is what chains count in.")
    window_seconds = models.PositiveIntegerField(
        help_text="How long before its time minting and burning halt."
    )
    source = models.CharField(max_length=500, help_text="Who announced it, and where. Is public.")
    state = models.CharField(
        max_length=16, choices=SplitState, default=SplitState.ANNOUNCED, editable=False
    )
    split = models.OneToOneField(
        "instruments.Split", models.PROTECT, null=True, blank=True, related_name="stock_split"
    )
    trouble = models.CharField(
        max_length=500, blank=True, help_text="Why it could not be booked when last tried."
    )
    announced_by = models.CharField(max_length=128)
    announced_at = models.DateTimeField()

    class Meta:
        ordering = ["-effective_at", "-id"]
        permissions = [
            ("announce_stocksplit", "Can announce stock splits"),
            ("confirm_stocksplit", "Can confirm stock splits"),
        ]
        constraints = [
            models.CheckConstraint(
                name="stock_split_state_known", condition=Q(state__in=SplitState.values)
            ),
            models.CheckConstraint(
                name="stock_split_changes_the_number_of_shares",
                condition=Q(shares_after__gt=0, shares_before__gt=0)
                & ~Q(shares_after=F("shares_before")),
            ),
            models.CheckConstraint(
                name="stock_split_announced_ahead", condition=Q(effective_at__gt=F("announced_at"))
            ),
            models.CheckConstraint(
                name="stock_split_window_within_a_day",
                condition=Q(window_seconds__gt=0, window_seconds__lte=WINDOW_SECONDS_MAX),
            ),
            models.CheckConstraint(name="stock_split_names_its_source", condition=~Q(source="")),
            models.UniqueConstraint(
                name="stock_split_one_pending_per_token",
                fields=["token"],
                condition=Q(state__in=sorted(PENDING_STATES)),
            ),
            models.CheckConstraint(
                name="stock_split_moves_multipliers_once_confirmed",
                condition=Q(state=SplitState.ANNOUNCED, split=None)
                | Q(state=SplitState.CANCELLED)
                | ~Q(state__in=[SplitState.ANNOUNCED, SplitState.CANCELLED])
                & Q(split__isnull=False),
            ),
            models.CheckConstraint(
                name="stock_split_trouble_before_it_is_booked",
                condition=Q(trouble="") | Q(state__in=sorted(PENDING_STATES)),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.token} {self.ratio}"

    @property
    def ratio(self) -> str:
        """Shares afterwards to shares before, as people write it."""
        return f"{self.shares_after}:{self.shares_before}"

    @property
    def factor(self) -> Fraction:
        """Shares afterwards per share before, exactly."""
        return Fraction(self.shares_after, self.shares_before)

    @property
    def window_opens_at(self) -> datetime:
        """When minting and burning halt."""
        return self.effective_at - timedelta(seconds=self.window_seconds)


class StockSplitAct(models.Model):
    """What one network's contract was told for a split, by the same two persons; append-only."""

    id = IdField()
    stock_split = models.ForeignKey(StockSplit, models.PROTECT, related_name="acts")
    act = models.OneToOneField("chain.ContractAct", models.PROTECT, related_name="stock_split_act")
    purpose = models.CharField(max_length=16, choices=ActPurpose)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(
                name="stock_split_act_purpose_known", condition=Q(purpose__in=ActPurpose.values)
            )
        ]

    def __str__(self) -> str:
        return f"{self.stock_split}: {self.act}"


class StockSplitTransition(models.Model):
    """A step of a stock split; append-only."""

    id = IdField()
    stock_split = models.ForeignKey(StockSplit, models.PROTECT, related_name="transitions")
    step = models.CharField(max_length=16)
    origin = models.CharField(max_length=16)
    destination = models.CharField(max_length=16)
    actor = models.CharField(max_length=128)
    occurred_at = models.DateTimeField()

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.origin} to {self.destination}"
