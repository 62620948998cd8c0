"""Several processes at once, each with a connection of its own."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from threading import Barrier
from uuid import UUID

import pytest
from django.db import connection, transaction

from issuer.chain import calls, services
from issuer.chain.errors import TransactionAlreadyIntended
from issuer.chain.models import (
    ChainEvent,
    IntentTransition,
    NetworkTrouble,
    SignerAccount,
    SupplySnapshot,
    TransactionIntent,
)
from issuer.chain.services import Prepared
from issuer.chain.states import EventKind, IntentState
from issuer.foundation.actors import system
from issuer.foundation.identifiers import uuid7
from issuer.instruments.models import Deployment
from tests.fakes.chain import FakeChain
from tests.make import chain as make
from tests.make import instruments, parties

pytestmark = pytest.mark.django_db(transaction=True)

ONE = 10**18
AT = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)
ACTOR = system("tests")
ALICE = "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC"


@pytest.fixture
def chain() -> FakeChain:
    return FakeChain()


@pytest.fixture
def deployment(chain: FakeChain) -> Deployment:
    deployment = instruments.deployment(address=chain.deploy(), deployed_block=1)
    make.signer_account(deployment.network)
    return deployment


def at_once(acts: Sequence[Callable[[], object]]) -> list[object]:
    """Carry `acts` out at the same moment; return what each returned or raised."""
    barrier = Barrier(len(acts))

    def carry_out(act: Callable[[], object]) -> object:
        try:
            barrier.wait(timeout=10)
            return act()
        except TransactionAlreadyIntended as refusal:
            return refusal
        finally:
            connection.close()

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(carry_out, acts))


def sign(deployment: Deployment, request_id: UUID) -> TransactionIntent:
    with transaction.atomic():
        return services.sign(
            deployment=deployment,
            call=calls.mint(recipient=ALICE, base_units=ONE, request_id=request_id),
            request_id=request_id,
            signer=make.signer(),
            prepared=Prepared(fees=make.FEES, chain_nonce=0),
            actor=ACTOR,
            at=AT,
        )


class TestSign:
    def test_never_gives_a_nonce_twice(self, deployment: Deployment) -> None:
        at_once([lambda: sign(deployment, uuid7()) for _ in range(6)])

        nonces = TransactionIntent.objects.order_by("nonce").values_list("nonce", flat=True)
        assert list(nonces) == [0, 1, 2, 3, 4, 5]
        assert SignerAccount.objects.get().next_nonce == 6

    def test_never_signs_two_mints_for_a_request(self, deployment: Deployment) -> None:
        request_id = uuid7()

        results = at_once([lambda: sign(deployment, request_id) for _ in range(4)])

        assert sum(isinstance(result, TransactionAlreadyIntended) for result in results) == 3
        assert TransactionIntent.objects.get().nonce == 0
        assert SignerAccount.objects.get().next_nonce == 1


class TestScanDeployment:
    def test_records_each_event_once(self, chain: FakeChain, deployment: Deployment) -> None:
        chain.change(deployment.address, EventKind.MINT, parties.evm_address(), ONE)
        chain.mine()
        chain.finalize()

        def scan() -> SupplySnapshot:
            return services.scan_deployment(deployment, reader=chain, actor=ACTOR, at=AT)

        results = at_once([scan] * 4)

        assert set(results) == {SupplySnapshot.objects.get()}
        assert ChainEvent.objects.count() == 1


class TestNoteTrouble:
    def test_opens_one_per_network(self, deployment: Deployment) -> None:
        def note() -> NetworkTrouble:
            return services.note_trouble(deployment.network, reason="Silence.", actor=ACTOR, at=AT)

        results = at_once([note] * 4)

        assert set(results) == {NetworkTrouble.objects.get()}


class TestMint:
    def test_takes_each_step_once_however_many_follow_it(
        self, chain: FakeChain, deployment: Deployment
    ) -> None:
        chain.finalize()
        intent = sign(deployment, uuid7())

        def broadcast() -> object:
            return services.broadcast(intent.pk, sender=chain, actor=ACTOR, at=AT)

        def observe() -> object:
            return services.observe(intent.pk, reader=chain, actor=ACTOR, at=AT)

        def scan() -> object:
            return services.scan_deployment(deployment, reader=chain, actor=ACTOR, at=AT)

        at_once([broadcast] * 3)
        chain.mine()
        at_once([observe] * 3)
        chain.finalize()
        at_once([observe, observe, scan, scan])

        intent.refresh_from_db()
        assert intent.state == IntentState.FINAL
        steps = IntentTransition.objects.order_by("id").values_list("step", flat=True)
        assert list(steps) == ["BROADCAST", "SEE_MINED", "FINALIZE"]
        assert chain.state.tokens[deployment.address].supply == ONE
