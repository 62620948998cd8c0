"""What an EVM node may say that is not to be believed."""

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from issuer.chain.errors import (
    ChainUnavailable,
    NodeRefused,
    TransactionRefusedByContract,
    Underpriced,
)
from issuer.chain.evm import EvmChain
from issuer.chain.readers import HOLDERS_MAX, Block, FeeQuote
from issuer.chain.rpc import Call
from issuer.chain.signing import LocalKeySigner, UnsignedTransaction
from issuer.chain.states import SignerPurpose
from issuer.chain.token_contract import ROLES, TRANSFER, calldata
from issuer.sandbox.anvil import CHAIN_ID
from tests.chain.stock import Stock
from tests.make.chain import FEES, MINTER_KEY

CONTRACT = "0x5FbDB2315678afecb367f032d93F642f64180aa3"
HASH = "0x" + "aa" * 32
ZERO_WORD = "0x" + "00" * 32
ONE_WORD = "0x" + "00" * 31 + "01"
HOLDER = "0xABaBaBaBABabABabAbAbABAbABabababaBaBABaB"
HOLDER_WORD = "0x" + "00" * 12 + "ab" * 20
HEADER = {
    "number": "0x5",
    "hash": HASH,
    "parentHash": "0x" + "bb" * 32,
    "timestamp": "0x6543",
    "baseFeePerGas": "0x7",
}
LOG = {
    "address": CONTRACT,
    "topics": [TRANSFER, ZERO_WORD, HOLDER_WORD],
    "data": "0x" + "00" * 31 + "05",
    "blockNumber": "0x5",
    "blockHash": HASH,
    "transactionHash": "0x" + "cc" * 32,
    "logIndex": "0x0",
}
RECEIPT = {
    "transactionHash": "0x" + "cc" * 32,
    "blockNumber": "0x5",
    "blockHash": HASH,
    "status": "0x1",
}


class ScriptedNode:
    """A `JsonRpc` that answers each method as told, in turn; an error is raised."""

    def __init__(self, **answers: list[Any]) -> None:
        self.answers = answers
        self.sent: list[Call[Any]] = []

    def call(self, method: str, params: Sequence[Any], *, result: type[Any]) -> Any:
        return self.batch([Call(method, params, result)])[0]

    def batch(self, calls: Sequence[Call[Any]]) -> list[Any]:
        self.sent += calls
        results = []
        for call in calls:
            answer = self.answers[call.method].pop(0)
            if isinstance(answer, Exception):
                raise answer
            if answer is None:
                assert call.nullable
            results.append(None if answer is None else msgspec.convert(answer, call.result))
        return results


def evm(**answers: list[Any]) -> EvmChain:
    return EvmChain(ScriptedNode(**answers), chain_id=1)


def refusal(message: str, *, error_code: int = -32000, data: str = "") -> NodeRefused:
    return NodeRefused("method", error_code=error_code, message=message, data=data)


@pytest.fixture
def block() -> Block:
    return evm(eth_getBlockByNumber=[HEADER]).block(5)


class TestFinalBlock:
    def test_is_not_taken_from_another_chain(self) -> None:
        chain = evm(eth_chainId=["0x7a69"], eth_getBlockByNumber=[HEADER])

        with pytest.raises(ChainUnavailable, match="serves chain 31337, not 1"):
            chain.final_block()

    def test_may_be_unknown_to_the_node(self) -> None:
        chain = evm(eth_chainId=["0x1"], eth_getBlockByNumber=[None])

        with pytest.raises(ChainUnavailable, match="no final block"):
            chain.final_block()

    def test_needs_proper_numbers(self) -> None:
        chain = evm(eth_chainId=["one"], eth_getBlockByNumber=[HEADER])

        with pytest.raises(ChainUnavailable, match="'one' for a number"):
            chain.final_block()


