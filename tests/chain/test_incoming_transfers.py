"""What is sent to redemption addresses: each transfer once, from final blocks alone."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from threading import Barrier
from typing import Any

import pytest
from django.db import connection

from issuer.chain import services
from issuer.chain.errors import ChainUnavailable
from issuer.chain.evm import EvmChain
from issuer.chain.models import ChainEvent, IncomingTransfer, ScanCursor, SupplySnapshot
from issuer.chain.readers import TokenTransfer
from issuer.chain.states import EventKind
from issuer.foundation.actors import Actor
from issuer.instruments.models import ControlledAddress, ControlledRole, Deployment
from issuer.sandbox.anvil import CHAIN_ID
from tests.chain.stock import Stock, request_id
from tests.chain.test_models import insert_copy
from tests.fakes.chain import FakeChain
from tests.make import chain as make
from tests.make import instruments, parties
from tests.violations import refused_by

pytestmark = pytest.mark.django_db

ONE = 10**18
SECOND = timedelta(seconds=1)

Scan = Callable[..., SupplySnapshot]


@pytest.fixture
def chain() -> FakeChain:
    return FakeChain()


@pytest.fixture
def deployment(chain: FakeChain) -> Deployment:
    return instruments.deployment(address=chain.deploy(), deployed_block=1)


@pytest.fixture
def scan(chain: FakeChain, deployment: Deployment, system: Actor, at: datetime) -> Scan:
    def scan(*, reader: FakeChain = chain, at: datetime = at) -> SupplySnapshot:
        return services.scan_deployment(deployment, reader=reader, actor=system, at=at)

    return scan


class TestScanOfWhatIsSentToUs:
    """What comes to redemption addresses: each transfer once, whenever the address is declared."""

    @pytest.fixture
    def ours(self, deployment: Deployment) -> str:
        return make.redemption_address(deployment.network).address

    @pytest.fixture
    def bob(self) -> str:
        return parties.evm_address()

    def sent(self) -> list[tuple[str, str, int]]:
        rows = IncomingTransfer.objects.order_by("block_number", "log_index")
        return [(row.sender, row.recipient, row.base_units) for row in rows]

    def test_records_it_with_its_block(
        self,
        chain: FakeChain,
        deployment: Deployment,
        scan: Scan,
        at: datetime,
        ours: str,
        bob: str,
    ) -> None:
        chain.change(deployment.address, EventKind.MINT, bob, 9 * ONE)
        chain.transfer(deployment.address, bob, ours, 6 * ONE)
        chain.mine()
        block = chain.mined[-1].block
        chain.finalize()

        snapshot = scan()

        transfer = IncomingTransfer.objects.get()
        assert (transfer.deployment, transfer.base_units) == (deployment, 6 * ONE)
        assert (transfer.sender, transfer.recipient) == (bob, ours)
        assert (transfer.block_number, transfer.block_hash) == (block.number, block.hash)
        assert (transfer.block_mined_at, transfer.seen_at) == (block.mined_at, at)
        [(_, change)] = chain.mined[block.number].transfers
        assert transfer.transaction_hash == change.transaction_hash
        assert transfer.log_index == change.log_index == 1
        assert snapshot.controlled_base_units == {ours: str(6 * ONE)}
        assert ScanCursor.objects.get().recipients == {ours: snapshot.block_number}

    def test_records_nothing_else(
        self, chain: FakeChain, deployment: Deployment, scan: Scan, ours: str, bob: str
    ) -> None:
        treasury = instruments.controlled_address(network_=deployment.network).address
        elsewhere = instruments.controlled_address(role=ControlledRole.REDEMPTION).address
        chain.change(deployment.address, EventKind.MINT, ours, 9 * ONE)
        chain.transfer(deployment.address, bob, treasury, ONE)
        chain.transfer(deployment.address, bob, elsewhere, ONE)
        chain.transfer(deployment.address, ours, bob, ONE)
        chain.transfer(deployment.address, ours, ours, ONE)
        chain.transfer(deployment.address, bob, ours, 0)
        chain.change(deployment.address, EventKind.BURN, ours, ONE)
        chain.mine()
        chain.finalize()

        scan()

        assert self.sent() == []
        assert ChainEvent.objects.count() == 2

    def test_records_it_once_however_often_it_is_read(
        self,
        chain: FakeChain,
        deployment: Deployment,
        scan: Scan,
        at: datetime,
        ours: str,
        bob: str,
    ) -> None:
        for number in range(1, 4):
            chain.transfer(deployment.address, bob, ours, number)
            chain.mine()
            chain.finalize()
            scan(at=at + number * SECOND)
            scan(at=at + number * SECOND)

        assert self.sent() == [(bob, ours, 1), (bob, ours, 2), (bob, ours, 3)]

    def test_never_takes_it_from_a_block_that_is_replaced(
        self,
        chain: FakeChain,
        deployment: Deployment,
        scan: Scan,
        at: datetime,
        ours: str,
        bob: str,
    ) -> None:
        chain.finalize()
        chain.transfer(deployment.address, bob, ours, ONE)
        chain.mine()
        scan()
        chain.reorganize(2)
        scan(at=at + SECOND)
        chain.finalize()

        scan(at=at + 2 * SECOND)

        assert self.sent() == []
        assert ScanCursor.objects.get().block_number == chain.final_block().number

    def test_leaves_everything_as_it_was_where_it_cannot_be_read(
        self, chain: FakeChain, deployment: Deployment, scan: Scan, ours: str, bob: str
    ) -> None:
        class Forgetful(FakeChain):
            """Tells everything but transfers."""

            def transfers_to(self, *_: object, **__: object) -> list[TokenTransfer]:
                raise ChainUnavailable("Too many results.")

        chain.change(deployment.address, EventKind.MINT, bob, ONE)
        chain.mine()
        chain.finalize()
        forgetful = Forgetful()
        forgetful.mined, forgetful.state = chain.mined, chain.state

        with pytest.raises(ChainUnavailable):
            scan(reader=forgetful)

        assert not ChainEvent.objects.exists()
        assert not ScanCursor.objects.exists()


class TestScanAfterAnAddressIsDeclared:
    """What was sent to a redemption address before it was one."""

    @pytest.fixture
    def bob(self) -> str:
        return parties.evm_address()

    @pytest.fixture
    def ours(self, chain: FakeChain, deployment: Deployment, scan: Scan, bob: str) -> str:
        """An address that the cursor has passed: bob has sent 1 and 2 there."""
        ours = parties.evm_address()
        for number in (1, 2):
            chain.change(deployment.address, EventKind.MINT, bob, ONE)
            chain.transfer(deployment.address, bob, ours, number)
            chain.mine()
        chain.finalize()
        scan()
        assert not IncomingTransfer.objects.exists()
        return ours

    def declare(self, deployment: Deployment, address: str) -> ControlledAddress:
        return instruments.controlled_address(
            network_=deployment.network, address=address, role=ControlledRole.REDEMPTION
        )

    def amounts(self) -> list[int]:
        return [row.base_units for row in IncomingTransfer.objects.order_by("block_number")]

    def test_is_found_though_the_cursor_is_past_it(
        self,
        chain: FakeChain,
        deployment: Deployment,
        scan: Scan,
        at: datetime,
        ours: str,
        bob: str,
    ) -> None:
        self.declare(deployment, ours)
        chain.transfer(deployment.address, bob, ours, 3)
        chain.mine()
        chain.finalize()

        scan(at=at + SECOND)
        scan(at=at + 2 * SECOND)

        assert self.amounts() == [1, 2, 3]
        assert ChainEvent.objects.count() == 2

    def test_is_found_even_if_the_final_block_has_not_moved(
        self, deployment: Deployment, scan: Scan, at: datetime, ours: str
    ) -> None:
        snapshot = SupplySnapshot.objects.get()
        self.declare(deployment, ours)

        assert scan(at=at + SECOND) == snapshot

        assert self.amounts() == [1, 2]
        assert ScanCursor.objects.get().recipients == {ours: snapshot.block_number}
        assert ChainEvent.objects.count() == 2

    def test_is_read_beside_what_comes_to_the_addresses_before_it(
        self,
        chain: FakeChain,
        deployment: Deployment,
        scan: Scan,
        at: datetime,
        ours: str,
        bob: str,
    ) -> None:
        older = self.declare(deployment, parties.evm_address()).address
        scan(at=at + SECOND)
        self.declare(deployment, ours)
        chain.transfer(deployment.address, bob, older, 7)
        chain.mine()
        chain.finalize()

        scan(at=at + 2 * SECOND)

        assert self.amounts() == [1, 2, 7]
        final = chain.final_block().number
        assert ScanCursor.objects.get().recipients == {older: final, ours: final}

    def test_is_caught_up_with_piece_by_piece_and_keeps_no_mint_waiting(
        self,
        chain: FakeChain,
        deployment: Deployment,
        scan: Scan,
        at: datetime,
        ours: str,
        bob: str,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr("issuer.chain.services._reading.PAST_BLOCKS_PER_SCAN", 2)
        self.declare(deployment, ours)
        chain.change(deployment.address, EventKind.MINT, bob, ONE)
        chain.mine()
        chain.finalize()

        seen = []
        for number in range(1, 5):
            snapshot = scan(at=at + number * SECOND)
            seen.append((self.amounts(), ScanCursor.objects.get().recipients[ours]))

        assert snapshot.total_supply_base_units == 3 * ONE
        assert ChainEvent.objects.count() == 3
        assert seen == [([1], 2), ([1, 2], 4), ([1, 2], 6), ([1, 2], 6)]

    def test_goes_on_where_it_stood_if_it_was_something_else_meanwhile(
        self,
        chain: FakeChain,
        deployment: Deployment,
        scan: Scan,
        at: datetime,
        ours: str,
        bob: str,
    ) -> None:
        address = self.declare(deployment, ours)
        scan(at=at + SECOND)
        address.role = ControlledRole.TREASURY
        address.save()
        chain.transfer(deployment.address, bob, ours, 3)
        chain.mine()
        chain.finalize()
        scan(at=at + 2 * SECOND)
        assert self.amounts() == [1, 2]
        address.role = ControlledRole.REDEMPTION
        address.save()

        scan(at=at + 3 * SECOND)

        assert self.amounts() == [1, 2, 3]


class TestScanOnAnvil:
    """What a real chain does to blocks that are not final yet."""

    @pytest.fixture
    def apple(self, stock: Stock) -> Deployment:
        row = instruments.deployment(address=stock.address, deployed_block=0)
        instruments.controlled_address(
            network_=row.network, address=stock.account["bob"], role=ControlledRole.REDEMPTION
        )
        return row

    def test_takes_a_transfer_once_and_none_that_is_reorganized_away(
        self, stock: Stock, apple: Deployment, system: Actor, at: datetime
    ) -> None:
        chain = EvmChain(stock.anvil.rpc, chain_id=CHAIN_ID)
        alice, bob = stock.account["alice"], stock.account["bob"]

        def scan(minutes: int) -> SupplySnapshot:
            return services.scan_deployment(
                apple, reader=chain, actor=system, at=at + minutes * 60 * SECOND
            )

        stock.do("minter", "mint", alice, 9 * ONE, request_id(1))
        stock.do("alice", "transfer", bob, 2 * ONE)
        stock.anvil.finalize()
        scan(0)
        stock.do("alice", "transfer", bob, 5 * ONE)
        scan(1)
        stock.anvil.rpc.call("anvil_reorg", [1, []], result=object)
        scan(2)
        stock.anvil.mine(3)
        scan(3)
        stock.do("alice", "transfer", bob, ONE)
        stock.anvil.finalize()

        snapshot = scan(4)

        transfers = IncomingTransfer.objects.order_by("block_number")
        assert [(row.sender, row.base_units) for row in transfers] == [
            (alice, 2 * ONE),
            (alice, ONE),
        ]
        assert [chain.block(row.block_number).hash for row in transfers] == [
            row.block_hash for row in transfers
        ]
        assert snapshot.controlled_base_units == {bob: str(3 * ONE)}
        assert snapshot.minters == [stock.account["minter"]]
        assert ChainEvent.objects.get().sender == stock.account["minter"]


@pytest.mark.django_db(transaction=True)
class TestScansAtOnce:
    """Several processes, each with a connection of its own."""

    def at_once(self, scan: Scan) -> Sequence[SupplySnapshot]:
        barrier = Barrier(4)

        def carry_out(_number: int) -> SupplySnapshot:
            try:
                barrier.wait(timeout=10)
                return scan()
            finally:
                connection.close()

        with ThreadPoolExecutor(4) as pool:
            return list(pool.map(carry_out, range(4)))

    def test_record_a_transfer_once(
        self, chain: FakeChain, deployment: Deployment, scan: Scan
    ) -> None:
        ours = make.redemption_address(deployment.network).address
        chain.transfer(deployment.address, parties.evm_address(), ours, ONE)
        chain.mine()
        chain.finalize()

        results = self.at_once(scan)

        assert set(results) == {SupplySnapshot.objects.get()}
        assert IncomingTransfer.objects.get().base_units == ONE

    def test_record_the_past_of_an_address_once(
        self, chain: FakeChain, deployment: Deployment, scan: Scan
    ) -> None:
        ours = parties.evm_address()
        chain.transfer(deployment.address, parties.evm_address(), ours, ONE)
        chain.mine()
        chain.finalize()
        snapshot = scan()
        instruments.controlled_address(
            network_=deployment.network, address=ours, role=ControlledRole.REDEMPTION
        )

        results = self.at_once(scan)

        assert set(results) == {snapshot}
        assert IncomingTransfer.objects.get().base_units == ONE


class TestIncomingTransfer:
    """What PostgreSQL refuses, past all Python."""

    @pytest.mark.parametrize(
        ("constraint", "columns"),
        [
            ("incoming_transfer_once", {}),
            ("incoming_transfer_brings_something", {"base_units": 0, "log_index": 9}),
            ("incoming_transfer_comes_from_another", {"log_index": 9}),
        ],
    )
    def test_refuses(self, constraint: str, columns: dict[str, Any]) -> None:
        row = make.incoming_transfer()
        if constraint.endswith("another"):
            columns = columns | {"sender": row.recipient}

        with refused_by(constraint):
            insert_copy(row, **columns)

        assert IncomingTransfer.objects.get() == row

    def test_rows_neither_change_nor_go(self) -> None:
        row = make.incoming_transfer()

        with refused_by("chain_incomingtransfer_append_only"):
            IncomingTransfer.objects.filter(pk=row.pk).update(base_units=2)
        with refused_by("chain_incomingtransfer_append_only"), connection.cursor() as cursor:
            cursor.execute("DELETE FROM chain_incomingtransfer WHERE id = %s", [row.pk])

    def test_tells_staff_what_it_is(self) -> None:
        row = make.incoming_transfer(base_units=5)

        assert str(row) == f"5 from {row.sender} in {row.transaction_hash}"
