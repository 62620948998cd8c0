"""What a chain promises us: kept by the fake and by a real EVM node through `EvmChain`."""

from dataclasses import replace
from typing import Protocol
from uuid import UUID

import pytest
from eth_account import Account

from issuer.chain import calls, token_contract
from issuer.chain.errors import ChainUnavailable, TransactionRefusedByContract, Underpriced
from issuer.chain.evm import EvmChain
from issuer.chain.readers import Block, Chain
from issuer.chain.request_ids import request_id_bytes32
from issuer.chain.signing import LocalKeySigner, SignedTransaction, UnsignedTransaction
from issuer.chain.states import EventKind, SignerPurpose
from issuer.sandbox.anvil import CHAIN_ID
from tests.chain.stock import Stock
from tests.fakes.chain import FakeChain
from tests.make import chain as make

ONE = 10**18
REQUEST = UUID("0197a1de-0000-7000-8000-000000000001")
OTHER = UUID("0197a1de-0000-7000-8000-000000000002")
ALICE = str(Account.from_key("0x" + "0a" * 32).address)
CAROL = str(Account.from_key("0x" + "0c" * 32).address)
NOBODY = "0x00000000000000000000000000000000DeaDBeef"
MINTER = LocalKeySigner(make.MINTER_KEY)


class Stage(Protocol):
    """A chain with one token, which a test can drive, and the reader under test."""

    @property
    def chain(self) -> Chain: ...

    @property
    def token(self) -> str: ...

    def mint(self, base_units: int, request_id: UUID) -> None:
        """Mint to ALICE in the next block, which is mined."""

    def burn(self, base_units: int, request_id: UUID) -> str:
        """Burn tokens of an account and return it; mines a block or more."""

    def send(self, recipient: str, base_units: int) -> None:
        """Have ALICE send tokens in the next block, which is mined."""

    def appoint(self, purpose: SignerPurpose, account: str) -> None:
        """Give `account` the role of a purpose; mines a block."""

    def double(self) -> None:
        """Let a token stand for two shares."""

    def hold_back(self) -> None:
        """Mine nothing until told."""

    def mine(self) -> None:
        """Mine a block, with what waits."""

    def finalize(self) -> None: ...

    def raise_base_fee(self, wei: int) -> None:
        """Have the newest block, and those to come, ask for at least so much."""

    def reorganize(self) -> None:
        """Replace the newest block by one without its transactions."""


class FakeStage:
    def __init__(self) -> None:
        self.chain = FakeChain()
        self.token = self.chain.deploy()

    def mint(self, base_units: int, request_id: UUID) -> None:
        self.chain.change(
            self.token,
            EventKind.MINT,
            ALICE,
            base_units,
            request_id=request_id_bytes32(request_id),
        )
        self.chain.mine()

    def burn(self, base_units: int, request_id: UUID) -> str:
        name = request_id_bytes32(request_id)
        self.chain.change(self.token, EventKind.BURN, ALICE, base_units, request_id=name)
        self.chain.mine()
        return ALICE

    def send(self, recipient: str, base_units: int) -> None:
        self.chain.transfer(self.token, ALICE, recipient, base_units)
        self.chain.mine()

    def appoint(self, purpose: SignerPurpose, account: str) -> None:
        self.chain.grant(self.token, token_contract.ROLES[purpose], account)
        self.chain.mine()

    def double(self) -> None:
        self.chain.set_multiplier(self.token, 2 * ONE)
        self.chain.mine()

    def hold_back(self) -> None:
        """Mines only when told, always."""

    def mine(self) -> None:
        self.chain.mine()

    def finalize(self) -> None:
        self.chain.finalize()

    def raise_base_fee(self, wei: int) -> None:
        self.chain.base_fee = wei

    def reorganize(self) -> None:
        self.chain.reorganize(1, losing=True)