class TestBlock:
    @pytest.mark.parametrize("answer", [None, HEADER | {"number": "0x6"}])
    def test_is_not_taken_for_another(self, answer: Any) -> None:
        with pytest.raises(ChainUnavailable):
            evm(eth_getBlockByNumber=[answer]).block(5)

    @pytest.mark.parametrize(
        "header",
        [
            pytest.param(HEADER | {"number": hex(2**63)}, id="number"),
            pytest.param(HEADER | {"hash": "0x12"}, id="hash"),
            pytest.param(HEADER | {"parentHash": "0x" + "zz" * 32}, id="parent"),
            pytest.param(HEADER | {"timestamp": hex(2**63)}, id="time"),
            pytest.param(HEADER | {"timestamp": hex(253_402_300_800)}, id="the year 10000"),
            pytest.param(HEADER | {"timestamp": "-0x1"}, id="before time"),
        ],
    )
    def test_is_refused_where_the_database_could_not_hold_it(self, header: Any) -> None:
        with pytest.raises(ChainUnavailable):
            evm(eth_chainId=["0x1"], eth_getBlockByNumber=[header]).final_block()


class TestTotalSupply:
    @pytest.mark.parametrize(
        "word",
        [
            "0x",
            "0x0",
            "0x" + "00" * 31,
            "0x" + "00" * 64,
            "0x" + "zz" * 32,
            "-0x" + "00" * 31 + "5",
            "0x" + "0_" * 31 + "05",
        ],
    )
    def test_is_one_word(self, block: Block, word: str) -> None:
        with pytest.raises(ChainUnavailable):
            evm(eth_call=[word]).total_supply(CONTRACT, at=block)


class TestUiMultiplier:
    def test_is_something(self, block: Block) -> None:
        assert evm(eth_call=[ONE_WORD]).ui_multiplier(CONTRACT, at=block) == 1
        with pytest.raises(ChainUnavailable, match="no multiplier"):
            evm(eth_call=[ZERO_WORD]).ui_multiplier(CONTRACT, at=block)


class TestSupplyChanges:
    def changes(self, block: Block, logs: list[Any], *, headers: list[Any] | None = None) -> Any:
        chain = evm(eth_getLogs=[logs, [], []], eth_getBlockByNumber=headers or [HEADER, HEADER])
        return chain.supply_changes(CONTRACT, first=1, last=block)

    def test_are_read_from_logs(self, block: Block) -> None:
        [change] = self.changes(block, [LOG])

        assert (change.base_units, change.address) == (
            5,
            "0xABaBaBaBABabABabAbAbABAbABabababaBaBABaB",
        )
        assert (change.request_id, change.block) == ("", block)

    @pytest.mark.parametrize(
        "log",
        [
            pytest.param(LOG | {"removed": True}, id="removed"),
            pytest.param(LOG | {"address": "0x" + "11" * 20}, id="another contract"),
            pytest.param(LOG | {"blockNumber": "0x9"}, id="beyond the range"),
            pytest.param(LOG | {"blockNumber": "0x0"}, id="before the range"),
            pytest.param(LOG | {"blockHash": "0x" + "dd" * 32}, id="another block"),
            pytest.param(LOG | {"topics": [TRANSFER, ZERO_WORD]}, id="a topic short"),
            pytest.param(LOG | {"data": "0x05"}, id="a short amount"),
        ],
    )
    def test_are_refused_where_a_log_is_not_what_was_asked_for(
        self, block: Block, log: dict[str, Any]
    ) -> None:
        with pytest.raises(ChainUnavailable):
            self.changes(block, [log])

    @pytest.mark.parametrize("header", [None, HEADER | {"hash": "0x" + "dd" * 32}])
    def test_are_refused_from_a_node_without_the_last_block(
        self, block: Block, header: Any
    ) -> None:
        with pytest.raises(ChainUnavailable, match="as it was"):
            self.changes(block, [], headers=[header])

    @pytest.mark.parametrize(
        "log",
        [
            pytest.param(LOG | {"logIndex": hex(2**31)}, id="log index"),
            pytest.param(LOG | {"blockNumber": hex(2**63)}, id="block number"),
            pytest.param(LOG | {"data": "0x1" + "00" * 32}, id="amount"),
            pytest.param(LOG | {"data": "-0x" + "00" * 31 + "5"}, id="negative amount"),
            pytest.param(LOG | {"logIndex": "-0x1"}, id="negative log index"),
            pytest.param(LOG | {"logIndex": "0x1_0"}, id="Python's own writing"),
            pytest.param(LOG | {"transactionHash": "0x12"}, id="transaction hash"),
            pytest.param(LOG | {"topics": [TRANSFER, ZERO_WORD, "0x" + "ff" * 32]}, id="address"),
            pytest.param(LOG | {"topics": [TRANSFER, ZERO_WORD, "0xzz"]}, id="no hex"),
        ],
    )
    def test_are_refused_where_the_database_could_not_hold_them(
        self, block: Block, log: dict[str, Any]
    ) -> None:
        with pytest.raises(ChainUnavailable):
            self.changes(block, [log])

    def test_may_be_as_large_as_a_contract_counts(self, block: Block) -> None:
        [change] = self.changes(block, [LOG | {"data": "0x" + "ff" * 32}])

        assert change.base_units == 2**256 - 1

    def test_are_refused_where_the_request_beside_them_is_no_word(self, block: Block) -> None:
        beside = LOG | {"topics": ["0x00", "0x" + "1" * 70, HOLDER_WORD], "logIndex": "0x1"}
        chain = evm(eth_getLogs=[[LOG], [], [beside]], eth_getBlockByNumber=[HEADER, HEADER])

        with pytest.raises(ChainUnavailable):
            chain.supply_changes(CONTRACT, first=1, last=block)


