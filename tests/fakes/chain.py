"""A chain in memory, held to the same contract tests as a real one."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, Final

from eth_abi.abi import decode
from eth_account import Account
from eth_account.typed_transactions.typed_transaction import TypedTransaction
from eth_utils.address import to_checksum_address
from hexbytes import HexBytes

from issuer.chain import token_contract
from issuer.chain.errors import ChainUnavailable, TransactionRefusedByContract
from issuer.chain.readers import Block, FeeQuote, Receipt, SupplyChange
from issuer.chain.signing import hash_of
from issuer.chain.states import EventKind

GENESIS: Final = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
BLOCK_TIME: Final = timedelta(seconds=12)
BLOCKS_TO_FINALITY: Final = 2
ONE: Final = 10**18
MINT_SELECTOR: Final = token_contract.calldata("mint", "0x" + "00" * 20, 1, bytes(32))[:4]


@dataclass
class Token:
    """What a contract remembers."""

    supply: int = 0
    multiplier: int = ONE
    balances: dict[str, int] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)

    def move(self, kind: EventKind, holder: str, base_units: int, request_id: str) -> None:
        sign = 1 if kind is EventKind.MINT else -1
        self.supply += sign * base_units
        self.balances[holder] = self.balances.get(holder, 0) + sign * base_units
        if request_id:
            self.used.add(request_id)


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
    receipts: dict[str, Receipt] = field(default_factory=dict)
    raws: list[bytes] = field(default_factory=list)


class FakeChain:
    """A `Chain` with one node, which can be made to fail in the ways that nodes do."""

    def __init__(self) -> None:
        self.mined: list[MinedBlock] = []
        self.state = State()
        self.pool: list[bytes] = []
        self.received: list[bytes] = []
        self.silent = False
        self.reverting = False
        self.refuses_to_quote = False
        self._forks = 0
        self._pending: list[Any] = []
        self.mine()

    # --- What a test does with it

    def deploy(self, address: str | None = None) -> str:
        """Put a token contract at `address`, in a block of its own."""
        self._forks += 1
        address = address or to_checksum_address(hash_of(f"contract {self._forks}".encode())[:42])
        self.state.tokens[address] = Token()
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
    ) -> None:
        """Have somebody else mint or burn, in the next block."""
        self._pending.append((contract, kind, holder, base_units, request_id))

    def set_multiplier(self, contract: str, multiplier: int) -> None:
        """Move the shares per token (× 10^18) of `contract`, from the next block on."""
        self.state.tokens[contract].multiplier = multiplier

    def use_nonce(self, account: str) -> None:
        """Have `account` send something that is not ours."""
        self.state.nonces[account] = self.state.nonces.get(account, 0) + 1

    def mine(self, blocks: int = 1) -> None:
        """Mine blocks; the first takes the transactions that wait."""
        for _ in range(blocks):
            self._mine()

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
        return self._token(contract, at).multiplier

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
        token = self._token(contract, self.mined[-1].block)
        request_id = f"0x{calldata[-32:].hex()}"
        if self.refuses_to_quote or request_id in token.used:
            raise TransactionRefusedByContract("The contract would refuse the mint.")
        return FeeQuote(2_000_000_000, 1_000_000_000, 120_000)

    def broadcast(self, raw_transaction: bytes) -> None:
        self._answer()
        self.received.append(raw_transaction)
        if raw_transaction in self.pool or self.receipt(hash_of(raw_transaction)) is not None:
            return
        sender, nonce = _sender_of(raw_transaction)
        if nonce < self.state.nonces.get(sender, 0):
            return
        self.pool = [raw for raw in self.pool if _sender_of(raw) != (sender, nonce)]
        self.pool.append(raw_transaction)

    # --- How it works

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
            hash=hash_of(f"{parent} {number} {self._forks}".encode()),
            parent_hash=parent,
            mined_at=GENESIS + number * BLOCK_TIME,
        )
        mined = MinedBlock(block, self.state)
        for each in self._pending:
            self._apply(mined, *each, transaction_hash=hash_of(repr((number, each)).encode()))
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
        assert data[:4] == MINT_SELECTOR
        to, base_units, request_id = decode(["address", "uint256", "bytes32"], data[4:])
        name = f"0x{request_id.hex()}"
        succeeded = not self.reverting and name not in self.state.tokens[contract].used
        transaction_hash = hash_of(raw)
        if succeeded:
            self._apply(
                mined,
                contract,
                EventKind.MINT,
                to_checksum_address(to),
                base_units,
                name,
                transaction_hash=transaction_hash,
            )
        mined.receipts[transaction_hash] = Receipt(
            transaction_hash=transaction_hash,
            block_number=mined.block.number,
            block_hash=mined.block.hash,
            succeeded=succeeded,
        )
        mined.raws.append(raw)
        return True

    def _apply(
        self,
        mined: MinedBlock,
        contract: str,
        kind: EventKind,
        holder: str,
        base_units: int,
        request_id: str,
        *,
        transaction_hash: str,
    ) -> None:
        self.state.tokens[contract].move(kind, holder, base_units, request_id)
        change = SupplyChange(
            kind=kind,
            address=holder,
            base_units=base_units,
            request_id=request_id,
            block=mined.block,
            transaction_hash=transaction_hash,
            log_index=len(mined.changes),
        )
        mined.changes.append((contract, change))


def _transaction_of(raw: bytes) -> dict[str, Any]:
    return TypedTransaction.from_bytes(HexBytes(raw)).as_dict()


@cache
def _sender_of(raw: bytes) -> tuple[str, int]:
    nonce: int = _transaction_of(raw)["nonce"]
    return Account.recover_transaction(raw), nonce
