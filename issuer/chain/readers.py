"""What the house needs to know of a chain, and to tell it, whatever chain it is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from issuer.chain.states import EventKind, SignerPurpose

#: Of a longer list of a role's holders no more are read; one is normal.
HOLDERS_MAX: Final = 100


@dataclass(frozen=True, slots=True)
class Block:
    """A block of a chain; `hash` pins every read to it."""

    number: int
    hash: str
    parent_hash: str
    mined_at: datetime


@dataclass(frozen=True, slots=True)
class SupplyChange:
    """Tokens that came into being or ceased to be, in base units.

    `address` received them or gave them up; `request_id` (bytes32 in hex) is that of the event
    which the contract emits beside it, empty if there is none.
    """

    kind: EventKind
    address: str
    base_units: int
    request_id: str
    block: Block
    transaction_hash: str
    log_index: int


@dataclass(frozen=True, slots=True)
class TokenTransfer:
    """Tokens that moved from one holder to another, in base units."""

    sender: str
    recipient: str
    base_units: int
    block: Block
    transaction_hash: str
    log_index: int


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a transaction in a block; `succeeded` is false if the contract reverted."""

    transaction_hash: str
    block_number: int
    block_hash: str
    succeeded: bool


@dataclass(frozen=True, slots=True)
class FeeQuote:
    """What a transaction should offer, in wei per gas, and how much gas it may use."""

    max_fee_per_gas: int
    max_priority_fee_per_gas: int
    gas_limit: int


class SupplyReader(Protocol):
    """Reads a token contract. Every method raises `ChainUnavailable` rather than guess."""

    def final_block(self) -> Block:
        """Return the newest block that the chain holds final."""

    def block(self, number: int) -> Block:
        """Return the block that the chain has at `number` now."""

    def total_supply(self, contract: str, *, at: Block) -> int:
        """Return the supply of `contract` in base units, as of the end of `at`."""

    def ui_multiplier(self, contract: str, *, at: Block) -> int:
        """Return the shares per token of `contract` × 10^18, as of the end of `at`."""

    def balances(self, contract: str, holders: Sequence[str], *, at: Block) -> list[int]:
        """Return the base units at each of `holders`, in their order, as of the end of `at`."""

    def supply_changes(self, contract: str, *, first: int, last: Block) -> list[SupplyChange]:
        """Return every mint and burn in the blocks from number `first` to `last`, both included."""

    def transfers_to(
        self, contract: str, recipients: Sequence[str], *, first: int, last: Block
    ) -> list[TokenTransfer]:
        """Return what others sent to `recipients` from block number `first` to `last`.

        Mints are none of them, nor are transfers of nothing, which anybody may make in anybody's
        name, nor those of an address to itself.
        """

    def role_holders(self, contract: str, *, at: Block) -> Mapping[SignerPurpose, list[str]]:
        """Return who holds each role, in EIP-55 form and sorted, as of the end of `at`.

        At most `HOLDERS_MAX` of each are told: whoever could appoint more would else keep us
        from reading anything.
        """

    def senders_of(self, transaction_hashes: Sequence[str]) -> list[str]:
        """Return who signed each of the transactions in blocks, in their order, in EIP-55 form.

        A node that does not find one, whose event it told of, has not said who signed it.
        """


class TransactionReader(Protocol):
    """Follows transactions. Every method raises `ChainUnavailable` rather than guess."""

    def final_block(self) -> Block:
        """Return the newest block that the chain holds final."""

    def block(self, number: int) -> Block:
        """Return the block that the chain has at `number` now."""

    def receipt(self, transaction_hash: str) -> Receipt | None:
        """Return what became of a transaction; None if the node knows of no block with it.

        None is not a failure: the node may be behind, or the transaction still on its way.
        """

    def next_nonce(self, account: str, *, at: Block | None = None) -> int:
        """Return how many transactions of `account` are in blocks up to `at`, else the newest."""

    def transfers_to(
        self, contract: str, recipients: Sequence[str], *, first: int, last: Block
    ) -> list[TokenTransfer]:
        """Return what others sent to `recipients`, as a `SupplyReader` does."""

    def request_used(self, contract: str, request_id: str, *, at: Block) -> bool:
        """Return whether the contract has used `request_id` (bytes32) up, as of the end of `at`."""

    def quote(self, *, sender: str, contract: str, calldata: bytes) -> FeeQuote:
        """Return what a call should offer to be in one of the next blocks.

        Raises:
            TransactionRefusedByContract: if the contract would revert it.
        """

    def quote_nothing(self, account: str) -> FeeQuote:
        """Return what a transfer of nothing by `account` to itself should offer, likewise."""


class Broadcaster(Protocol):
    """Hands signed transactions to a chain."""

    def broadcast(self, raw_transaction: bytes) -> None:
        """Hand over signed bytes; doing it again with the same bytes changes nothing.

        Returning says only that the node knows the transaction, or that its nonce is used.

        Raises:
            Underpriced: if the node does not take it for what it offers.
        """


class Chain(SupplyReader, TransactionReader, Broadcaster, Protocol):
    """Everything at once: what one node of a network offers."""
