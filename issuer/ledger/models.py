"""The books: what the issuer has and owes, per unit, in double entry."""

from decimal import Decimal

from django.db import models
from django.db.models import F, Q

from issuer.foundation.fields import IdField, QuantityField


class Side(models.TextChoices):
    """The side of an account that makes its balance grow."""

    DEBIT = "DEBIT", "Debit"
    CREDIT = "CREDIT", "Credit"


class Account(models.Model):
    """Holds one unit. `balance` is on the account's own side, and never below zero."""

    id = IdField()
    code = models.CharField(
        max_length=128, unique=True, help_text="As AAPLx/shares/owed-on-tokens."
    )
    unit = models.CharField(max_length=32, help_text="An ISIN for shares, a symbol for tokens.")
    side = models.CharField(max_length=6, choices=Side)
    balance = QuantityField(default=Decimal(0), editable=False)
    version = models.PositiveBigIntegerField(default=0, editable=False)
    opened_at = models.DateTimeField()

    class Meta:
        ordering = ["code"]
        constraints = [
            models.CheckConstraint(name="account_side_known", condition=Q(side__in=Side.values)),
            models.CheckConstraint(name="account_not_overdrawn", condition=Q(balance__gte=0)),
            models.CheckConstraint(name="account_has_a_code", condition=~Q(code="")),
            models.CheckConstraint(name="account_has_a_unit", condition=~Q(unit="")),
        ]

    def __str__(self) -> str:
        return self.code


class Transfer(models.Model):
    """Debits one account and credits another with the same quantity of one unit; append-only.

    A business event is the transfers of one `reference`, lines 1, 2, … A mistake is corrected by
    further transfers.
    """

    id = IdField()
    reference = models.CharField(max_length=128)
    line = models.PositiveSmallIntegerField()
    debit_account = models.ForeignKey(Account, models.PROTECT, related_name="+")
    credit_account = models.ForeignKey(Account, models.PROTECT, related_name="+")
    unit = models.CharField(max_length=32)
    quantity = QuantityField()
    effective_at = models.DateTimeField(help_text="When it happened in the world.")
    booked_at = models.DateTimeField(help_text="When it entered the books; never goes back.")
    posted_by = models.CharField(max_length=128)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(name="transfer_quantity_positive", condition=Q(quantity__gt=0)),
            models.CheckConstraint(
                name="transfer_between_two_accounts",
                condition=~Q(debit_account=F("credit_account")),
            ),
            models.UniqueConstraint(
                name="transfer_once_per_reference_and_line", fields=["reference", "line"]
            ),
            models.CheckConstraint(name="transfer_has_a_reference", condition=~Q(reference="")),
            models.CheckConstraint(name="transfer_names_its_author", condition=~Q(posted_by="")),
        ]
        indexes = [models.Index(name="transfer_by_effective_time", fields=["effective_at"])]

    def __str__(self) -> str:
        return f"{self.reference} #{self.line}"


class Entry(models.Model):
    """One leg of a transfer, with the balance it left behind; append-only.

    `version` counts the entries of an account without a gap, so a running balance cannot skip or
    repeat one.
    """

    id = IdField()
    transfer = models.ForeignKey(Transfer, models.PROTECT, related_name="entries")
    account = models.ForeignKey(Account, models.PROTECT, related_name="entries")
    side = models.CharField(max_length=6, choices=Side)
    quantity = QuantityField()
    balance = QuantityField(help_text="Of the account, after this entry, on its own side.")
    version = models.PositiveBigIntegerField()
    booked_at = models.DateTimeField()

    class Meta:
        ordering = ["account", "version"]
        constraints = [
            models.CheckConstraint(name="entry_side_known", condition=Q(side__in=Side.values)),
            models.CheckConstraint(name="entry_quantity_positive", condition=Q(quantity__gt=0)),
            models.CheckConstraint(name="entry_leaves_no_overdraft", condition=Q(balance__gte=0)),
            models.UniqueConstraint(
                name="entry_version_once_per_account", fields=["account", "version"]
            ),
            models.UniqueConstraint(name="entry_once_per_side", fields=["transfer", "side"]),
        ]
        indexes = [
            models.Index(
                name="entry_of_account_by_booking", fields=["account", "booked_at", "version"]
            )
        ]

    def __str__(self) -> str:
        return f"{self.side} {self.account}"