class AnvilStage:
    def __init__(self, stock: Stock) -> None:
        self.anvil = stock.anvil
        self.stock = stock
        self.chain = EvmChain(stock.anvil.rpc, chain_id=CHAIN_ID)
        self.token = stock.address
        assert stock.account["minter"] == MINTER.address

    def mint(self, base_units: int, request_id: UUID) -> None:
        name = bytes.fromhex(request_id_bytes32(request_id)[2:])
        self.stock.do("minter", "mint", ALICE, base_units, name)

    def burn(self, base_units: int, request_id: UUID) -> str:
        name = bytes.fromhex(request_id_bytes32(request_id)[2:])
        self.stock.do("pauser", "blockAddress", ALICE)
        self.stock.do("seizer", "seize", ALICE, base_units, name)
        return ALICE

    def send(self, recipient: str, base_units: int) -> None:
        rpc = self.anvil.rpc
        rpc.call("anvil_setBalance", [ALICE, hex(ONE)], result=object)
        rpc.call("anvil_impersonateAccount", [ALICE], result=object)
        data = token_contract.calldata("transfer", recipient, base_units)
        self.anvil.send(data, sender=ALICE, to=self.token)

    def appoint(self, purpose: SignerPurpose, account: str) -> None:
        self.stock.do("admin", "grantRole", token_contract.ROLES[purpose], account)

    def double(self) -> None:
        block = self.anvil.rpc.call("eth_getBlockByNumber", ["latest", False], result=dict)
        soon = int(block["timestamp"], 16) + 100
        self.stock.do("multiplier", "setUIMultiplier", 2 * ONE, soon)
        self.anvil.rpc.call("evm_setNextBlockTimestamp", [soon], result=object)
        self.anvil.mine()

    def hold_back(self) -> None:
        self.anvil.rpc.call("evm_setAutomine", [False], result=object)

    def mine(self) -> None:
        self.anvil.mine()

    def finalize(self) -> None:
        self.anvil.finalize()

    def raise_base_fee(self, wei: int) -> None:
        self.anvil.rpc.call("anvil_setNextBlockBaseFeePerGas", [hex(wei)], result=object)
        self.anvil.mine()

    def reorganize(self) -> None:
        self.anvil.rpc.call("anvil_reorg", [1, []], result=object)


@pytest.fixture(params=["fake", "anvil"])
def stage(request: pytest.FixtureRequest) -> Stage:
    if request.param == "fake":
        return FakeStage()
    return AnvilStage(request.getfixturevalue("stock"))


def final(stage: Stage) -> Block:
    stage.finalize()
    return stage.chain.final_block()


def signed(
    stage: Stage, request_id: UUID = REQUEST, *, nonce: int | None = None
) -> SignedTransaction:
    """Return a mint of one token to ALICE by the minter, ready to send."""
    calldata = calls.mint(recipient=ALICE, base_units=ONE, request_id=request_id).calldata
    quote = stage.chain.quote(sender=MINTER.address, contract=stage.token, calldata=calldata)
    return MINTER.sign(
        UnsignedTransaction(
            chain_id=CHAIN_ID,
            nonce=stage.chain.next_nonce(MINTER.address) if nonce is None else nonce,
            contract=stage.token,
            calldata=calldata,
            fees=quote,
        )
    )


class TestFinalBlock:
    def test_trails_the_newest_by_what_can_still_be_replaced(self, stage: Stage) -> None:
        before = final(stage)

        stage.mint(ONE, REQUEST)
        assert stage.chain.final_block().number == before.number + 1
        stage.finalize()

        after = stage.chain.final_block()
        assert after.number == before.number + 3
        assert after.mined_at >= before.mined_at
        assert stage.chain.block(before.number) == before

    def test_names_its_parent(self, stage: Stage) -> None:
        block = final(stage)

        assert stage.chain.block(block.number - 1).hash == block.parent_hash


class TestBlock:
    def test_is_unknown_beyond_the_newest(self, stage: Stage) -> None:
        with pytest.raises(ChainUnavailable):
            stage.chain.block(1_000_000)

    def test_is_another_after_a_reorganization(self, stage: Stage) -> None:
        stage.mint(ONE, REQUEST)
        number = stage.chain.final_block().number + 2
        before = stage.chain.block(number)

        stage.reorganize()

        assert stage.chain.block(number).hash != before.hash


