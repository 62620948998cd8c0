"""Reading a deployment up to its final block."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

import pytest

from issuer.audit.models import AuditEvent
from issuer.chain import selectors, services, token_contract
from issuer.chain.errors import ChainUnavailable, Reorganized
from issuer.chain.models import (
    ChainEvent,
    IntentTransition,
    NetworkTrouble,
    ScanCursor,
    SupplySnapshot,
    TransactionIntent,
)
from issuer.chain.request_ids import request_id_bytes32
from issuer.chain.states import EventKind, IntentState
from issuer.foundation.actors import Actor
from issuer.instruments.models import Deployment, Network
from tests.fakes.chain import FakeChain
from tests.make import chain as make
from tests.make import instruments, parties

pytestmark = pytest.mark.django_db

ONE = 10**18
SECOND = timedelta(seconds=1)


@pytest.fixture
def chain() -> FakeChain:
    return FakeChain()


@pytest.fixture
def deployment(chain: FakeChain) -> Deployment:
    return instruments.deployment(address=chain.deploy(), deployed_block=1)


@pytest.fixture
def scan(
    chain: FakeChain, deployment: Deployment, system: Actor, at: datetime
) -> Callable[..., SupplySnapshot]:
    def scan(
        *, of: Deployment = deployment, reader: FakeChain = chain, at: datetime = at
    ) -> SupplySnapshot:
        return services.scan_deployment(of, reader=reader, actor=system, at=at)

    return scan


Scan = Callable[..., SupplySnapshot]


def audited(network: Network) -> list[str]:
    """Return what the trail says of the network's troubles."""
    troubles = list(network.troubles.values_list("pk", flat=True))
    events = AuditEvent.objects.filter(subject_id__in=troubles).order_by("id")
    return list(events.values_list("action", flat=True))


