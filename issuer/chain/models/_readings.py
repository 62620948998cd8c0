"""What chains say: supplies, events and transfers of final blocks, and how far they were read."""

from collections.abc import Mapping, Sequence

from django.db import models
from django.db.models import F, Q

from issuer.chain.models._patterns import HASH
from issuer.chain.states import EventKind, SignerPurpose
from issuer.foundation.fields import BaseUnitsField, IdField


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
    role_holders = models.JSONField(
        default=dict,
        help_text="Who holds each other role, by its purpose, likewise; empty if nobody asked.",
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

    @property
    def holders(self) -> Mapping[str, Sequence[str]]:
        """Who holds each role, by its purpose; of roles that nobody asked for, nothing."""
        return {SignerPurpose.MINTER.value: self.minters, **self.role_holders}


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
