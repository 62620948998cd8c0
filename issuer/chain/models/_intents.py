"""What we say to chains, to the byte, and who signs it."""

from django.db import models
from django.db.models import F, Q

from issuer.chain.models._patterns import EVM_ADDRESS, HASH
from issuer.chain.models._readings import ChainEvent
from issuer.chain.states import (
    CANCELLING_STATES,
    CONCERNS_NOBODY,
    FAILED_STATES,
    MOVES_SUPPLY,
    MOVES_TOKENS,
    IntentKind,
    IntentState,
    SignerPurpose,
)
from issuer.foundation.fields import BaseUnitsField, IdField
from issuer.gate.models import GateState

CARRIED_OUT = [IntentState.FINAL, IntentState.BOOKED]
CANCELS = sorted(CANCELLING_STATES | {IntentState.CANCELLED})
#: The Keccak-256 of no bytes at all, which is the calldata of what does nothing.
HASH_OF_NOTHING = "0xc5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"


class SignerAccount(models.Model):
    """An account that signs for one purpose on a network, and its next transaction's nonce.

    Locked while a nonce is taken, so two intents never share one. A successor is a further row;
    one that was retired never comes back, whatever it may still hold on chain.
    """

    id = IdField()
    network = models.ForeignKey(
        "instruments.Network", models.PROTECT, related_name="signer_accounts"
    )
    purpose = models.CharField(max_length=16, choices=SignerPurpose)
    address = models.CharField(max_length=64)
    next_nonce = models.PositiveBigIntegerField(default=0)
    appointed_at = models.DateTimeField()
    retired_at = models.DateTimeField(null=True, blank=True)
    retired_reason = models.CharField(max_length=500, blank=True)

    class Meta:
        ordering = ["network_id", "purpose", "-id"]
        constraints = [
            models.CheckConstraint(
                name="signer_account_purpose_known", condition=Q(purpose__in=SignerPurpose.values)
            ),
            models.CheckConstraint(
                name="signer_account_address_is_evm", condition=Q(address__regex=EVM_ADDRESS)
            ),
            models.UniqueConstraint(
                name="signer_account_address_once_per_network", fields=["network", "address"]
            ),
            models.UniqueConstraint(
                name="signer_account_one_in_use_per_purpose",
                fields=["network", "purpose"],
                condition=Q(retired_at=None),
            ),
            models.CheckConstraint(
                name="signer_account_retired_says_why",
                condition=Q(retired_at=None, retired_reason="")
                | Q(retired_at__isnull=False) & ~Q(retired_reason=""),
            ),
            models.CheckConstraint(
                name="signer_account_retired_after_its_appointment",
                condition=Q(retired_at=None) | Q(retired_at__gte=F("appointed_at")),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_purpose_display()} {self.address} on {self.network}"


class TransactionIntent(models.Model):
    """A call of a contract that we committed to before we told the chain.

    Only `services` write `state`. `request_id` is what of the books it is for; where it moves the
    supply, it is on chain, too: that UUID in the low 16 bytes of a bytes32, which the contract
    takes once. `request_serial` is in the 16 bytes above: 0, unless somebody else used the id up.
    """

    id = IdField()
    deployment = models.ForeignKey("instruments.Deployment", models.PROTECT, related_name="intents")
    signer_account = models.ForeignKey(SignerAccount, models.PROTECT, related_name="intents")
    kind = models.CharField(max_length=32, choices=IntentKind)
    request_id = models.UUIDField()
    request_serial = models.PositiveSmallIntegerField(
        default=0, help_text="How often others had used the request's id up on chain before."
    )
    account = models.CharField(
        max_length=64, blank=True, help_text="Whom it concerns: who receives, gives up or is named."
    )
    base_units = BaseUnitsField(null=True, blank=True)
    nonce = models.PositiveBigIntegerField()
    calldata = models.BinaryField()
    calldata_hash = models.CharField(max_length=66)
    gas_limit = models.PositiveBigIntegerField()
    gate_needed = models.CharField(
        max_length=16,
        blank=True,
        choices=GateState,
        help_text="The tightest gate at which it may be sent; none if it may be at any.",
    )
    gate_scopes = models.JSONField(default=list, help_text="Kind and id of each gate it needs.")
    state = models.CharField(
        max_length=16, choices=IntentState, default=IntentState.SIGNED, editable=False
    )
    event = models.OneToOneField(
        ChainEvent, models.PROTECT, null=True, blank=True, related_name="intent"
    )
    cancel_reason = models.CharField(
        max_length=500, blank=True, help_text="Why it may no longer go out, if it may not."
    )
    failure = models.CharField(max_length=500, blank=True)
    signed_at = models.DateTimeField()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                name="transaction_intent_state_known", condition=Q(state__in=IntentState.values)
            ),
            models.CheckConstraint(
                name="transaction_intent_kind_known", condition=Q(kind__in=IntentKind.values)
            ),
            models.UniqueConstraint(
                name="transaction_intent_nonce_once_per_signer", fields=["signer_account", "nonce"]
            ),
            models.UniqueConstraint(
                name="transaction_intent_one_per_request_unless_failed",
                fields=["request_id"],
                condition=~Q(state__in=sorted(FAILED_STATES)),
            ),
            models.CheckConstraint(
                name="transaction_intent_concerns_somebody_if_its_kind_does",
                condition=Q(kind__in=sorted(CONCERNS_NOBODY), account="")
                | ~Q(kind__in=sorted(CONCERNS_NOBODY)) & Q(account__regex=EVM_ADDRESS),
            ),
            models.CheckConstraint(
                name="transaction_intent_moves_something_if_its_kind_does",
                condition=Q(
                    kind__in=sorted(MOVES_TOKENS), base_units__isnull=False, base_units__gt=0
                )
                | ~Q(kind__in=sorted(MOVES_TOKENS)) & Q(base_units=None),
            ),
            models.CheckConstraint(
                name="transaction_intent_needs_the_gate_of_its_kind",
                condition=Q(kind=IntentKind.MINT, gate_needed=GateState.OPEN)
                | Q(
                    kind__in=[IntentKind.BURN, IntentKind.RETURN],
                    gate_needed=GateState.REDEEM_ONLY,
                )
                | ~Q(kind__in=[IntentKind.BURN, IntentKind.MINT, IntentKind.RETURN])
                & Q(gate_needed=""),
            ),
            models.CheckConstraint(
                name="transaction_intent_final_iff_event",
                condition=Q(kind__in=sorted(MOVES_SUPPLY), state__in=CARRIED_OUT)
                & Q(event__isnull=False)
                | ~Q(kind__in=sorted(MOVES_SUPPLY), state__in=CARRIED_OUT) & Q(event=None),
            ),
            models.CheckConstraint(
                name="transaction_intent_failed_says_why",
                condition=Q(state__in=sorted(FAILED_STATES)) & ~Q(failure="")
                | ~Q(state__in=sorted(FAILED_STATES)) & Q(failure=""),
            ),
            models.CheckConstraint(
                name="transaction_intent_cancelled_says_why",
                condition=~Q(state__in=CANCELS) | ~Q(cancel_reason=""),
            ),
            models.CheckConstraint(
                name="transaction_intent_cancelled_only_if_gated",
                condition=Q(cancel_reason="") | ~Q(gate_needed=""),
            ),
        ]

    def __str__(self) -> str:
        of = f" of {self.base_units}" if self.base_units is not None else ""
        return f"{self.get_kind_display()}{of} for {self.request_id}"


