"""Securities, tokens, networks and deployments, and how one backs the other."""

from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import DateTimeRangeField, RangeOperators
from django.db import models
from django.db.models import F, Q
from simple_history.models import HistoricalRecords

from issuer.foundation.fields import IdField, QuantityField

ISIN = r"^[A-Z]{2}[A-Z0-9]{9}[0-9]$"
EVM_ADDRESS = r"^0x[0-9a-fA-F]{40}$"


class Security(models.Model):
    """A listed share."""

    id = IdField()
    isin = models.CharField("ISIN", max_length=12, unique=True)
    cusip = models.CharField("CUSIP", max_length=9, blank=True)
    figi = models.CharField("FIGI", max_length=12, blank=True)
    ticker = models.CharField(max_length=12)
    mic = models.CharField("MIC", max_length=4, help_text="ISO 10383 market identifier.")
    name = models.CharField(max_length=128)
    history: Any = HistoricalRecords(history_id_field=IdField())

    class Meta:
        verbose_name_plural = "securities"
        permissions = [("manage_instruments", "Can register instruments")]
        constraints = [
            models.CheckConstraint(name="security_has_an_isin", condition=Q(isin__regex=ISIN)),
            models.UniqueConstraint(
                name="security_ticker_once_per_market", fields=["mic", "ticker"]
            ),
        ]

    def __str__(self) -> str:
        return f"{self.ticker} ({self.isin})"


class Token(models.Model):
    """A product: the token that tracks one security, with its own ISIN and its backing policy.

    This row is the lock of the equation: whoever uses up shares of the token locks it first.
    """

    id = IdField()
    program = models.ForeignKey("parties.Program", models.PROTECT, related_name="tokens")
    symbol = models.CharField(max_length=16, unique=True)
    name = models.CharField(max_length=128)
    isin = models.CharField("ISIN", max_length=12, unique=True)
    security = models.ForeignKey(Security, models.PROTECT, related_name="tokens")
    statement_due_hours = models.PositiveSmallIntegerField(
        default=26,
        help_text="Hours after the start (UTC) of a session day by which the custodian's "
        "statement of that day must be here.",
    )
    admits_unsettled_receipts = models.BooleanField(
        default=True, help_text="Whether receipts inside their contractual date are disclosed."
    )
    issuance_open = models.BooleanField(default=True)
    redemption_minimum = QuantityField(
        default=Decimal(1), help_text="Whole tokens; fewer are not redeemed at once."
    )
    history: Any = HistoricalRecords(history_id_field=IdField())

    class Meta:
        ordering = ["symbol"]
        constraints = [
            models.CheckConstraint(name="token_has_an_isin", condition=Q(isin__regex=ISIN)),
            models.CheckConstraint(
                name="token_symbol_is_plain", condition=Q(symbol__regex=r"^[A-Za-z0-9.]{2,16}$")
            ),
            models.CheckConstraint(
                name="token_statement_due_hours_positive", condition=Q(statement_due_hours__gt=0)
            ),
            models.CheckConstraint(
                name="token_redemption_minimum_positive", condition=Q(redemption_minimum__gt=0)
            ),
        ]

    def __str__(self) -> str:
        return self.symbol


class NetworkKind(models.TextChoices):
    """How a network is spoken to."""

    EVM = "EVM", "EVM"