class TestTransfersTo:
    SENT = LOG | {"topics": [TRANSFER, "0x" + "00" * 12 + "cd" * 20, HOLDER_WORD]}

    def transfers(self, block: Block, logs: list[Any], *, headers: list[Any] | None = None) -> Any:
        chain = evm(eth_getLogs=[logs], eth_getBlockByNumber=headers or [HEADER, HEADER])
        return chain.transfers_to(CONTRACT, [HOLDER], first=1, last=block)

    def test_are_read_from_logs(self, block: Block) -> None:
        [transfer] = self.transfers(block, [self.SENT])

        assert (transfer.recipient, transfer.base_units) == (HOLDER, 5)
        assert transfer.sender.lower() == "0x" + "cd" * 20

    @pytest.mark.parametrize(
        "log",
        [
            pytest.param(SENT | {"removed": True}, id="removed"),
            pytest.param(SENT | {"address": "0x" + "11" * 20}, id="another contract"),
            pytest.param(SENT | {"blockNumber": "0x9"}, id="beyond the range"),
            pytest.param(SENT | {"blockHash": "0x" + "dd" * 32}, id="another block"),
            pytest.param(SENT | {"topics": [TRANSFER, ZERO_WORD, ZERO_WORD]}, id="to another"),
            pytest.param(SENT | {"logIndex": hex(2**31)}, id="log index"),
        ],
    )
    def test_are_refused_where_a_log_is_not_what_was_asked_for(
        self, block: Block, log: dict[str, Any]
    ) -> None:
        with pytest.raises(ChainUnavailable):
            self.transfers(block, [log])

    def test_are_refused_from_a_node_without_the_last_block(self, block: Block) -> None:
        with pytest.raises(ChainUnavailable, match="as it was"):
            self.transfers(block, [], headers=[None])


