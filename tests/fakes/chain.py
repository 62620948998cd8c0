"""A chain in memory, held to the same contract tests as a real one."""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, Final

from eth_account import Account
from eth_account.typed_transactions.typed_transaction import TypedTransaction
from eth_utils.address import to_checksum_address
from hexbytes import HexBytes

from issuer.chain import token_contract
from issuer.chain.errors import ChainUnavailable, TransactionRefusedByContract, Underpriced
from issuer.chain.readers import (
    HOLDERS_MAX,
    Block,
    FeeQuote,
    Receipt,
    SupplyChange,
    TokenTransfer,
)
from issuer.chain.signing import hash_of
from issuer.chain.states import EventKind, SignerPurpose
from tests.fakes.token import NOBODY, Moved, Reverted, Token
from tests.make import chain as make

GENESIS: Final = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
BLOCK_TIME: Final = timedelta(seconds=12)
BLOCKS_TO_FINALITY: Final = 2
#: Who does what nobody is named for.
STRANGER: Final = to_checksum_address("0x00000000000000000000000000000000000a71ce")


@dataclass
class State:
    """The end of a block: its contracts and the nonces of accounts."""

    tokens: dict[str, Token] = field(default_factory=dict)
    nonces: dict[str, int] = field(default_factory=dict)


@dataclass
class MinedBlock:
    """A block, what it changed, and what was true at its end."""

    block: Block
    state: State
    changes: list[tuple[str, SupplyChange]] = field(default_factory=list)
    transfers: list[tuple[str, TokenTransfer]] = field(default_factory=list)
    senders: dict[str, str] = field(default_factory=dict)
    receipts: dict[str, Receipt] = field(default_factory=dict)
    raws: list[bytes] = field(default_factory=list)


