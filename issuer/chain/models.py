"""What chains say, and what we say to them."""

from django.db import models
from django.db.models import F, Q

from issuer.chain.states import EventKind, IntentState
from issuer.foundation.fields import BaseUnitsField, IdField

HASH = r"^0x[0-9a-f]{64}$"
EVM_ADDRESS = r"^0x[0-9a-fA-F]{40}$"


class SupplySnapshot(models.Model):
    """A deployment's supply at the end of a final block, all events up to it read; append-only."""

    id = IdField()
    deployment = models.ForeignKey(
        "instruments.Deployment", models.PROTECT, related_name="supply_snapshots"
    )
    block_number = models.PositiveBigIntegerField()
    block_hash = models.CharField(max_length=66)
    block_mined_at = models.DateTimeField()
    total_supply_base_units = BaseUnitsField()
    ui_multiplier_base_units = BaseUnitsField(help_text="Shares per token × 10^18 (ERC-8056).")
    controlled_base_units = models.JSONField(
        default=dict, help_text="Base units, as strings, at each address that the issuer controls."
    )
    taken_at = models.DateTimeField()

    class Meta:
        ordering = ["-block_number"]
        constraints = [
            models.UniqueConstraint(
                name="supply_snapshot_once_per_block", fields=["deployment", "block_number"]
            ),
            models.CheckConstraint(
                name="supply_snapshot_not_negative", condition=Q(total_supply_base_units__gte=0)
            ),
            models.CheckConstraint(
                name="supply_snapshot_multiplier_positive",
                condition=Q(ui_multiplier_base_units__gt=0),
            ),
            models.CheckConstraint(
                name="supply_snapshot_pins_a_block", condition=Q(block_hash__regex=HASH)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.deployment} at block {self.block_number}"


class ChainEvent(models.Model):
    """A change of supply in a final block; append-only.

    Every Transfer from or to the zero address is one. `request_id` is that of the Minted or
    Burned event beside it, if there is one.
    """

    id = IdField()
    deployment = models.ForeignKey("instruments.Deployment", models.PROTECT, related_name="events")
    kind = models.CharField(max_length=8, choices=EventKind)
    block_number = models.PositiveBigIntegerField()
    block_hash = models.CharField(max_length=66)
    block_mined_at = models.DateTimeField()
    transaction_hash = models.CharField(max_length=66)
    log_index = models.PositiveIntegerField()
    address = models.CharField(max_length=64, help_text="That received or gave up the tokens.")
    base_units = BaseUnitsField()
    request_id = models.CharField(max_length=66, blank=True, help_text="bytes32 in hex.")
    seen_at = models.DateTimeField()

    class Meta:
        ordering = ["block_number", "log_index"]
        constraints = [
            models.CheckConstraint(
                name="chain_event_kind_known", condition=Q(kind__in=EventKind.values)
            ),
            models.UniqueConstraint(
                name="chain_event_once", fields=["deployment", "transaction_hash", "log_index"]
            ),
            models.CheckConstraint(name="chain_event_not_negative", condition=Q(base_units__gte=0)),
        ]
        indexes = [models.Index(name="chain_event_of_request", fields=["request_id"])]

    def __str__(self) -> str:
        return f"{self.kind} of {self.base_units} in {self.transaction_hash}"


class ScanCursor(models.Model):
    """Up to which final block a deployment's events have been read."""

    id = IdField()
    deployment = models.OneToOneField(
        "instruments.Deployment", models.PROTECT, related_name="scan_cursor"
    )
    block_number = models.PositiveBigIntegerField()
    block_hash = models.CharField(max_length=66)
    scanned_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="scan_cursor_pins_a_block", condition=Q(block_hash__regex=HASH)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.deployment} up to block {self.block_number}"


class NetworkTrouble(models.Model):
    """Why a network could not be read, from when to when. While one is open, nothing is known.

    It ends once every deployment of the network has been read after `last_seen_at`.
    """

    id = IdField()
    network = models.ForeignKey("instruments.Network", models.PROTECT, related_name="troubles")
    reason = models.CharField(max_length=500)
    since = models.DateTimeField()
    last_seen_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-since"]
        constraints = [
            models.UniqueConstraint(
                name="network_trouble_open_once", fields=["network"], condition=Q(ended_at=None)
            ),
            models.CheckConstraint(name="network_trouble_says_why", condition=~Q(reason="")),
            models.CheckConstraint(
                name="network_trouble_is_in_order",
                condition=Q(last_seen_at__gte=F("since"))
                & (Q(ended_at=None) | Q(ended_at__gte=F("last_seen_at"))),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.network}: {self.reason}"


class SignerAccount(models.Model):
    """The account that mints on a network, and the nonce that its next transaction takes.

    Locked while a nonce is taken, so two intents never share one.
    """

    id = IdField()
    network = models.OneToOneField(
        "instruments.Network", models.PROTECT, related_name="signer_account"
    )
    address = models.CharField(max_length=64)
    next_nonce = models.PositiveBigIntegerField(default=0)

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="signer_account_address_is_evm", condition=Q(address__regex=EVM_ADDRESS)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.address} on {self.network}"