class Network(models.Model):
    """A chain, by its CAIP-2 id. Where its nodes are is configuration, not data."""

    id = IdField()
    caip2 = models.CharField("CAIP-2", max_length=41, unique=True)
    name = models.CharField(max_length=64)
    kind = models.CharField(max_length=8, choices=NetworkKind, default=NetworkKind.EVM)
    final_age_max_seconds = models.PositiveIntegerField(
        default=1800, help_text="Older final blocks mean that the chain or its node stands still."
    )
    explorer_url = models.URLField(blank=True)
    history: Any = HistoricalRecords(history_id_field=IdField())

    class Meta:
        ordering = ["caip2"]
        constraints = [
            models.CheckConstraint(
                name="network_kind_known", condition=Q(kind__in=NetworkKind.values)
            ),
            models.CheckConstraint(
                name="network_has_a_caip2",
                condition=Q(caip2__regex=r"^[-a-z0-9]{3,8}:[-_a-zA-Z0-9]{1,32}$"),
            ),
            models.CheckConstraint(
                name="network_final_age_max_positive", condition=Q(final_age_max_seconds__gt=0)
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def namespace(self) -> str:
        """The CAIP-2 namespace: eip155 of eip155:1."""
        return self.caip2.partition(":")[0]


class Deployment(models.Model):
    """A token's contract on one network."""

    id = IdField()
    token = models.ForeignKey(Token, models.PROTECT, related_name="deployments")
    network = models.ForeignKey(Network, models.PROTECT, related_name="deployments")
    address = models.CharField(max_length=64, help_text="EIP-55 on EVM networks.")
    decimals = models.PositiveSmallIntegerField(default=18)
    deployed_block = models.PositiveBigIntegerField(help_text="Events are read from here on.")
    history: Any = HistoricalRecords(history_id_field=IdField())

    class Meta:
        ordering = ["token__symbol", "network__caip2"]
        constraints = [
            models.UniqueConstraint(
                name="deployment_address_once_per_network", fields=["network", "address"]
            ),
            models.UniqueConstraint(
                name="deployment_once_per_token_and_network", fields=["token", "network"]
            ),
            models.CheckConstraint(
                name="deployment_decimals_fit_a_quantity", condition=Q(decimals__lte=18)
            ),
            models.CheckConstraint(
                name="deployment_address_is_evm", condition=Q(address__regex=EVM_ADDRESS)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.token} on {self.network}"

    @property
    def caip10(self) -> str:
        """The contract's CAIP-10 account id."""
        return f"{self.network.caip2}:{self.address}"


class Multiplier(models.Model):
    """Shares per token of a deployment during a time; ranges of a deployment never overlap."""

    id = IdField()
    deployment = models.ForeignKey(Deployment, models.PROTECT, related_name="multipliers")
    value = QuantityField(default=Decimal(1), help_text="Shares per token.")
    effective = DateTimeRangeField(help_text="From, inclusive, to, exclusive; open at the end.")

    class Meta:
        ordering = ["deployment", "effective"]
        constraints = [
            models.CheckConstraint(name="multiplier_positive", condition=Q(value__gt=0)),
            ExclusionConstraint(
                name="multiplier_one_at_a_time_per_deployment",
                expressions=[
                    (F("deployment"), RangeOperators.EQUAL),
                    ("effective", RangeOperators.OVERLAPS),
                ],
            ),
            models.CheckConstraint(
                name="multiplier_range_has_a_start",
                condition=Q(effective__startswith__isnull=False, effective__isempty=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.deployment}: {self.value}"


class Split(models.Model):
    """Of `shares_before` shares become `shares_after` at `effective_at`: 4 of 1, or 1 of 20.

    It moves the multiplier of every deployment of the token at that time. The books follow at
    `booked_at`, and until then still count the old shares.
    """

    id = IdField()
    token = models.ForeignKey(Token, models.PROTECT, related_name="splits")
    shares_after = models.PositiveIntegerField()
    shares_before = models.PositiveIntegerField()
    effective_at = models.DateTimeField(help_text="To the second, which is what chains count in.")
    scheduled_by = models.CharField(max_length=128)
    scheduled_at = models.DateTimeField()
    booked_at = models.DateTimeField(null=True, blank=True)
    cancelled_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["token", "effective_at", "id"]
        constraints = [
            models.CheckConstraint(
                name="split_changes_the_number_of_shares",
                condition=Q(shares_after__gt=0, shares_before__gt=0)
                & ~Q(shares_after=F("shares_before")),
            ),
            models.UniqueConstraint(
                name="split_one_pending_per_token",
                fields=["token"],
                condition=Q(booked_at=None, cancelled_at=None),
            ),
            models.CheckConstraint(
                name="split_scheduled_ahead", condition=Q(effective_at__gt=F("scheduled_at"))
            ),
            models.CheckConstraint(
                name="split_booked_once_effective_unless_cancelled",
                condition=Q(booked_at=None)
                | Q(
                    booked_at__isnull=False,
                    booked_at__gte=F("effective_at"),
                    cancelled_at=None,
                ),
            ),
            models.CheckConstraint(
                name="split_cancelled_before_it_was_effective",
                condition=Q(cancelled_at=None)
                | Q(cancelled_at__isnull=False, cancelled_at__lt=F("effective_at")),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.token} {self.shares_after}:{self.shares_before}"

    @property
    def factor(self) -> Fraction:
        """Shares afterwards per share before, exactly."""
        return Fraction(self.shares_after, self.shares_before)

    def unbooked_at(self, at: datetime) -> bool:
        """Say whether the split was effective at `at` while the books still counted old shares."""
        return (
            self.cancelled_at is None
            and self.effective_at <= at
            and (self.booked_at is None or self.booked_at > at)
        )


class ControlledRole(models.TextChoices):
    """Why tokens at an address of the issuer's own are not owed to anybody."""

    TREASURY = "TREASURY", "Treasury"
    TEST = "TEST", "Test"
    BRIDGE_ESCROW = "BRIDGE_ESCROW", "Bridge escrow"
    REDEMPTION = "REDEMPTION", "Redemption deposits"


class ControlledAddress(models.Model):
    """An address that the issuer controls on a network, and what for."""

    id = IdField()
    network = models.ForeignKey(Network, models.PROTECT, related_name="controlled_addresses")
    address = models.CharField(max_length=64)
    role = models.CharField(max_length=16, choices=ControlledRole)
    reason = models.CharField(max_length=256)
    history: Any = HistoricalRecords(history_id_field=IdField())

    class Meta:
        verbose_name_plural = "controlled addresses"
        constraints = [
            models.UniqueConstraint(
                name="controlled_address_once_per_network", fields=["network", "address"]
            ),
            models.CheckConstraint(
                name="controlled_address_role_known", condition=Q(role__in=ControlledRole.values)
            ),
            models.CheckConstraint(name="controlled_address_says_why", condition=~Q(reason="")),
        ]

    def __str__(self) -> str:
        return f"{self.get_role_display()} {self.address}"