class TestTotalSupply:
    def test_is_as_of_the_block_asked_for(self, stage: Stage) -> None:
        before = final(stage)
        stage.mint(600 * ONE, REQUEST)
        after = final(stage)

        assert stage.chain.total_supply(stage.token, at=before) == 0
        assert stage.chain.total_supply(stage.token, at=after) == 600 * ONE

    def test_does_not_take_silence_for_zero(self, stage: Stage) -> None:
        with pytest.raises(ChainUnavailable):
            stage.chain.total_supply(NOBODY, at=final(stage))

    def test_is_not_read_at_a_block_that_is_no_more(self, stage: Stage) -> None:
        stage.mint(ONE, REQUEST)
        gone = stage.chain.block(stage.chain.final_block().number + 2)
        stage.reorganize()

        with pytest.raises(ChainUnavailable):
            stage.chain.total_supply(stage.token, at=gone)


class TestUiMultiplier:
    def test_is_as_of_the_block_asked_for(self, stage: Stage) -> None:
        before = final(stage)
        stage.double()
        after = final(stage)

        assert stage.chain.ui_multiplier(stage.token, at=before) == ONE
        assert stage.chain.ui_multiplier(stage.token, at=after) == 2 * ONE


class TestBalances:
    def test_come_in_the_order_of_holders(self, stage: Stage) -> None:
        stage.mint(7 * ONE, REQUEST)
        block = final(stage)

        assert stage.chain.balances(stage.token, [NOBODY, ALICE], at=block) == [0, 7 * ONE]
        assert stage.chain.balances(stage.token, [], at=block) == []


class TestSupplyChanges:
    def test_are_mints_and_burns_with_their_requests(self, stage: Stage) -> None:
        first = final(stage).number + 1
        stage.mint(3 * ONE, REQUEST)
        holder = stage.burn(ONE, OTHER)
        block = final(stage)

        minted, burned = stage.chain.supply_changes(stage.token, first=first, last=block)

        assert (minted.kind, minted.address, minted.base_units) == (
            EventKind.MINT,
            ALICE,
            3 * ONE,
        )
        assert minted.request_id == request_id_bytes32(REQUEST)
        assert minted.block == stage.chain.block(minted.block.number)
        assert (burned.kind, burned.address, burned.base_units) == (EventKind.BURN, holder, ONE)
        assert burned.request_id == request_id_bytes32(OTHER)

    def test_are_those_of_the_range_alone(self, stage: Stage) -> None:
        stage.mint(ONE, REQUEST)
        block = final(stage)

        assert stage.chain.supply_changes(stage.token, first=block.number + 1, last=block) == []
        [change] = stage.chain.supply_changes(stage.token, first=0, last=block)
        assert stage.chain.supply_changes(
            stage.token, first=change.block.number, last=change.block
        ) == [change]

    def test_are_not_read_up_to_a_block_that_is_no_more(self, stage: Stage) -> None:
        stage.mint(ONE, REQUEST)
        gone = stage.chain.block(stage.chain.final_block().number + 2)
        stage.reorganize()

        with pytest.raises(ChainUnavailable):
            stage.chain.supply_changes(stage.token, first=0, last=gone)


class TestTransfersTo:
    def test_are_what_others_sent(self, stage: Stage) -> None:
        first = final(stage).number + 1
        stage.mint(3 * ONE, REQUEST)
        stage.send(CAROL, ONE)
        stage.send(NOBODY, ONE)
        block = final(stage)

        [transfer] = stage.chain.transfers_to(stage.token, [CAROL], first=first, last=block)

        assert (transfer.sender, transfer.recipient) == (ALICE, CAROL)
        assert transfer.base_units == ONE
        assert transfer.block == stage.chain.block(transfer.block.number)
        both = stage.chain.transfers_to(stage.token, [NOBODY, CAROL], first=first, last=block)
        assert [each.recipient for each in both] == [CAROL, NOBODY]
        assert both[0] == transfer

    def test_are_no_mints_nor_transfers_of_nothing_or_to_oneself(self, stage: Stage) -> None:
        stage.mint(3 * ONE, REQUEST)
        stage.send(ALICE, ONE)
        stage.send(CAROL, 0)
        block = final(stage)

        assert stage.chain.transfers_to(stage.token, [ALICE, CAROL], first=0, last=block) == []
        assert stage.chain.transfers_to(stage.token, [], first=0, last=block) == []

    def test_are_those_of_the_range_alone(self, stage: Stage) -> None:
        stage.mint(3 * ONE, REQUEST)
        stage.send(CAROL, ONE)
        block = final(stage)

        later = stage.chain.transfers_to(stage.token, [CAROL], first=block.number + 1, last=block)
        assert later == []

    def test_are_not_read_up_to_a_block_that_is_no_more(self, stage: Stage) -> None:
        stage.mint(ONE, REQUEST)
        gone = stage.chain.block(stage.chain.final_block().number + 2)
        stage.reorganize()

        with pytest.raises(ChainUnavailable):
            stage.chain.transfers_to(stage.token, [CAROL], first=0, last=gone)