class TestRoleHolders:
    def holders(
        self, block: Block, *, minters: str, admins: str, words: list[str]
    ) -> tuple[list[str], list[str], int]:
        """Return minters and admins by counts and members as a node told them, and what it took."""
        counts = {SignerPurpose.MINTER: minters, SignerPurpose.ADMIN: admins}
        node = ScriptedNode(eth_call=[counts.get(each, ZERO_WORD) for each in ROLES] + words)
        found = EvmChain(node, chain_id=1).role_holders(CONTRACT, at=block)
        assert found.keys() == set(SignerPurpose)
        return found[SignerPurpose.MINTER], found[SignerPurpose.ADMIN], len(node.sent) - len(ROLES)

    def test_are_addresses(self, block: Block) -> None:
        found = self.holders(block, minters=ONE_WORD, admins=ONE_WORD, words=[HOLDER_WORD] * 2)
        assert found == ([HOLDER], [HOLDER], 2)
        assert self.holders(block, minters=ZERO_WORD, admins=ZERO_WORD, words=[]) == ([], [], 0)

    def test_are_told_up_to_a_limit_for_else_a_thief_could_silence_the_chain(
        self, block: Block
    ) -> None:
        minters, admins, asked = self.holders(
            block,
            minters="0x" + "ff" * 32,
            admins=ONE_WORD,
            words=[HOLDER_WORD] * (HOLDERS_MAX + 1),
        )

        assert minters == [HOLDER] * HOLDERS_MAX
        assert admins == [HOLDER]
        assert asked == HOLDERS_MAX + 1

    @pytest.mark.parametrize("word", ["0x", "0x" + "ff" * 32])
    def test_are_not_taken_from_anything_else(self, block: Block, word: str) -> None:
        with pytest.raises(ChainUnavailable):
            self.holders(block, minters=ONE_WORD, admins=ZERO_WORD, words=[word])


class TestSendersOf:
    def test_are_asked_for_in_batches(self) -> None:
        sent = {"hash": HASH, "from": HOLDER.lower()}
        node = ScriptedNode(eth_getTransactionByHash=[sent] * 150)

        assert EvmChain(node, chain_id=1).senders_of([HASH] * 150) == [HOLDER] * 150

    @pytest.mark.parametrize(
        "answer", [None, {"hash": "0x" + "12" * 32, "from": HOLDER}, {"hash": HASH, "from": "0x12"}]
    )
    def test_are_those_of_the_transaction(self, answer: Any) -> None:
        with pytest.raises(ChainUnavailable):
            evm(eth_getTransactionByHash=[answer]).senders_of([HASH])


class TestReceipt:
    @pytest.mark.parametrize(
        "receipt",
        [
            RECEIPT | {"status": "0x2"},
            RECEIPT | {"transactionHash": HASH},
        ],
    )
    def test_is_that_of_the_transaction(self, receipt: dict[str, Any]) -> None:
        with pytest.raises(ChainUnavailable, match="no proper receipt"):
            evm(eth_getTransactionReceipt=[receipt]).receipt(RECEIPT["transactionHash"])


class TestQuote:
    def quote(self, **answers: Any) -> Any:
        given = {
            "eth_getCode": "0x60",
            "eth_estimateGas": "0x186a0",
            "eth_maxPriorityFeePerGas": "0x0",
            "eth_getBlockByNumber": HEADER,
        } | answers
        chain = evm(**{method: [answer] for method, answer in given.items()})
        return chain.quote(sender=CONTRACT, contract=CONTRACT, calldata=b"mint")

    def test_doubles_the_base_fee_and_tips_something(self) -> None:
        quote = self.quote()

        assert (quote.max_fee_per_gas, quote.max_priority_fee_per_gas) == (15, 1)
        assert quote.gas_limit == 125_000

    @pytest.mark.parametrize("header", [None, HEADER | {"baseFeePerGas": None}])
    def test_needs_the_base_fee(self, header: Any) -> None:
        with pytest.raises(ChainUnavailable, match="base fee"):
            self.quote(eth_getBlockByNumber=header)

    @pytest.mark.parametrize(
        ("error", "reason"),
        [
            (refusal("execution reverted", error_code=3, data="0xd93c0665"), "EnforcedPause"),
            (refusal("execution reverted"), "no reason that it names"),
            (refusal("VM error", data="0x12345678"), "no reason that it names"),
        ],
    )
    def test_names_what_the_contract_says(self, error: NodeRefused, reason: str) -> None:
        with pytest.raises(TransactionRefusedByContract, match=reason):
            self.quote(eth_estimateGas=error)

    def test_tells_a_node_that_will_not_say_from_a_contract_that_would_not(self) -> None:
        with pytest.raises(NodeRefused, match="insufficient funds"):
            self.quote(eth_estimateGas=refusal("insufficient funds for gas"))


