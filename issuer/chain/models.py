"""What chains say, and what we say to them."""

from django.db import models
from django.db.models import F, Q

from issuer.chain.states import (
    ACT_KINDS,
    CHANGES_ROLE,
    CONCERNS_NOBODY,
    FAILED_STATES,
    MOVES_SUPPLY,
    MOVES_TOKENS,
    ActState,
    EventKind,
    IntentKind,
    IntentState,
    SignerPurpose,
)
from issuer.foundation.fields import BaseUnitsField, IdField, QuantityField
from issuer.gate.models import GateState

HASH = r"^0x[0-9a-f]{64}$"
EVM_ADDRESS = r"^0x[0-9a-fA-F]{40}$"
CARRIED_OUT = [IntentState.FINAL, IntentState.BOOKED]
STOPPED = [ActState.DECLINED, ActState.FAILED]


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
    minters = models.JSONField(
        default=list, help_text="Who may mint, in EIP-55 form and sorted; the first 100."
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
    sender = models.CharField(
        max_length=64, blank=True, help_text="Who signed the transaction; of foreign mints alone."
    )
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


class IncomingTransfer(models.Model):
    """Tokens that somebody sent to a redemption address of ours, in a final block; append-only."""

    id = IdField()
    deployment = models.ForeignKey(
        "instruments.Deployment", models.PROTECT, related_name="incoming_transfers"
    )
    block_number = models.PositiveBigIntegerField()
    block_hash = models.CharField(max_length=66)
    block_mined_at = models.DateTimeField()
    transaction_hash = models.CharField(max_length=66)
    log_index = models.PositiveIntegerField()
    sender = models.CharField(max_length=64, help_text="Who held the tokens before.")
    recipient = models.CharField(max_length=64)
    base_units = BaseUnitsField()
    seen_at = models.DateTimeField()

    class Meta:
        ordering = ["block_number", "log_index"]
        constraints = [
            models.UniqueConstraint(
                name="incoming_transfer_once",
                fields=["deployment", "transaction_hash", "log_index"],
            ),
            models.CheckConstraint(
                name="incoming_transfer_brings_something", condition=Q(base_units__gt=0)
            ),
            models.CheckConstraint(
                name="incoming_transfer_comes_from_another",
                condition=~Q(sender=F("recipient")),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.base_units} from {self.sender} in {self.transaction_hash}"


class ScanCursor(models.Model):
    """Up to which final block a deployment has been read.

    `recipients` has, for each redemption address, the number of the block up to which what was
    sent to it has been read: one declared later trails until its past is read, too.
    """

    id = IdField()
    deployment = models.OneToOneField(
        "instruments.Deployment", models.PROTECT, related_name="scan_cursor"
    )
    block_number = models.PositiveBigIntegerField()
    block_hash = models.CharField(max_length=66)
    recipients = models.JSONField(default=dict, blank=True)
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
    takes once.
    """

    id = IdField()
    deployment = models.ForeignKey("instruments.Deployment", models.PROTECT, related_name="intents")
    signer_account = models.ForeignKey(SignerAccount, models.PROTECT, related_name="intents")
    kind = models.CharField(max_length=32, choices=IntentKind)
    request_id = models.UUIDField()
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
                | Q(kind=IntentKind.BURN, gate_needed=GateState.REDEEM_ONLY)
                | ~Q(kind__in=[IntentKind.MINT, IntentKind.BURN]) & Q(gate_needed=""),
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
        ]

    def __str__(self) -> str:
        of = f" of {self.base_units}" if self.base_units is not None else ""
        return f"{self.get_kind_display()}{of} for {self.request_id}"


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
    """A step of an intent; append-only."""

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


class ContractAct(models.Model):
    """Something that two persons have contracts of a network do; only `services` write `state`.

    It is called once on each deployment that it concerns. What it says never changes: another
    wording is another act.
    """

    id = IdField()
    network = models.ForeignKey("instruments.Network", models.PROTECT, related_name="acts")
    kind = models.CharField(max_length=32, choices=IntentKind)
    account = models.CharField(max_length=64, blank=True, help_text="Whom it concerns.")
    role = models.CharField(max_length=16, choices=SignerPurpose, blank=True)
    base_units = BaseUnitsField(null=True, blank=True, help_text="What is seized.")
    remedied_event = models.ForeignKey(
        ChainEvent,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="remedies",
        help_text="The mint past the books that a seizure undoes.",
    )
    multiplier = QuantityField(null=True, blank=True, help_text="Shares per token.")
    effective_at = models.DateTimeField(null=True, blank=True)
    reason = models.CharField(max_length=500, help_text="No personal data.")
    state = models.CharField(
        max_length=16, choices=ActState, default=ActState.PROPOSED, editable=False
    )
    stopped_reason = models.CharField(
        max_length=500, blank=True, help_text="Why it was declined, or how it failed."
    )
    proposed_by = models.CharField(max_length=128)
    proposed_at = models.DateTimeField()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                name="contract_act_kind_known", condition=Q(kind__in=sorted(ACT_KINDS))
            ),
            models.CheckConstraint(
                name="contract_act_state_known", condition=Q(state__in=ActState.values)
            ),
            models.CheckConstraint(
                name="contract_act_concerns_somebody_if_its_kind_does",
                condition=Q(kind__in=sorted(CONCERNS_NOBODY), account="")
                | ~Q(kind__in=sorted(CONCERNS_NOBODY)) & Q(account__regex=EVM_ADDRESS),
            ),
            models.CheckConstraint(
                name="contract_act_names_a_role_iff_it_changes_one",
                condition=Q(kind__in=sorted(CHANGES_ROLE), role__in=SignerPurpose.values)
                | ~Q(kind__in=sorted(CHANGES_ROLE)) & Q(role=""),
            ),
            models.CheckConstraint(
                name="contract_act_seizes_for_a_mint_iff_it_seizes",
                condition=Q(kind=IntentKind.SEIZE)
                & Q(base_units__isnull=False, base_units__gt=0, remedied_event__isnull=False)
                | ~Q(kind=IntentKind.SEIZE) & Q(base_units=None, remedied_event=None),
            ),
            models.CheckConstraint(
                name="contract_act_has_terms_iff_it_schedules",
                condition=Q(kind=IntentKind.SCHEDULE_MULTIPLIER)
                & Q(multiplier__isnull=False, multiplier__gt=0)
                & Q(effective_at__isnull=False, effective_at__gt=F("proposed_at"))
                | ~Q(kind=IntentKind.SCHEDULE_MULTIPLIER) & Q(multiplier=None, effective_at=None),
            ),
            models.CheckConstraint(name="contract_act_says_why", condition=~Q(reason="")),
            models.CheckConstraint(
                name="contract_act_stopped_says_why",
                condition=Q(state__in=STOPPED) & ~Q(stopped_reason="")
                | ~Q(state__in=STOPPED) & Q(stopped_reason=""),
            ),
        ]
        permissions = [
            ("propose_contractact", "Can propose contract acts"),
            ("confirm_contractact", "Can confirm contract acts"),
        ]

    def __str__(self) -> str:
        role = f" {self.get_role_display().lower()}" if self.role else ""
        whom = f" {self.account}" if self.account else ""
        return f"{self.get_kind_display()}{role}{whom} on {self.network}"


class ContractCall(models.Model):
    """What an act does to one deployment; its intent, once it is signed, has its id as request."""

    id = IdField()
    act = models.ForeignKey(ContractAct, models.PROTECT, related_name="calls")
    deployment = models.ForeignKey(
        "instruments.Deployment", models.PROTECT, related_name="contract_calls"
    )
    intent = models.OneToOneField(
        TransactionIntent, models.PROTECT, null=True, blank=True, related_name="contract_call"
    )
    refusal = models.CharField(
        max_length=500, blank=True, help_text="Why the contract would not take it when last asked."
    )

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(
                name="contract_call_once_per_deployment", fields=["act", "deployment"]
            ),
            models.CheckConstraint(
                name="contract_call_signed_is_not_refused",
                condition=Q(intent=None) | Q(refusal=""),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.act}: {self.deployment}"


class ContractActTransition(models.Model):
    """A step of a contract act; append-only."""

    id = IdField()
    act = models.ForeignKey(ContractAct, models.PROTECT, related_name="transitions")
    step = models.CharField(max_length=16)
    origin = models.CharField(max_length=16)
    destination = models.CharField(max_length=16)
    actor = models.CharField(max_length=128)
    occurred_at = models.DateTimeField()

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.origin} to {self.destination}"