class FakeChain:
    """A `Chain` with one node, which can be made to fail in the ways that nodes do.

    Chains of another `name` have other blocks.
    """

    def __init__(self, name: str = "chain") -> None:
        self.name = name
        self.mined: list[MinedBlock] = []
        self.state = State()
        self.pool: list[bytes] = []
        self.received: list[bytes] = []
        self.silent = False
        self.reverting = False
        self.refuses_to_quote = False
        self.base_fee = 500_000_000
        self._forks = 0
        self._pending: list[tuple[str, Moved, str]] = []
        self._next_mined_at = GENESIS
        self.mine()

    # --- What a test does with it

    def deploy(self, address: str | None = None) -> str:
        """Put a token contract at `address`, in a block of its own.

        Its roles are held by those whose keys `make.chain` has.
        """
        self._forks += 1
        address = address or to_checksum_address(hash_of(f"contract {self._forks}".encode())[:42])
        self.state.tokens[address] = Token(
            roles={
                role: [make.signer(make.KEYS[purpose]).address]
                for purpose, role in token_contract.ROLES.items()
            }
        )
        self.mine()
        return address

    def change(
        self,
        contract: str,
        kind: EventKind,
        holder: str,
        base_units: int,
        *,
        request_id: str = "",
        sender: str = STRANGER,
    ) -> None:
        """Have `sender`, somebody else, mint or burn in the next block, whoever may."""
        parties = (NOBODY, holder) if kind is EventKind.MINT else (holder, NOBODY)
        self._pending.append((contract, Moved(*parties, base_units, request_id), sender))

    def transfer(self, contract: str, sender: str, recipient: str, base_units: int) -> None:
        """Have `sender` send tokens in the next block, whatever it holds."""
        self._pending.append((contract, Moved(sender, recipient, base_units), sender))

    def grant(self, contract: str, role: bytes, account: str) -> None:
        """Let `account` act in `role`, from the next block on."""
        self.state.tokens[contract].roles[role].append(account)

    def revoke(self, contract: str, role: bytes, account: str) -> None:
        """Keep `account` from acting in `role`, from the next block on."""
        self.state.tokens[contract].roles[role].remove(account)

    def set_multiplier(self, contract: str, multiplier: int) -> None:
        """Move the shares per token (× 10^18) of `contract`, from the next block on."""
        token = self.state.tokens[contract]
        token.multiplier = token.next_multiplier = multiplier

    def use_nonce(self, account: str) -> None:
        """Have `account` send something that is not ours."""
        self.state.nonces[account] = self.state.nonces.get(account, 0) + 1

    def mine(self, blocks: int = 1) -> None:
        """Mine blocks; the first takes the transactions that wait."""
        for _ in range(blocks):
            self._mine()

    def follow(self, moment: datetime) -> None:
        """Mine a block at `moment`, or right after the newest if that is later."""
        self._next_mined_at = max(self._next_mined_at, moment)
        self.mine()

    def finalize(self) -> None:
        """Mine until what is in the newest block is final."""
        self.mine(BLOCKS_TO_FINALITY)

    def reorganize(self, depth: int, *, losing: bool = False) -> None:
        """Replace the newest `depth` blocks by as many others, without their transactions.

        The transactions wait again, unless the chain is `losing` them.
        """
        replaced = self.mined[-depth:]
        del self.mined[-depth:]
        self.state = copy.deepcopy(self.mined[-1].state)
        self._forks += 1
        waiting = [] if losing else [raw for block in replaced for raw in block.raws]
        self.pool = []
        self._next_mined_at = replaced[0].block.mined_at
        self.mine(depth)
        self.pool = waiting

    # --- What it answers

    def final_block(self) -> Block:
        self._answer()
        return self.mined[max(len(self.mined) - 1 - BLOCKS_TO_FINALITY, 0)].block

    def block(self, number: int) -> Block:
        self._answer()
        if number >= len(self.mined):
            raise ChainUnavailable(f"There is no block {number}.")
        return self.mined[number].block

    def total_supply(self, contract: str, *, at: Block) -> int:
        return self._token(contract, at).supply

    def ui_multiplier(self, contract: str, *, at: Block) -> int:
        return self._token(contract, at).multiplier_at(at.mined_at)

    def balances(self, contract: str, holders: Sequence[str], *, at: Block) -> list[int]:
        if not holders:
            return []
        token = self._token(contract, at)
        return [token.balances.get(holder, 0) for holder in holders]

    def request_used(self, contract: str, request_id: str, *, at: Block) -> bool:
        return request_id in self._token(contract, at).used

    def supply_changes(self, contract: str, *, first: int, last: Block) -> list[SupplyChange]:
        self._mined_as(last)
        return [
            change
            for mined in self.mined[first : last.number + 1]
            for where, change in mined.changes
            if where == contract
        ]

    def transfers_to(
        self, contract: str, recipients: Sequence[str], *, first: int, last: Block
    ) -> list[TokenTransfer]:
        if not recipients:
            return []
        self._mined_as(last)
        return [
            transfer
            for mined in self.mined[first : last.number + 1]
            for where, transfer in mined.transfers
            if where == contract
            and transfer.recipient in recipients
            and transfer.sender != transfer.recipient
            and transfer.base_units
        ]

    def role_holders(self, contract: str, *, at: Block) -> Mapping[SignerPurpose, list[str]]:
        roles = self._token(contract, at).roles
        return {
            purpose: sorted(roles.get(role, [])[:HOLDERS_MAX])
            for purpose, role in token_contract.ROLES.items()
        }

    def senders_of(self, transaction_hashes: Sequence[str]) -> list[str]:
        self._answer()
        senders = {name: sender for mined in self.mined for name, sender in mined.senders.items()}
        for transaction_hash in transaction_hashes:
            if transaction_hash not in senders:
                raise ChainUnavailable(f"The node does not find {transaction_hash}.")
        return [senders[transaction_hash] for transaction_hash in transaction_hashes]

    def receipt(self, transaction_hash: str) -> Receipt | None:
        self._answer()
        for mined in self.mined:
            if transaction_hash in mined.receipts:
                return mined.receipts[transaction_hash]
        return None

    def next_nonce(self, account: str, *, at: Block | None = None) -> int:
        self._answer()
        state = self.mined[-1].state if at is None else self._mined_as(at).state
        return state.nonces.get(account, 0)

    def quote(self, *, sender: str, contract: str, calldata: bytes) -> FeeQuote:
        newest = self.mined[-1].block
        token = copy.deepcopy(self._token(contract, newest))
        try:
            token.call(calldata, sender=sender, at=newest.mined_at)
            refusal = "told to" if self.refuses_to_quote else ""
        except Reverted as reverted:
            refusal = str(reverted)
        if refusal:
            detail = f"The contract would refuse the call: {refusal}."
            raise TransactionRefusedByContract(detail, error=refusal)
        return self._fees(gas_limit=120_000)

    def quote_nothing(self, account: str) -> FeeQuote:
        self._answer()
        return self._fees(gas_limit=21_000)

    def broadcast(self, raw_transaction: bytes) -> None:
        self._answer()
        self.received.append(raw_transaction)
        if raw_transaction in self.pool or self.receipt(hash_of(raw_transaction)) is not None:
            return
        sender, nonce = _sender_of(raw_transaction)
        if nonce < self.state.nonces.get(sender, 0):
            return
        if _transaction_of(raw_transaction)["maxFeePerGas"] < self.base_fee:
            raise _underpriced("max fee per gas less than block base fee")
        waiting = [raw for raw in self.pool if _sender_of(raw) == (sender, nonce)]
        if any(not _outbids(raw_transaction, raw) for raw in waiting):
            raise _underpriced("replacement transaction underpriced")
        self.pool = [raw for raw in self.pool if raw not in waiting]
        self.pool.append(raw_transaction)

    # --- How it works

    def _fees(self, *, gas_limit: int) -> FeeQuote:
        tip = 1_000_000_000
        return FeeQuote(2 * self.base_fee + tip, tip, gas_limit)

    def _answer(self) -> None:
        if self.silent:
            raise ChainUnavailable("The node did not answer.")

    def _mined_as(self, block: Block) -> MinedBlock:
        self._answer()
        if block.number >= len(self.mined) or self.mined[block.number].block != block:
            raise ChainUnavailable(f"The node does not have block {block.number} as it was.")
        return self.mined[block.number]

    def _token(self, contract: str, at: Block) -> Token:
        tokens = self._mined_as(at).state.tokens
        if contract not in tokens:
            raise ChainUnavailable(f"{contract} does not answer as a token at {at.hash}.")
        return tokens[contract]

    def _mine(self) -> None:
        number = len(self.mined)
        parent = self.mined[-1].block.hash if self.mined else "0x" + "00" * 32
        block = Block(
            number=number,
            hash=hash_of(f"{self.name} {parent} {number} {self._forks}".encode()),
            parent_hash=parent,
            mined_at=self._next_mined_at,
        )
        self._next_mined_at += BLOCK_TIME
        mined = MinedBlock(block, self.state)
        for contract, moved, sender in self._pending:
            self.state.tokens[contract].move(moved)
            serial = len(mined.senders)
            transaction_hash = hash_of(f"{block.hash} {serial} {moved}".encode())
            mined.senders[transaction_hash] = sender
            self._log(mined, contract, moved, transaction_hash)
        self._pending = []
        self.pool = [raw for raw in sorted(self.pool, key=_sender_of) if not self._run(mined, raw)]
        mined.state = copy.deepcopy(self.state)
        self.mined.append(mined)

    def _run(self, mined: MinedBlock, raw: bytes) -> bool:
        sender, nonce = _sender_of(raw)
        expected = self.state.nonces.get(sender, 0)
        if nonce != expected:
            return nonce < expected
        self.state.nonces[sender] = nonce + 1
        transaction = _transaction_of(raw)
        contract = to_checksum_address(transaction["to"])
        data = bytes(transaction["data"])
        transaction_hash = hash_of(raw)
        mined.senders[transaction_hash] = sender
        succeeded = not (data and self.reverting)
        if data and succeeded:
            token = self.state.tokens[contract]
            try:
                for moved in token.call(data, sender=sender, at=mined.block.mined_at):
                    self._log(mined, contract, moved, transaction_hash)
            except Reverted:
                succeeded = False
        mined.receipts[transaction_hash] = Receipt(
            transaction_hash=transaction_hash,
            block_number=mined.block.number,
            block_hash=mined.block.hash,
            succeeded=succeeded,
        )
        mined.raws.append(raw)
        return True

    def _log(self, mined: MinedBlock, contract: str, moved: Moved, transaction_hash: str) -> None:
        log_index = len(mined.changes) + len(mined.transfers)
        if NOBODY not in (moved.sender, moved.recipient):
            transfer = TokenTransfer(
                sender=moved.sender,
                recipient=moved.recipient,
                base_units=moved.base_units,
                block=mined.block,
                transaction_hash=transaction_hash,
                log_index=log_index,
            )
            mined.transfers.append((contract, transfer))
            return
        minted = moved.sender == NOBODY
        change = SupplyChange(
            kind=EventKind.MINT if minted else EventKind.BURN,
            address=moved.recipient if minted else moved.sender,
            base_units=moved.base_units,
            request_id=moved.request_id,
            block=mined.block,
            transaction_hash=transaction_hash,
            log_index=log_index,
        )
        mined.changes.append((contract, change))


def _underpriced(message: str) -> Underpriced:
    return Underpriced("eth_sendRawTransaction", error_code=-32000, message=message, data="")


def _transaction_of(raw: bytes) -> dict[str, Any]:
    return TypedTransaction.from_bytes(HexBytes(raw)).as_dict()


def _outbids(raw: bytes, waiting: bytes) -> bool:
    """Say whether a node takes `raw` in the place of what waits with the same nonce."""
    fees = ("maxFeePerGas", "maxPriorityFeePerGas")
    new, old = _transaction_of(raw), _transaction_of(waiting)
    return all(new[fee] * 10 >= old[fee] * 11 for fee in fees)


@cache
def _sender_of(raw: bytes) -> tuple[str, int]:
    nonce: int = _transaction_of(raw)["nonce"]
    return Account.recover_transaction(raw), nonce