class TestBroadcast:
    @pytest.mark.parametrize(
        "message",
        [
            "already known",
            "AlreadyKnown",
            "transaction already imported",
            "known transaction: 0xab",
            "nonce too low: next nonce 5, tx nonce 4",
            "OldNonce",
        ],
    )
    def test_is_at_ease_with_what_the_node_knows(self, message: str) -> None:
        evm(eth_sendRawTransaction=[refusal(message)]).broadcast(b"\x02")

    @pytest.mark.parametrize(
        "message",
        [
            "replacement transaction underpriced",
            "transaction underpriced",
            "could not replace existing tx",
            "ReplacementNotAllowed",
            "FeeTooLow",
            "max fee per gas less than block base fee: maxFeePerGas: 2, baseFee: 9",
            "transaction gas price below minimum: gas tip cap 0, minimum needed 1",
        ],
    )
    def test_takes_nothing_for_sent_that_offers_too_little(self, message: str) -> None:
        with pytest.raises(Underpriced, match=message):
            evm(eth_sendRawTransaction=[refusal(message)]).broadcast(b"\x02")

    @pytest.mark.parametrize("message", ["insufficient funds", "invalid chain id for signer"])
    def test_passes_on_what_keeps_the_node_from_it(self, message: str) -> None:
        with pytest.raises(NodeRefused, match=message):
            evm(eth_sendRawTransaction=[refusal(message)]).broadcast(b"\x02")


class TestOnAnvil:
    """The same refusals from a real node."""

    def test_serves_another_chain(self, stock: Stock) -> None:
        with pytest.raises(ChainUnavailable, match="serves chain 31337, not 1"):
            EvmChain(stock.anvil.rpc, chain_id=1).final_block()

    def test_refuses_what_is_signed_for_another_chain(self, stock: Stock) -> None:
        signed = LocalKeySigner(MINTER_KEY).sign(
            UnsignedTransaction(
                chain_id=1, nonce=0, contract=stock.address, calldata=b"", fees=FEES
            )
        )

        with pytest.raises(NodeRefused):
            EvmChain(stock.anvil.rpc, chain_id=CHAIN_ID).broadcast(signed.raw)

    def test_does_not_take_the_same_bytes_after_they_were_replaced(self, stock: Stock) -> None:
        chain = EvmChain(stock.anvil.rpc, chain_id=CHAIN_ID)
        signer = LocalKeySigner(MINTER_KEY)
        stock.anvil.rpc.call("evm_setAutomine", [False], result=object)
        first, second = (
            signer.sign(
                UnsignedTransaction(
                    chain_id=CHAIN_ID,
                    nonce=chain.next_nonce(signer.address),
                    contract=stock.address,
                    calldata=calldata("totalSupply"),
                    fees=FeeQuote(fee, fee // 2, 100_000),
                )
            )
            for fee in (4_000_000_000, 8_000_000_000)
        )

        chain.broadcast(first.raw)
        chain.broadcast(second.raw)
        with pytest.raises(Underpriced):
            chain.broadcast(first.raw)
        stock.anvil.mine()

        assert chain.receipt(first.hash) is None
        assert chain.receipt(second.hash) is not None


class TestQuoteNothing:
    def test_asks_for_a_transfer_to_oneself(self) -> None:
        chain = evm(
            eth_estimateGas=["0x5208"],
            eth_maxPriorityFeePerGas=["0x0"],
            eth_getBlockByNumber=[HEADER],
        )

        quote = chain.quote_nothing(CONTRACT)

        assert (quote.max_fee_per_gas, quote.max_priority_fee_per_gas) == (15, 1)
        assert quote.gas_limit == 26_250
