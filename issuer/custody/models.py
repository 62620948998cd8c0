"""The SPV's accounts with custodians, what they say they hold, and what we told them to do."""

from decimal import Decimal
from typing import Any

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Round
from simple_history.models import HistoricalRecords

from issuer.custody.states import InstructionState
from issuer.foundation import quantities
from issuer.foundation.fields import IdField, QuantityField

ACCOUNT_REFERENCE = r"^[A-Za-z0-9._-]{1,64}$"
REASON_LENGTH_MAX = 500


class CustodyAccount(models.Model):
    """One token's own sub-account with one custodian, pledged to the program's security agent."""

    id = IdField()
    token = models.ForeignKey("instruments.Token", models.PROTECT, related_name="custody_accounts")
    custodian = models.ForeignKey("parties.Custodian", models.PROTECT, related_name="accounts")
    reference = models.CharField(max_length=64, help_text="The custodian's account number.")
    pledgee = models.ForeignKey(
        "parties.LegalEntity", models.PROTECT, related_name="+", help_text="Our security agent."
    )
    opened_at = models.DateTimeField()
    history: Any = HistoricalRecords(history_id_field=IdField())

    class Meta:
        ordering = ["reference"]
        constraints = [
            models.UniqueConstraint(
                name="custody_account_once_per_custodian", fields=["custodian", "reference"]
            ),
            models.UniqueConstraint(
                name="custody_account_once_per_token_custodian_pledge",
                fields=["token", "custodian", "pledgee"],
            ),
            models.UniqueConstraint(  # for the accounts in the books are named by both
                name="custody_account_reference_once_per_token", fields=["token", "reference"]
            ),
            models.CheckConstraint(
                name="custody_account_reference_is_plain",
                condition=Q(reference__regex=ACCOUNT_REFERENCE),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.reference} ({self.token})"


class Statement(models.Model):
    """What a custodian said of its accounts at the close of a day: raw bytes and hash; append-only.

    A later statement of the same day supersedes an earlier one and never deletes it.
    """

    id = IdField()
    custodian = models.ForeignKey("parties.Custodian", models.PROTECT, related_name="statements")
    reference = models.CharField(max_length=64, help_text="The custodian's statement number.")
    as_of_date = models.DateField(help_text="The close of this day.")
    file_name = models.CharField(max_length=255)
    raw = models.BinaryField(help_text="The file, byte for byte.")
    sha256 = models.CharField("SHA-256", max_length=64)
    received_at = models.DateTimeField()
    received_by = models.CharField(max_length=128)
    supersedes = models.OneToOneField(
        "self", models.PROTECT, null=True, blank=True, related_name="superseded_by"
    )

    class Meta:
        ordering = ["-as_of_date", "-id"]
        permissions = [("load_statement", "Can load custodian statements")]
        constraints = [
            models.UniqueConstraint(
                name="statement_file_once_per_custodian", fields=["custodian", "sha256"]
            ),
            models.UniqueConstraint(
                name="statement_reference_once_per_custodian", fields=["custodian", "reference"]
            ),
            models.UniqueConstraint(
                name="statement_day_once_unless_superseding",
                fields=["custodian", "as_of_date"],
                condition=Q(supersedes=None),
            ),
            models.CheckConstraint(
                name="statement_hash_is_sha256", condition=Q(sha256__regex=r"^[0-9a-f]{64}$")
            ),
        ]

    def __str__(self) -> str:
        return f"{self.reference} as of {self.as_of_date}"


class Position(models.Model):
    """One account's line of a statement, in whole shares; append-only.

    All quantities are as the custodian states them. `blocked` are blocked by anyone but our
    security agent; `pledged` are pledged to our security agent, which counts for backing.
    """

    id = IdField()
    statement = models.ForeignKey(Statement, models.PROTECT, related_name="positions")
    account = models.ForeignKey(CustodyAccount, models.PROTECT, related_name="positions")
    isin = models.CharField("ISIN", max_length=12)
    settled = QuantityField()
    pending_receipt = QuantityField(default=Decimal(0))
    pending_delivery = QuantityField(default=Decimal(0))
    lent = QuantityField(default=Decimal(0))
    blocked = QuantityField(default=Decimal(0))
    pledged = QuantityField(default=Decimal(0))

    class Meta:
        constraints = [
            models.UniqueConstraint(
                name="position_once_per_statement_and_account", fields=["statement", "account"]
            ),
            models.CheckConstraint(
                name="position_quantities_not_negative",
                condition=Q(
                    settled__gte=0,
                    pending_receipt__gte=0,
                    pending_delivery__gte=0,
                    lent__gte=0,
                    blocked__gte=0,
                    pledged__gte=0,
                ),
            ),
            models.CheckConstraint(
                name="position_encumbered_within_settled",
                condition=Q(
                    settled__gte=F("pending_delivery") + F("lent") + F("blocked"),
                    pledged__lte=F("settled"),
                ),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.account}: {quantities.to_text(self.settled)}"

    @property
    def eligible(self) -> Decimal:
        """Shares that count for backing: settled, not on their way out, not lent, not blocked."""
        eligible: Decimal = self.settled - self.pending_delivery - self.lent - self.blocked
        return eligible


class Purpose(models.TextChoices):
    """Why shares move."""

    ISSUANCE = "ISSUANCE", "Delivered for an issuance request"
    REDEMPTION = "REDEMPTION", "Delivered for a redemption request"
    OWN_SHARES = "OWN_SHARES", "The SPV's own shares"


class Direction(models.TextChoices):
    """Which way shares move."""

    RECEIPT = "RECEIPT", "Receipt"
    DELIVERY = "DELIVERY", "Delivery"


class SettlementInstruction(models.Model):
    """Shares that are to come into an account, or to leave it, free of payment.

    It is settled by statements that show the shares to have come or gone, never by somebody's
    word; in parts, if the custodian moves them so: then `settled_quantity` of them are in the
    books, and the rest is still on its way. Only `services` write `state`.
    """

    id = IdField()
    account = models.ForeignKey(CustodyAccount, models.PROTECT, related_name="instructions")
    direction = models.CharField(max_length=16, choices=Direction)
    purpose = models.CharField(max_length=16, choices=Purpose)
    request_id = models.UUIDField(
        null=True, blank=True, help_text="The issuance request it funds, or the redemption it pays."
    )
    quantity = QuantityField(help_text="Whole shares, to nine decimal places.")
    trade_date = models.DateField()
    settlement_date = models.DateField(help_text="The contractual date.")
    counterparty = models.CharField(
        max_length=128, help_text="Who delivers the shares, or receives them."
    )
    state = models.CharField(
        max_length=16,
        choices=InstructionState,
        default=InstructionState.INSTRUCTED,
        editable=False,
    )
    evidence = models.ForeignKey(
        Statement, models.PROTECT, null=True, blank=True, related_name="settled_instructions"
    )
    instructed_by = models.CharField(max_length=128)
    instructed_at = models.DateTimeField()
    settled_at = models.DateTimeField(null=True, blank=True)
    settled_quantity = QuantityField(
        default=Decimal(0), help_text="Of these, how many statements have shown to have moved."
    )
    reason = models.CharField(max_length=REASON_LENGTH_MAX, blank=True, help_text="Why it failed.")

    class Meta:
        ordering = ["-id"]
        permissions = [("instruct_settlement", "Can instruct settlement")]
        constraints = [
            models.CheckConstraint(
                name="instruction_state_known", condition=Q(state__in=InstructionState.values)
            ),
            models.CheckConstraint(
                name="instruction_purpose_known", condition=Q(purpose__in=Purpose.values)
            ),
            models.CheckConstraint(
                name="instruction_quantity_positive", condition=Q(quantity__gt=0)
            ),
            models.CheckConstraint(
                name="instruction_quantity_countable_by_custodians",
                condition=Q(quantity=Round("quantity", precision=quantities.CUSTODY_SCALE)),
            ),
            models.CheckConstraint(
                name="instruction_settles_on_or_after_trade",
                condition=Q(settlement_date__gte=F("trade_date")),
            ),
            models.CheckConstraint(
                name="instruction_settled_iff_evidence",
                condition=Q(
                    state=InstructionState.SETTLED,
                    evidence__isnull=False,
                    settled_at__isnull=False,
                )
                | ~Q(state=InstructionState.SETTLED) & Q(evidence=None, settled_at=None),
            ),
            models.CheckConstraint(
                name="instruction_for_a_request_names_it",
                condition=Q(
                    purpose__in=[Purpose.ISSUANCE, Purpose.REDEMPTION], request_id__isnull=False
                )
                | ~Q(purpose__in=[Purpose.ISSUANCE, Purpose.REDEMPTION]) & Q(request_id=None),
            ),
            models.UniqueConstraint(
                name="instruction_once_per_request_unless_cancelled",
                fields=["request_id"],
                condition=~Q(state=InstructionState.CANCELLED),
            ),
            models.CheckConstraint(
                name="instruction_direction_known", condition=Q(direction__in=Direction.values)
            ),
            models.CheckConstraint(
                name="instruction_delivers_for_redemptions_only",
                condition=Q(direction=Direction.DELIVERY, purpose=Purpose.REDEMPTION)
                | ~Q(direction=Direction.DELIVERY) & ~Q(purpose=Purpose.REDEMPTION),
            ),
            models.CheckConstraint(
                name="instruction_settled_iff_all_has_moved",
                condition=Q(state=InstructionState.SETTLED, settled_quantity=F("quantity"))
                | ~Q(state=InstructionState.SETTLED)
                & Q(settled_quantity__gte=0, settled_quantity__lt=F("quantity")),
            ),
            models.CheckConstraint(  # what has moved is not undone by taking the rest back
                name="instruction_cancelled_only_while_none_has_moved",
                condition=~Q(state=InstructionState.CANCELLED) | Q(settled_quantity=0),
            ),
            models.CheckConstraint(
                name="instruction_failed_iff_reason",
                condition=Q(state=InstructionState.FAILED) & ~Q(reason="")
                | ~Q(state=InstructionState.FAILED) & Q(reason=""),
            ),
        ]

    def __str__(self) -> str:
        way = "into" if self.direction == Direction.RECEIPT else "out of"
        return f"{quantities.to_text(self.quantity)} shares {way} {self.account}"

    @property
    def remaining(self) -> Decimal:
        """Shares that no statement has shown to have moved yet."""
        remaining: Decimal = self.quantity - self.settled_quantity
        return remaining


class StatedSettlement(models.Model):
    """How much of an instruction of ours has settled so far, as a statement says; append-only.

    None of it is an answer, too. Statements need not speak of instructions.
    """

    id = IdField()
    statement = models.ForeignKey(Statement, models.PROTECT, related_name="settlements")
    instruction = models.ForeignKey(
        SettlementInstruction, models.PROTECT, related_name="stated_settlements"
    )
    settled = QuantityField(help_text="Whole shares, of those that the statement counts.")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                name="stated_settlement_once_per_statement_and_instruction",
                fields=["statement", "instruction"],
            ),
            models.CheckConstraint(
                name="stated_settlement_not_negative", condition=Q(settled__gte=0)
            ),
        ]

    def __str__(self) -> str:
        return f"{quantities.to_text(self.settled)} settled of {self.instruction}"


class InstructionTransition(models.Model):
    """A step of a settlement instruction; append-only."""

    id = IdField()
    instruction = models.ForeignKey(
        SettlementInstruction, models.PROTECT, related_name="transitions"
    )
    step = models.CharField(max_length=16)
    origin = models.CharField(max_length=16)
    destination = models.CharField(max_length=16)
    detail = models.CharField(
        max_length=REASON_LENGTH_MAX, blank=True, help_text="Why, or of how many shares."
    )
    actor = models.CharField(max_length=128)
    occurred_at = models.DateTimeField()

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.origin} to {self.destination}"