class TransactionIntent(models.Model):
    """A mint that we committed to before we told the chain. Only `services` write `state`.

    `request_id` is the issuance request; on chain it is that UUID in the low 16 bytes of a
    bytes32, which the contract takes once.
    """

    id = IdField()
    deployment = models.ForeignKey("instruments.Deployment", models.PROTECT, related_name="intents")
    signer_account = models.ForeignKey(SignerAccount, models.PROTECT, related_name="intents")
    request_id = models.UUIDField()
    recipient = models.CharField(max_length=64)
    base_units = BaseUnitsField()
    nonce = models.PositiveBigIntegerField()
    calldata_hash = models.CharField(max_length=66)
    gas_limit = models.PositiveBigIntegerField()
    gate_scopes = models.JSONField(
        default=list, help_text="Kind and id of each gate that must be open for it to be sent."
    )
    state = models.CharField(
        max_length=16, choices=IntentState, default=IntentState.SIGNED, editable=False
    )
    event = models.OneToOneField(
        ChainEvent, models.PROTECT, null=True, blank=True, related_name="intent"
    )
    failure = models.CharField(max_length=500, blank=True)
    signed_at = models.DateTimeField()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                name="transaction_intent_state_known", condition=Q(state__in=IntentState.values)
            ),
            models.UniqueConstraint(
                name="transaction_intent_nonce_once_per_signer", fields=["signer_account", "nonce"]
            ),
            models.UniqueConstraint(
                name="transaction_intent_one_per_request_unless_failed",
                fields=["request_id"],
                condition=~Q(state__in=[IntentState.REVERTED, IntentState.DROPPED]),
            ),
            models.CheckConstraint(
                name="transaction_intent_mints_something", condition=Q(base_units__gt=0)
            ),
            models.CheckConstraint(
                name="transaction_intent_final_iff_event",
                condition=Q(state__in=[IntentState.FINAL, IntentState.BOOKED], event__isnull=False)
                | ~Q(state__in=[IntentState.FINAL, IntentState.BOOKED]) & Q(event=None),
            ),
            models.CheckConstraint(
                name="transaction_intent_failed_says_why",
                condition=Q(state__in=[IntentState.REVERTED, IntentState.DROPPED]) & ~Q(failure="")
                | ~Q(state__in=[IntentState.REVERTED, IntentState.DROPPED]) & Q(failure=""),
            ),
        ]

    def __str__(self) -> str:
        return f"Mint of {self.base_units} for {self.request_id}"


class TransactionAttempt(models.Model):
    """The exact signed bytes of a try at an intent: same nonce, same calldata; append-only.

    The first is committed with the intent; later ones only raise the fees. PostgreSQL refuses
    one of another calldata, or of an intent that has ended.
    """

    id = IdField()
    intent = models.ForeignKey(TransactionIntent, models.PROTECT, related_name="attempts")
    transaction_hash = models.CharField(max_length=66, unique=True)
    raw_transaction = models.BinaryField()
    calldata_hash = models.CharField(max_length=66)
    max_fee_per_gas = BaseUnitsField(help_text="Wei.")
    max_priority_fee_per_gas = BaseUnitsField(help_text="Wei.")
    signed_at = models.DateTimeField()

    class Meta:
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(
                name="transaction_attempt_has_a_hash", condition=Q(transaction_hash__regex=HASH)
            ),
            models.CheckConstraint(
                name="transaction_attempt_pays_something", condition=Q(max_fee_per_gas__gt=0)
            ),
        ]

    def __str__(self) -> str:
        return self.transaction_hash


class IntentTransition(models.Model):
    """A step of a mint intent; append-only."""

    id = IdField()
    intent = models.ForeignKey(TransactionIntent, models.PROTECT, related_name="transitions")
    step = models.CharField(max_length=16)
    origin = models.CharField(max_length=16)
    destination = models.CharField(max_length=16)
    block_number = models.PositiveBigIntegerField(null=True)
    block_hash = models.CharField(max_length=66, blank=True)
    actor = models.CharField(max_length=128)
    occurred_at = models.DateTimeField()

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.origin} to {self.destination}"
