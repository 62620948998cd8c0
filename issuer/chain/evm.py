"""Speaking to EVM chains over JSON-RPC."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
from eth_utils.address import to_checksum_address

from issuer.chain import token_contract
from issuer.chain.errors import ChainUnavailable, NodeRefused, TransactionRefusedByContract
from issuer.chain.readers import Block, FeeQuote, Receipt, SupplyChange
from issuer.chain.rpc import Call, JsonRpc
from issuer.chain.states import EventKind

ZERO_WORD: Final = "0x" + "0" * 64
WORD_LENGTH: Final = len(ZERO_WORD)  # one 32-byte word in hex
HEADERS_PER_BATCH: Final = 100

#: What nodes (geth, Nethermind, Besu, Erigon, Reth, anvil) say of a transaction that they hold
#: already, or whose nonce is taken: not failures, since the same bytes may be sent again any time.
HARMLESS: Final = (
    "already known",
    "already imported",
    "known transaction",
    "alreadyknown",
    "nonce too low",
    "oldnonce",
    "replacement transaction underpriced",
    "underpriced",
)


class _Header(msgspec.Struct, rename="camel"):
    number: str
    hash: str
    parent_hash: str
    timestamp: str
    base_fee_per_gas: str | None = None


class _Log(msgspec.Struct, rename="camel"):
    address: str
    topics: list[str]
    data: str
    block_number: str
    block_hash: str
    transaction_hash: str
    log_index: str
    removed: bool = False


class _Receipt(msgspec.Struct, rename="camel"):
    transaction_hash: str
    block_number: str
    block_hash: str
    status: str


class EvmChain:
    """One EVM chain, through one node (a `Chain`).

    Reads of state are pinned to a block hash (EIP-1898), so they never mix two histories.
    """

    def __init__(self, rpc: JsonRpc, *, chain_id: int) -> None:
        self._rpc = rpc
        self._chain_id = chain_id

    def final_block(self) -> Block:
        answered, header = self._rpc.batch(
            [
                Call("eth_chainId", [], str),
                Call("eth_getBlockByNumber", ["finalized", False], _Header, nullable=True),
            ]
        )
        if _number(answered) != self._chain_id:
            detail = f"The node serves chain {_number(answered)}, not {self._chain_id}."
            raise ChainUnavailable(detail)
        if header is None:
            raise ChainUnavailable("The node knows no final block.")
        return _block(header)

    def block(self, number: int) -> Block:
        [block] = self._blocks([number])
        return block

    def total_supply(self, contract: str, *, at: Block) -> int:
        [supply] = self._words(contract, [token_contract.TOTAL_SUPPLY], at=at)
        return supply

    def ui_multiplier(self, contract: str, *, at: Block) -> int:
        [multiplier] = self._words(contract, [token_contract.UI_MULTIPLIER], at=at)
        return multiplier

    def balances(self, contract: str, holders: Sequence[str], *, at: Block) -> list[int]:
        calls = [_hex(token_contract.calldata("balanceOf", holder)) for holder in holders]
        return self._words(contract, calls, at=at)

    def supply_changes(self, contract: str, *, first: int, last: Block) -> list[SupplyChange]:
        """Return every mint and burn from block `first` to `last`.

        The node proves in the same batch that it has `last`: one that is behind would answer with
        the logs it has, and that silence would look like no mints.
        """
        *answers, header = self._rpc.batch(
            [
                *(
                    Call("eth_getLogs", [_logs_of(contract, first, last, topics)], list[_Log])
                    for topics in (
                        [token_contract.TRANSFER, ZERO_WORD],
                        [token_contract.TRANSFER, None, ZERO_WORD],
                        [[token_contract.MINTED, token_contract.BURNED, token_contract.SEIZED]],
                    )
                ),
                Call("eth_getBlockByNumber", [hex(last.number), False], _Header, nullable=True),
            ]
        )
        if header is None or header.hash != last.hash:
            raise ChainUnavailable(f"The node does not have block {last.number} as it was.")
        minted, burned, named = answers
        for log in (*minted, *burned, *named):
            if log.removed or log.address.lower() != contract.lower():
                raise ChainUnavailable(f"The node answered with logs that are not {contract}'s.")
        blocks = self._blocks_of((*minted, *burned), first=first, last=last)
        request_ids = {(log.transaction_hash, _number(log.log_index)): log.topics for log in named}
        changes = [
            _change(kind, log, blocks[log.block_hash], request_ids)
            for kind, logs in ((EventKind.MINT, minted), (EventKind.BURN, burned))
            for log in logs
        ]
        return sorted(changes, key=lambda change: (change.block.number, change.log_index))

    def receipt(self, transaction_hash: str) -> Receipt | None:
        receipt: _Receipt | None
        [receipt] = self._rpc.batch(
            [Call("eth_getTransactionReceipt", [transaction_hash], _Receipt, nullable=True)]
        )
        if receipt is None:
            return None
        status = _number(receipt.status)
        if receipt.transaction_hash != transaction_hash or status not in (0, 1):
            raise ChainUnavailable(f"The node has no proper receipt of {transaction_hash}.")
        return Receipt(
            transaction_hash=transaction_hash,
            block_number=_number(receipt.block_number),
            block_hash=receipt.block_hash,
            succeeded=status == 1,
        )

    def next_nonce(self, account: str, *, at: Block | None = None) -> int:
        moment = "latest" if at is None else _pinned(at)
        return _number(self._rpc.call("eth_getTransactionCount", [account, moment], result=str))

    def request_used(self, contract: str, request_id: str, *, at: Block) -> bool:
        call = token_contract.calldata("isRequestIdUsed", bytes.fromhex(request_id[2:]))
        [used] = self._words(contract, [_hex(call)], at=at)
        return used != 0

    def quote(self, *, sender: str, contract: str, calldata: bytes) -> FeeQuote:
        request = {"from": sender, "to": contract, "data": _hex(calldata)}
        try:
            code, gas, tip, header = self._rpc.batch(
                [
                    Call("eth_getCode", [contract, "latest"], str),
                    # Not on top of what waits: an attempt that waits already uses the request up.
                    Call("eth_estimateGas", [request, "latest"], str),
                    Call("eth_maxPriorityFeePerGas", [], str),
                    Call("eth_getBlockByNumber", ["latest", False], _Header, nullable=True),
                ]
            )
        except NodeRefused as refusal:
            raise _refusal_of_contract(refusal) from refusal
        # A call to an address without code succeeds and does nothing.
        if code == "0x":
            raise ChainUnavailable(f"There is no contract at {contract}.")
        if header is None or header.base_fee_per_gas is None:
            raise ChainUnavailable("The node does not tell the base fee.")
        # Twice the base fee lasts through at least five full blocks, which raise it by 1/8 each.
        priority = max(_number(tip), 1)
        return FeeQuote(
            max_fee_per_gas=2 * _number(header.base_fee_per_gas) + priority,
            max_priority_fee_per_gas=priority,
            gas_limit=_number(gas) * 5 // 4,
        )

    def broadcast(self, raw_transaction: bytes) -> None:
        try:
            self._rpc.call("eth_sendRawTransaction", [_hex(raw_transaction)], result=str)
        except NodeRefused as refusal:
            if not any(words in refusal.message.lower() for words in HARMLESS):
                raise

    def _words(self, contract: str, calls: Sequence[str], *, at: Block) -> list[int]:
        answers = self._rpc.batch(
            [Call("eth_call", [{"to": contract, "data": data}, _pinned(at)], str) for data in calls]
        )
        # An address without code answers "0x": that is silence, not a supply of zero.
        if any(len(word) != WORD_LENGTH for word in answers):
            raise ChainUnavailable(f"{contract} does not answer as a token at {at.hash}.")
        return [_number(word) for word in answers]

    def _blocks(self, numbers: Sequence[int]) -> list[Block]:
        blocks: list[Block] = []
        for start in range(0, len(numbers), HEADERS_PER_BATCH):
            asked = numbers[start : start + HEADERS_PER_BATCH]
            headers: list[_Header | None] = self._rpc.batch(
                [
                    Call("eth_getBlockByNumber", [hex(number), False], _Header, nullable=True)
                    for number in asked
                ]
            )
            for number, header in zip(asked, headers, strict=True):
                if header is None or _number(header.number) != number:
                    raise ChainUnavailable(f"The node does not know block {number}.")
                blocks.append(_block(header))
        return blocks

    def _blocks_of(self, logs: Iterable[_Log], *, first: int, last: Block) -> dict[str, Block]:
        numbers = sorted({_number(log.block_number) for log in logs})
        if numbers and not first <= numbers[0] <= numbers[-1] <= last.number:
            raise ChainUnavailable("The node answered with logs of other blocks than asked for.")
        blocks = {block.hash: block for block in self._blocks(numbers)}
        for log in logs:
            block = blocks.get(log.block_hash)
            if block is None or block.number != _number(log.block_number):
                raise ChainUnavailable("The node answered with logs of a block it no longer has.")
        return blocks


def _change(
    kind: EventKind,
    log: _Log,
    block: Block,
    named: dict[tuple[str, int], list[str]],
) -> SupplyChange:
    if len(log.topics) != 3 or len(log.data) != WORD_LENGTH:
        raise ChainUnavailable(f"A Transfer in {log.transaction_hash} is not of ERC-20's form.")
    holder = log.topics[2] if kind is EventKind.MINT else log.topics[1]
    log_index = _number(log.log_index)
    # The contract emits Minted, Burned or Seized right after the Transfer that it belongs to.
    beside = named.get((log.transaction_hash, log_index + 1), [])
    return SupplyChange(
        kind=kind,
        address=to_checksum_address(f"0x{holder[-40:]}"),
        base_units=_number(log.data),
        request_id=beside[1] if beside[2:] == [holder] else "",
        block=block,
        transaction_hash=log.transaction_hash,
        log_index=log_index,
    )


def _refusal_of_contract(refusal: NodeRefused) -> ChainUnavailable | TransactionRefusedByContract:
    """Tell a contract that would revert from a node that would not say."""
    if not refusal.data and "revert" not in refusal.message.lower():
        return refusal
    name = token_contract.name_of_error(refusal.data) or "no reason that it names"
    return TransactionRefusedByContract(f"The contract would refuse the mint: {name}.", error=name)


def _logs_of(contract: str, first: int, last: Block, topics: Sequence[Any]) -> dict[str, Any]:
    return {
        "address": contract,
        "fromBlock": hex(first),
        "toBlock": hex(last.number),
        "topics": topics,
    }


def _pinned(block: Block) -> dict[str, Any]:
    return {"blockHash": block.hash, "requireCanonical": True}


def _block(header: _Header) -> Block:
    return Block(
        number=_number(header.number),
        hash=header.hash,
        parent_hash=header.parent_hash,
        mined_at=datetime.fromtimestamp(_number(header.timestamp), UTC),
    )


def _number(text: str) -> int:
    try:
        return int(text, 16)
    except ValueError:
        raise ChainUnavailable(f"The node answered {text[:80]!r} for a number.") from None


def _hex(data: bytes) -> str:
    return f"0x{data.hex()}"