class TestScanDeployment:
    def test_records_the_supply_and_what_changed_it(
        self, chain: FakeChain, deployment: Deployment, scan: Scan, at: datetime
    ) -> None:
        alice, treasury = parties.evm_address(), parties.evm_address()
        instruments.controlled_address(network_=deployment.network, address=treasury)
        chain.change(
            deployment.address, EventKind.MINT, alice, 5 * ONE, request_id="0x" + "01" * 32
        )
        chain.change(deployment.address, EventKind.MINT, treasury, 2 * ONE)
        chain.mine()
        chain.change(deployment.address, EventKind.BURN, alice, ONE)
        chain.set_multiplier(deployment.address, 2 * ONE)
        chain.mine()
        chain.finalize()

        snapshot = scan()

        final = chain.final_block()
        assert (snapshot.block_number, snapshot.block_hash) == (final.number, final.hash)
        assert snapshot.block_mined_at == final.mined_at
        assert snapshot.total_supply_base_units == 6 * ONE
        assert snapshot.ui_multiplier_base_units == 2 * ONE
        assert snapshot.controlled_base_units == {treasury: str(2 * ONE)}
        assert snapshot.taken_at == at
        assert [
            (event.kind, event.address, event.base_units, event.request_id)
            for event in ChainEvent.objects.all()
        ] == [
            ("MINT", alice, 5 * ONE, "0x" + "01" * 32),
            ("MINT", treasury, 2 * ONE, ""),
            ("BURN", alice, ONE, ""),
        ]
        cursor = ScanCursor.objects.get(deployment=deployment)
        assert (cursor.block_number, cursor.block_hash) == (final.number, final.hash)

    def test_takes_nothing_from_blocks_that_can_be_replaced(
        self, chain: FakeChain, deployment: Deployment, scan: Scan
    ) -> None:
        chain.finalize()
        chain.change(deployment.address, EventKind.MINT, parties.evm_address(), ONE)
        chain.mine()

        snapshot = scan()

        assert snapshot.total_supply_base_units == 0
        assert not ChainEvent.objects.exists()

    def test_goes_on_from_where_it_stands(
        self, chain: FakeChain, deployment: Deployment, scan: Scan, at: datetime
    ) -> None:
        holder = parties.evm_address()
        chain.change(deployment.address, EventKind.MINT, holder, ONE)
        chain.mine()
        chain.finalize()
        scan()
        chain.change(deployment.address, EventKind.MINT, holder, ONE)
        chain.mine()
        chain.finalize()

        snapshot = scan(at=at + SECOND)

        assert snapshot.total_supply_base_units == 2 * ONE
        assert ChainEvent.objects.count() == 2
        assert SupplySnapshot.objects.count() == 2

    def test_records_a_block_once(
        self, chain: FakeChain, deployment: Deployment, scan: Scan, at: datetime
    ) -> None:
        chain.finalize()
        first = scan()

        assert scan(at=at + SECOND) == first

        assert SupplySnapshot.objects.get() == first
        assert ScanCursor.objects.get().scanned_at == at + SECOND

    def test_leaves_the_writing_to_a_faster_scan(
        self, chain: FakeChain, deployment: Deployment, scan: Scan, system: Actor, at: datetime
    ) -> None:
        chain.change(deployment.address, EventKind.MINT, parties.evm_address(), ONE)
        chain.mine()
        chain.finalize()

        class Overtaken(FakeChain):
            """Lets another scan finish while this one has read, but not yet written."""

            def ui_multiplier(self, contract: str, *, at: object) -> int:
                answer = chain.ui_multiplier(contract, at=at)  # type: ignore[arg-type]  # a Block
                if not SupplySnapshot.objects.exists():
                    scan()
                return answer

        overtaken = Overtaken()
        overtaken.mined, overtaken.state = chain.mined, chain.state

        snapshot = scan(reader=overtaken)

        assert SupplySnapshot.objects.get() == snapshot
        assert ChainEvent.objects.count() == 1

    def test_reads_long_ranges_in_pieces(
        self,
        chain: FakeChain,
        deployment: Deployment,
        scan: Scan,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr("issuer.chain.services._reading.BLOCKS_PER_READ", 2)
        for _ in range(5):
            chain.change(deployment.address, EventKind.MINT, parties.evm_address(), ONE)
            chain.mine()
        chain.finalize()

        scan()

        assert [event.block_number for event in ChainEvent.objects.all()] == [2, 3, 4, 5, 6]

    def test_records_who_holds_each_role(
        self, chain: FakeChain, deployment: Deployment, scan: Scan
    ) -> None:
        thief, grantor = parties.evm_address(), parties.evm_address()
        chain.grant(deployment.address, token_contract.MINTER_ROLE, thief)
        chain.grant(deployment.address, token_contract.DEFAULT_ADMIN_ROLE, grantor)
        chain.mine()
        chain.finalize()

        snapshot = scan()

        ours = {purpose.value: [make.signer(key).address] for purpose, key in make.KEYS.items()}
        minters = sorted([*ours.pop("MINTER"), thief])
        others = ours | {"ADMIN": sorted([*ours["ADMIN"], grantor])}
        snapshot.refresh_from_db()
        assert (snapshot.minters, snapshot.role_holders) == (minters, others)
        assert snapshot.holders == {"MINTER": minters, **others}

    def test_records_who_signed_a_mint_that_is_not_ours(
        self, chain: FakeChain, deployment: Deployment, scan: Scan
    ) -> None:
        thief, victim = parties.evm_address(), parties.evm_address()
        ours = make.intent(deployment).attempts.get()
        for _ in range(2):
            chain.change(deployment.address, EventKind.MINT, victim, ONE, sender=thief)
        chain.change(deployment.address, EventKind.BURN, victim, ONE, sender=victim)
        chain.mine()
        [_, (where, change), _] = chain.mined[-1].changes
        chain.mined[-1].changes[1] = where, replace(change, transaction_hash=ours.transaction_hash)
        chain.finalize()

        scan()

        assert [event.sender for event in ChainEvent.objects.all()] == [thief, "", ""]

    def test_takes_no_mint_until_the_node_says_who_signed_it(
        self, chain: FakeChain, deployment: Deployment, scan: Scan, at: datetime
    ) -> None:
        thief = parties.evm_address()
        chain.change(deployment.address, EventKind.MINT, parties.evm_address(), ONE, sender=thief)
        chain.mine()
        chain.finalize()
        senders = dict(chain.mined[-3].senders)
        chain.mined[-3].senders.clear()

        with pytest.raises(ChainUnavailable, match="does not find"):
            scan()

        assert not ChainEvent.objects.exists()
        assert not SupplySnapshot.objects.exists()
        assert selectors.open_trouble(deployment.network) is not None
        chain.mined[-3].senders.update(senders)
        scan(at=at + SECOND)
        assert ChainEvent.objects.get().sender == thief
        assert selectors.open_trouble(deployment.network) is None


class TestScanThatFails:
    def test_leaves_trouble_and_nothing_else(
        self, chain: FakeChain, deployment: Deployment, scan: Scan, at: datetime
    ) -> None:
        chain.finalize()
        chain.silent = True

        with pytest.raises(ChainUnavailable):
            scan()

        trouble = NetworkTrouble.objects.get()
        assert trouble == selectors.open_trouble(deployment.network)
        assert (trouble.reason, trouble.since) == ("The node did not answer.", at)
        assert not SupplySnapshot.objects.exists()
        assert not ScanCursor.objects.exists()
        assert audited(deployment.network) == ["network.note_trouble"]

    def test_again_prolongs_the_trouble(self, chain: FakeChain, scan: Scan, at: datetime) -> None:
        chain.silent = True
        for delay in (SECOND, 3 * SECOND, 2 * SECOND):
            with pytest.raises(ChainUnavailable):
                scan(at=at + delay)

        trouble = NetworkTrouble.objects.get()
        assert (trouble.since, trouble.last_seen_at) == (at + SECOND, at + 3 * SECOND)

    def test_where_there_is_no_contract_is_not_a_supply_of_zero(
        self, chain: FakeChain, scan: Scan
    ) -> None:
        chain.finalize()
        nowhere = instruments.deployment(deployed_block=1)

        with pytest.raises(ChainUnavailable):
            scan(of=nowhere)

        assert NetworkTrouble.objects.get().network == nowhere.network
        assert not SupplySnapshot.objects.exists()

    def test_before_the_contract_is_final(self, chain: FakeChain, scan: Scan) -> None:
        with pytest.raises(ChainUnavailable, match="not final yet"):
            scan()

    def test_at_a_node_that_is_behind(self, chain: FakeChain, scan: Scan, at: datetime) -> None:
        chain.mine(5)
        scan()
        del chain.mined[-2:]

        with pytest.raises(ChainUnavailable, match="behind"):
            scan(at=at + SECOND)

        assert SupplySnapshot.objects.count() == 1

    @pytest.mark.parametrize("further", [0, 4])
    def test_where_a_final_block_was_replaced(
        self, chain: FakeChain, deployment: Deployment, scan: Scan, at: datetime, further: int
    ) -> None:
        chain.mine(5)
        scan()

        chain.reorganize(4)
        chain.mine(further)

        with pytest.raises(Reorganized):
            scan(at=at + SECOND)
        trouble = selectors.open_trouble(deployment.network)
        assert trouble is not None
        assert "was final as" in trouble.reason
        assert SupplySnapshot.objects.count() == 1

    def test_is_over_once_every_deployment_has_been_read_again(
        self, chain: FakeChain, deployment: Deployment, scan: Scan, at: datetime
    ) -> None:
        other = instruments.deployment(
            network_=deployment.network, address=chain.deploy(), deployed_block=1
        )
        chain.finalize()
        chain.silent = True
        with pytest.raises(ChainUnavailable):
            scan()
        chain.silent = False

        scan(at=at + SECOND)
        assert selectors.open_trouble(deployment.network) is not None
        scan(of=other, at=at + 2 * SECOND)

        assert selectors.open_trouble(deployment.network) is None
        assert NetworkTrouble.objects.get().ended_at == at + 2 * SECOND
        assert audited(deployment.network) == ["network.note_trouble", "network.end_trouble"]

    def test_goes_on_if_one_deployment_fails_again_before_the_other_is_read(
        self, chain: FakeChain, deployment: Deployment, scan: Scan, at: datetime
    ) -> None:
        other = instruments.deployment(
            network_=deployment.network, address=chain.deploy(), deployed_block=1
        )
        chain.finalize()
        chain.silent = True
        with pytest.raises(ChainUnavailable):
            scan()
        chain.silent = False
        scan(at=at + SECOND)
        chain.silent = True
        with pytest.raises(ChainUnavailable):
            scan(at=at + 2 * SECOND)
        chain.silent = False

        scan(of=other, at=at + 3 * SECOND)

        assert selectors.open_trouble(deployment.network) is not None


class TestScanThatFindsAMint:
    """Which events an intent explains: only its own transaction, to the letter."""

    REQUEST = UUID("0197a1de-0000-7000-8000-000000000001")

    @pytest.fixture
    def intent(self, deployment: Deployment) -> TransactionIntent:
        return make.intent(deployment, request_id=self.REQUEST, base_units=5 * ONE)

    def mined(
        self,
        chain: FakeChain,
        intent: TransactionIntent,
        *,
        address: str | None = None,
        base_units: int | None = None,
        request_id: str | None = None,
        ours: bool = True,
    ) -> None:
        """Mine and finalize an event; make its transaction our attempt's."""
        contract = intent.deployment.address
        chain.change(
            contract,
            EventKind.MINT,
            address or intent.account,
            base_units or intent.base_units,
            request_id=request_id_bytes32(intent.request_id) if request_id is None else request_id,
        )
        chain.mine()
        if ours:
            [(where, change)] = chain.mined[-1].changes
            copy = make.attempt(intent)
            ours_now = replace(change, transaction_hash=copy.transaction_hash)
            chain.mined[-1].changes = [(where, ours_now)]
        chain.finalize()

    @pytest.mark.parametrize(
        "state", [IntentState.SIGNED, IntentState.BROADCAST, IntentState.MINED]
    )
    def test_makes_the_intent_final(
        self, chain: FakeChain, intent: TransactionIntent, scan: Scan, state: IntentState
    ) -> None:
        self.mined(chain, intent)
        intent.state = state
        intent.save()

        scan()

        intent.refresh_from_db()
        event = ChainEvent.objects.get()
        assert (intent.state, intent.event) == (IntentState.FINAL, event)
        steps = list(IntentTransition.objects.order_by("id").values_list("step", flat=True))
        assert steps == (["FINALIZE"] if state == IntentState.MINED else ["SEE_MINED", "FINALIZE"])
        assert IntentTransition.objects.latest("id").block_hash == event.block_hash
        assert not selectors.unmatched_mints(intent.deployment.token).exists()

    @pytest.mark.parametrize(
        "difference",
        [
            pytest.param({"address": "0x00000000000000000000000000000000DeaDBeef"}, id="recipient"),
            pytest.param({"base_units": 5 * ONE + 1}, id="amount"),
            pytest.param({"request_id": request_id_bytes32(UUID(int=7))}, id="request"),
            pytest.param({"request_id": "0x" + "ff" * 32}, id="no UUID"),
            pytest.param({"request_id": ""}, id="no request"),
            pytest.param({"ours": False}, id="transaction"),
        ],
    )
    def test_leaves_it_alone_if_anything_differs(
        self, chain: FakeChain, intent: TransactionIntent, scan: Scan, difference: dict[str, object]
    ) -> None:
        self.mined(chain, intent, **difference)  # type: ignore[arg-type]  # parameters by name

        scan()

        intent.refresh_from_db()
        assert (intent.state, intent.event) == (IntentState.SIGNED, None)
        assert [
            event.base_units for event in selectors.unmatched_mints(intent.deployment.token)
        ] == [ChainEvent.objects.get().base_units]
        assert not IntentTransition.objects.exists()