class TestRoleHolders:
    @pytest.mark.parametrize("purpose", SignerPurpose)
    def test_are_those_of_each_role_as_of_the_block(
        self, stage: Stage, purpose: SignerPurpose
    ) -> None:
        before = final(stage)
        stage.appoint(purpose, CAROL)
        after = final(stage)

        ours = {purpose: [make.signer(key).address] for purpose, key in make.KEYS.items()}
        assert stage.chain.role_holders(stage.token, at=before) == ours
        joined = {purpose: sorted([CAROL, *ours[purpose]])}
        assert stage.chain.role_holders(stage.token, at=after) == ours | joined

    def test_of_no_contract_are_unknown(self, stage: Stage) -> None:
        with pytest.raises(ChainUnavailable):
            stage.chain.role_holders(NOBODY, at=final(stage))


class TestSendersOf:
    def test_come_in_the_order_asked_for(self, stage: Stage) -> None:
        transaction = signed(stage)
        stage.chain.broadcast(transaction.raw)
        stage.mine()

        assert stage.chain.senders_of([]) == []
        assert stage.chain.senders_of([transaction.hash] * 2) == [MINTER.address] * 2

    def test_of_a_transaction_that_the_node_does_not_find_are_unknown(self, stage: Stage) -> None:
        transaction = signed(stage)
        stage.chain.broadcast(transaction.raw)
        stage.mine()

        with pytest.raises(ChainUnavailable):
            stage.chain.senders_of([transaction.hash, "0x" + "12" * 32])


class TestBroadcast:
    def test_leads_to_a_receipt_and_may_be_repeated(self, stage: Stage) -> None:
        stage.hold_back()
        transaction = signed(stage)
        nonce = stage.chain.next_nonce(MINTER.address)

        stage.chain.broadcast(transaction.raw)
        stage.chain.broadcast(transaction.raw)
        assert stage.chain.receipt(transaction.hash) is None
        stage.mine()
        stage.chain.broadcast(transaction.raw)
        stage.mine()

        receipt = stage.chain.receipt(transaction.hash)
        assert receipt is not None
        assert receipt.succeeded
        assert receipt.block_hash == stage.chain.block(receipt.block_number).hash
        assert stage.chain.next_nonce(MINTER.address) == nonce + 1
        assert stage.chain.total_supply(stage.token, at=final(stage)) == ONE

    def test_of_a_request_that_was_used_meanwhile_reverts(self, stage: Stage) -> None:
        stage.hold_back()
        nonce = stage.chain.next_nonce(MINTER.address)
        first, second = signed(stage), signed(stage, nonce=nonce + 1)

        stage.chain.broadcast(first.raw)
        stage.chain.broadcast(second.raw)
        stage.mine()

        receipt = stage.chain.receipt(second.hash)
        assert receipt is not None
        assert not receipt.succeeded

    def test_of_what_pays_less_than_a_block_asks_is_refused(self, stage: Stage) -> None:
        stage.hold_back()
        transaction = signed(stage)
        stage.raise_base_fee(9_000_000_000)

        with pytest.raises(Underpriced):
            stage.chain.broadcast(transaction.raw)

        again = signed(stage)
        stage.chain.broadcast(again.raw)
        stage.mine()
        assert stage.chain.receipt(transaction.hash) is None
        assert stage.chain.receipt(again.hash) is not None

    def test_of_what_does_not_outbid_what_waits_is_refused(self, stage: Stage) -> None:
        stage.hold_back()
        first, second = signed(stage), signed(stage, UUID(int=8))
        stage.chain.broadcast(first.raw)

        with pytest.raises(Underpriced):
            stage.chain.broadcast(second.raw)

        stage.mine()
        assert stage.chain.receipt(first.hash) is not None
        assert stage.chain.receipt(second.hash) is None

    def test_is_undone_by_a_reorganization(self, stage: Stage) -> None:
        stage.hold_back()
        transaction = signed(stage)
        stage.chain.broadcast(transaction.raw)
        stage.mine()

        stage.reorganize()

        assert stage.chain.receipt(transaction.hash) is None


