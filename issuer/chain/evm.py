"""Speaking to EVM chains over JSON-RPC."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from issuer.chain import token_contract
from issuer.chain.errors import (
    ChainUnavailable,
    NodeRefused,
    TransactionRefusedByContract,
    Underpriced,
)
from issuer.chain.evm_answers import (
    LOG_INDEX_MAX,
    Header,
    Log,
    Outcome,
    Sent,
    address_of,
    block_of,
    hash_of,
    number_of,
    transfer_of,
    word_of,
)
from issuer.chain.readers import (
    HOLDERS_MAX,
    Block,
    FeeQuote,
    Receipt,
    SupplyChange,
    TokenTransfer,
)
from issuer.chain.rpc import Call, JsonRpc
from issuer.chain.states import EventKind, SignerPurpose

ZERO_ADDRESS: Final = "0x" + "0" * 40
ZERO_WORD: Final = "0x" + "0" * 64
PER_BATCH: Final = 100

#: What nodes (geth, Nethermind, Besu, Erigon, Reth, anvil) say of a transaction that they hold
#: already, or whose nonce is taken: not failures, since the same bytes may be sent again any time.
HARMLESS: Final = (
    "already known",
    "already imported",
    "known transaction",
    "alreadyknown",
    "nonce too low",
    "oldnonce",
)
#: What they say of one that they do not take, because it offers too little: for a block of now, for
#: their memory, or for the place of another of the same nonce.
TOO_CHEAP: Final = (
    "underpriced",
    "could not replace existing",
    "replacementnotallowed",
    "feetoolow",
    "fee too low",
    "less than block base fee",
    "below minimum",
)


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
                Call("eth_getBlockByNumber", ["finalized", False], Header, nullable=True),
            ]
        )
        if number_of(answered) != self._chain_id:
            detail = f"The node serves chain {number_of(answered)}, not {self._chain_id}."
            raise ChainUnavailable(detail)
        if header is None:
            raise ChainUnavailable("The node knows no final block.")
        return block_of(header)

    def block(self, number: int) -> Block:
        [block] = self._blocks([number])
        return block

    def total_supply(self, contract: str, *, at: Block) -> int:
        [supply] = self._words(contract, [token_contract.TOTAL_SUPPLY], at=at)
        return supply

    def ui_multiplier(self, contract: str, *, at: Block) -> int:
        [multiplier] = self._words(contract, [token_contract.UI_MULTIPLIER], at=at)
        if multiplier == 0:
            raise ChainUnavailable(f"{contract} tells no multiplier at {at.hash}.")
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
                    Call("eth_getLogs", [_logs_of(contract, first, last, topics)], list[Log])
                    for topics in (
                        [token_contract.TRANSFER, ZERO_WORD],
                        [token_contract.TRANSFER, None, ZERO_WORD],
                        [[token_contract.MINTED, token_contract.BURNED, token_contract.SEIZED]],
                    )
                ),
                Call("eth_getBlockByNumber", [hex(last.number), False], Header, nullable=True),
            ]
        )
        _require_as_it_was(header, last)
        minted, burned, named = answers
        _require_of(contract, (*minted, *burned, *named))
        blocks = self._blocks_of((*minted, *burned), first=first, last=last)
        request_ids = {
            (log.transaction_hash, number_of(log.log_index, most=LOG_INDEX_MAX)): log.topics
            for log in named
        }
        changes = [
            _change(kind, log, blocks[log.block_hash], request_ids)
            for kind, logs in ((EventKind.MINT, minted), (EventKind.BURN, burned))
            for log in logs
        ]
        return sorted(changes, key=lambda change: (change.block.number, change.log_index))

    def transfers_to(
        self, contract: str, recipients: Sequence[str], *, first: int, last: Block
    ) -> list[TokenTransfer]:
        if not recipients:
            return []
        topics = [token_contract.TRANSFER, None, [_word_of(each) for each in recipients]]
        logs, header = self._rpc.batch(
            [
                Call("eth_getLogs", [_logs_of(contract, first, last, topics)], list[Log]),
                Call("eth_getBlockByNumber", [hex(last.number), False], Header, nullable=True),
            ]
        )
        _require_as_it_was(header, last)
        _require_of(contract, logs)
        blocks = self._blocks_of(logs, first=first, last=last)
        transfers = [transfer_of(log, blocks[log.block_hash]) for log in logs]
        if not {transfer.recipient for transfer in transfers} <= set(recipients):
            raise ChainUnavailable("The node answered with transfers to others than asked for.")
        return sorted(
            (
                transfer
                for transfer in transfers
                if transfer.base_units and transfer.sender not in (ZERO_ADDRESS, transfer.recipient)
            ),
            key=lambda transfer: (transfer.block.number, transfer.log_index),
        )

    def role_holders(self, contract: str, *, at: Block) -> Mapping[SignerPurpose, list[str]]:
        roles = token_contract.ROLES
        counting = [
            _hex(token_contract.calldata("getRoleMemberCount", role)) for role in roles.values()
        ]
        counts = self._words(contract, counting, at=at)
        asked = [
            (purpose, _hex(token_contract.calldata("getRoleMember", role, index)))
            for (purpose, role), count in zip(roles.items(), counts, strict=True)
            for index in range(min(count, HOLDERS_MAX))
        ]
        holders: dict[SignerPurpose, list[str]] = {purpose: [] for purpose in roles}
        for start in range(0, len(asked), PER_BATCH):
            piece = asked[start : start + PER_BATCH]
            words = self._words(contract, [call for _, call in piece], at=at)
            for (purpose, _), word in zip(piece, words, strict=True):
                holders[purpose].append(address_of(f"0x{word:064x}"))
        return {purpose: sorted(addresses) for purpose, addresses in holders.items()}

    def senders_of(self, transaction_hashes: Sequence[str]) -> list[str]:
        senders: list[str] = []
        for start in range(0, len(transaction_hashes), PER_BATCH):
            asked = transaction_hashes[start : start + PER_BATCH]
            found: list[Sent | None] = self._rpc.batch(
                [Call("eth_getTransactionByHash", [each], Sent, nullable=True) for each in asked]
            )
            for transaction_hash, transaction in zip(asked, found, strict=True):
                # A node that forgets where old transactions are is not one to rely on here.
                if transaction is None:
                    raise ChainUnavailable(f"The node does not find {transaction_hash}.")
                if transaction.hash != transaction_hash:
                    raise ChainUnavailable(f"The node took {transaction_hash} for another.")
                senders.append(address_of(transaction.sender))
        return senders

    def receipt(self, transaction_hash: str) -> Receipt | None:
        receipt: Outcome | None
        [receipt] = self._rpc.batch(
            [
                Call(
                    "eth_getTransactionReceipt",
                    [transaction_hash],
                    Outcome,
                    nullable=True,
                )
            ]
        )
        if receipt is None:
            return None
        status = number_of(receipt.status)
        if receipt.transaction_hash != transaction_hash or status not in (0, 1):
            raise ChainUnavailable(f"The node has no proper receipt of {transaction_hash}.")
        return Receipt(
            transaction_hash=transaction_hash,
            block_number=number_of(receipt.block_number),
            block_hash=hash_of(receipt.block_hash),
            succeeded=status == 1,
        )

    def next_nonce(self, account: str, *, at: Block | None = None) -> int:
        moment = "latest" if at is None else _pinned(at)
        return number_of(self._rpc.call("eth_getTransactionCount", [account, moment], result=str))

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
                    Call("eth_getBlockByNumber", ["latest", False], Header, nullable=True),
                ]
            )
        except NodeRefused as refusal:
            raise _refusal_of_contract(refusal) from refusal
        # A call to an address without code succeeds and does nothing.
        if code == "0x":
            raise ChainUnavailable(f"There is no contract at {contract}.")
        return _fees(gas, tip, header)

    def quote_nothing(self, account: str) -> FeeQuote:
        request = {"from": account, "to": account, "value": "0x0"}
        gas, tip, header = self._rpc.batch(
            [
                Call("eth_estimateGas", [request, "latest"], str),
                Call("eth_maxPriorityFeePerGas", [], str),
                Call("eth_getBlockByNumber", ["latest", False], Header, nullable=True),
            ]
        )
        return _fees(gas, tip, header)

    def broadcast(self, raw_transaction: bytes) -> None:
        try:
            self._rpc.call("eth_sendRawTransaction", [_hex(raw_transaction)], result=str)
        except NodeRefused as refusal:
            said = refusal.message.lower()
            if any(words in said for words in HARMLESS):
                return
            if any(words in said for words in TOO_CHEAP):
                raise Underpriced(
                    "eth_sendRawTransaction",
                    error_code=refusal.error_code,
                    message=refusal.message,
                    data=refusal.data,
                ) from refusal
            raise

    def _words(self, contract: str, calls: Sequence[str], *, at: Block) -> list[int]:
        answers = self._rpc.batch(
            [Call("eth_call", [{"to": contract, "data": data}, _pinned(at)], str) for data in calls]
        )
        # An address without code answers "0x": that is silence, not a supply of zero.
        if "0x" in answers:
            raise ChainUnavailable(f"{contract} does not answer as a token at {at.hash}.")
        return [word_of(answer) for answer in answers]

    def _blocks(self, numbers: Sequence[int]) -> list[Block]:
        blocks: list[Block] = []
        for start in range(0, len(numbers), PER_BATCH):
            asked = numbers[start : start + PER_BATCH]
            headers: list[Header | None] = self._rpc.batch(
                [
                    Call("eth_getBlockByNumber", [hex(number), False], Header, nullable=True)
                    for number in asked
                ]
            )
            for number, header in zip(asked, headers, strict=True):
                if header is None or number_of(header.number) != number:
                    raise ChainUnavailable(f"The node does not know block {number}.")
                blocks.append(block_of(header))
        return blocks

    def _blocks_of(self, logs: Iterable[Log], *, first: int, last: Block) -> dict[str, Block]:
        numbers = sorted({number_of(log.block_number) for log in logs})
        if numbers and not first <= numbers[0] <= numbers[-1] <= last.number:
            raise ChainUnavailable("The node answered with logs of other blocks than asked for.")
        blocks = {block.hash: block for block in self._blocks(numbers)}
        for log in logs:
            block = blocks.get(log.block_hash)
            if block is None or block.number != number_of(log.block_number):
                raise ChainUnavailable("The node answered with logs of a block it no longer has.")
        return blocks


def _change(
    kind: EventKind,
    log: Log,
    block: Block,
    named: dict[tuple[str, int], list[str]],
) -> SupplyChange:
    transfer = transfer_of(log, block)
    holder = log.topics[2] if kind is EventKind.MINT else log.topics[1]
    # The contract emits Minted, Burned or Seized right after the Transfer that it belongs to.
    beside = named.get((log.transaction_hash, transfer.log_index + 1), [])
    return SupplyChange(
        kind=kind,
        address=address_of(holder),
        base_units=transfer.base_units,
        request_id=hash_of(beside[1]) if beside[2:] == [holder] else "",
        block=block,
        transaction_hash=transfer.transaction_hash,
        log_index=transfer.log_index,
    )


def _fees(gas: str, tip: str, header: Header | None) -> FeeQuote:
    if header is None or header.base_fee_per_gas is None:
        raise ChainUnavailable("The node does not tell the base fee.")
    # Twice the base fee lasts through at least five full blocks, which raise it by 1/8 each.
    priority = max(number_of(tip), 1)
    return FeeQuote(
        max_fee_per_gas=2 * number_of(header.base_fee_per_gas) + priority,
        max_priority_fee_per_gas=priority,
        gas_limit=number_of(gas) * 5 // 4,
    )


def _require_as_it_was(header: Header | None, block: Block) -> None:
    if header is None or header.hash != block.hash:
        raise ChainUnavailable(f"The node does not have block {block.number} as it was.")


def _require_of(contract: str, logs: Iterable[Log]) -> None:
    if any(log.removed or log.address.lower() != contract.lower() for log in logs):
        raise ChainUnavailable(f"The node answered with logs that are not {contract}'s.")


def _refusal_of_contract(refusal: NodeRefused) -> ChainUnavailable | TransactionRefusedByContract:
    """Tell a contract that would revert from a node that would not say."""
    if not refusal.data and "revert" not in refusal.message.lower():
        return refusal
    name = token_contract.name_of_error(refusal.data) or "no reason that it names"
    return TransactionRefusedByContract(f"The contract would refuse the call: {name}.", error=name)


def _logs_of(contract: str, first: int, last: Block, topics: Sequence[Any]) -> dict[str, Any]:
    return {
        "address": contract,
        "fromBlock": hex(first),
        "toBlock": hex(last.number),
        "topics": topics,
    }


def _pinned(block: Block) -> dict[str, Any]:
    return {"blockHash": block.hash, "requireCanonical": True}


def _word_of(address: str) -> str:
    return f"0x{address[2:].lower():0>64}"


def _hex(data: bytes) -> str:
    return f"0x{data.hex()}"