class TransactionAttempt(models.Model):
    """The exact signed bytes of a try at an intent: same nonce, same calldata; append-only.

    The first is committed with the intent; later ones only raise the fees. One that cancels has
    the nonce, too, and does nothing. PostgreSQL refuses one of another calldata, of an intent that
    has ended, and another try once there is one that cancels.

    `serial` says which was signed last: ids are of each host's own clock, and clocks differ.
    """

    id = IdField()
    intent = models.ForeignKey(TransactionIntent, models.PROTECT, related_name="attempts")
    serial = models.PositiveIntegerField(help_text="1 for the first of its intent, and so on.")
    transaction_hash = models.CharField(max_length=66, unique=True)
    raw_transaction = models.BinaryField()
    calldata_hash = models.CharField(max_length=66)
    cancels = models.BooleanField(default=False)
    max_fee_per_gas = BaseUnitsField(help_text="Wei.")
    max_priority_fee_per_gas = BaseUnitsField(help_text="Wei.")
    signed_at = models.DateTimeField()

    class Meta:
        ordering = ["intent_id", "serial"]
        constraints = [
            models.UniqueConstraint(
                name="transaction_attempt_serial_once_per_intent", fields=["intent", "serial"]
            ),
            models.CheckConstraint(
                name="transaction_attempt_has_a_hash", condition=Q(transaction_hash__regex=HASH)
            ),
            models.CheckConstraint(
                name="transaction_attempt_pays_something", condition=Q(max_fee_per_gas__gt=0)
            ),
            models.CheckConstraint(
                name="transaction_attempt_cancels_by_doing_nothing",
                condition=Q(cancels=False) | Q(calldata_hash=HASH_OF_NOTHING),
            ),
        ]

    def __str__(self) -> str:
        return self.transaction_hash


class IntentTransition(models.Model):
    """A step of an intent; append-only. `serial` says which was the last, whosever clock ran."""

    id = IdField()
    intent = models.ForeignKey(TransactionIntent, models.PROTECT, related_name="transitions")
    serial = models.PositiveIntegerField(help_text="1 for the first of its intent, and so on.")
    step = models.CharField(max_length=16)
    origin = models.CharField(max_length=16)
    destination = models.CharField(max_length=16)
    block_number = models.PositiveBigIntegerField(null=True)
    block_hash = models.CharField(max_length=66, blank=True)
    actor = models.CharField(max_length=128)
    occurred_at = models.DateTimeField()

    class Meta:
        ordering = ["intent_id", "serial"]
        constraints = [
            models.UniqueConstraint(
                name="intent_transition_serial_once_per_intent", fields=["intent", "serial"]
            ),
        ]

    def __str__(self) -> str:
        return f"{self.origin} to {self.destination}"