class TestNextNonce:
    def test_counts_up_to_the_block_asked_for(self, stage: Stage) -> None:
        before = final(stage)
        count = stage.chain.next_nonce(MINTER.address, at=before)
        stage.chain.broadcast(signed(stage).raw)
        stage.mine()

        assert stage.chain.next_nonce(MINTER.address) == count + 1
        assert stage.chain.next_nonce(MINTER.address, at=before) == count
        assert stage.chain.next_nonce(NOBODY) == 0


class TestRequestUsed:
    def test_is_as_of_the_block_asked_for(self, stage: Stage) -> None:
        before = final(stage)
        stage.mint(ONE, REQUEST)
        after = final(stage)
        name = request_id_bytes32(REQUEST)

        assert not stage.chain.request_used(stage.token, name, at=before)
        assert stage.chain.request_used(stage.token, name, at=after)


class TestQuote:
    def test_offers_something_and_leaves_a_margin(self, stage: Stage) -> None:
        calldata = calls.mint(recipient=ALICE, base_units=ONE, request_id=REQUEST).calldata

        quote = stage.chain.quote(sender=MINTER.address, contract=stage.token, calldata=calldata)

        assert quote.max_fee_per_gas >= quote.max_priority_fee_per_gas > 0
        assert 60_000 < quote.gas_limit < 200_000

    def test_tells_what_the_contract_would_refuse(self, stage: Stage) -> None:
        stage.mint(ONE, REQUEST)
        calldata = calls.mint(recipient=ALICE, base_units=ONE, request_id=REQUEST).calldata

        with pytest.raises(TransactionRefusedByContract):
            stage.chain.quote(sender=MINTER.address, contract=stage.token, calldata=calldata)

    def test_does_not_take_an_empty_address_for_a_contract(self, stage: Stage) -> None:
        with pytest.raises(ChainUnavailable):
            stage.chain.quote(sender=MINTER.address, contract=NOBODY, calldata=b"mint")


class TestQuoteNothing:
    def test_offers_enough_to_take_the_place_of_a_mint_that_waits(self, stage: Stage) -> None:
        """Of one nonce the chain takes what outbids: here, what sends nothing to itself."""
        stage.hold_back()
        nonce = stage.chain.next_nonce(MINTER.address)
        mint = signed(stage)
        quote = stage.chain.quote_nothing(MINTER.address)
        assert quote.max_fee_per_gas >= quote.max_priority_fee_per_gas > 0
        assert 21_000 <= quote.gas_limit < 60_000
        nothing = MINTER.sign(
            UnsignedTransaction(
                chain_id=CHAIN_ID,
                nonce=nonce,
                contract=MINTER.address,
                calldata=b"",
                fees=replace(
                    quote,
                    max_fee_per_gas=quote.max_fee_per_gas * 2,
                    max_priority_fee_per_gas=quote.max_priority_fee_per_gas * 2,
                ),
            )
        )
        stage.chain.broadcast(mint.raw)
        stage.chain.broadcast(nothing.raw)
        with pytest.raises(Underpriced):  # too late: what waits outbids it
            stage.chain.broadcast(mint.raw)

        stage.mine()
        block = final(stage)

        receipt = stage.chain.receipt(nothing.hash)
        assert receipt is not None
        assert receipt.succeeded
        assert stage.chain.receipt(mint.hash) is None
        assert stage.chain.next_nonce(MINTER.address, at=block) == nonce + 1
        assert stage.chain.total_supply(stage.token, at=block) == 0
