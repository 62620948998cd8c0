"""Several processes at once, each with a connection of its own."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from threading import Barrier, Event
from uuid import UUID

import pytest
from django.db import connection, transaction

from issuer.approvals.models import Approval
from issuer.chain import calls, selectors, services
from issuer.chain.errors import (
    ActNotSound,
    SignerInUse,
    SignerMissing,
    SignerRetired,
    TransactionAlreadyIntended,
)
from issuer.chain.models import (
    ChainEvent,
    ContractAct,
    IntentTransition,
    NetworkTrouble,
    SignerAccount,
    SupplySnapshot,
    TransactionIntent,
)
from issuer.chain.services import Prepared
from issuer.chain.states import (
    ActState,
    EventKind,
    IntentKind,
    IntentState,
    SignerPurpose,
)
from issuer.foundation.actors import Actor, system
from issuer.foundation.errors import DomainError, IllegalTransition
from issuer.foundation.identifiers import uuid7
from issuer.gate import services as gate
from issuer.gate.errors import GateClosed
from issuer.gate.models import Cause, GateState, ScopeKind
from issuer.instruments.models import Deployment
from issuer.people.roles import Role
from tests.fakes.chain import FakeChain
from tests.make import chain as make
from tests.make import chain_acts, instruments, parties, people

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
        except DomainError as refusal:
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


class HangingNode:
    """A node that has been told a transaction, and takes its time to take it."""

    def __init__(self, chain: FakeChain) -> None:
        self.chain, self.told, self.may_go_on = chain, Event(), Event()

    def broadcast(self, raw_transaction: bytes) -> None:
        self.told.set()
        assert self.may_go_on.wait(timeout=30)
        self.chain.broadcast(raw_transaction)


class TestHaltWhileANodeHangs:
    def test_is_placed_at_once_and_what_was_on_its_way_is_cancelled(
        self, chain: FakeChain, deployment: Deployment
    ) -> None:
        chain.finalize()
        intent = sign(deployment, uuid7())
        node = HangingNode(chain)

        def broadcast() -> object:
            return services.broadcast(intent.pk, sender=node, actor=ACTOR, at=AT)

        with ThreadPoolExecutor(1) as pool:
            sending = pool.submit(at_once, [broadcast])
            assert node.told.wait(timeout=30)
            with connection.cursor() as cursor:  # far less than a node takes to be silent
                cursor.execute("SET lock_timeout = '2s'")
            hold = gate.place_hold(
                kind=ScopeKind.TOKEN,
                subject_id=deployment.token_id,
                effect=GateState.HALTED,
                cause=Cause.PERSON,
                reason="A key was stolen.",
                actor=ACTOR,
                at=AT,
            )
            assert chain.received == []
            node.may_go_on.set()
            [refusal] = sending.result(timeout=30)

        assert isinstance(refusal, GateClosed)
        intent.refresh_from_db()
        assert intent.state == IntentState.BROADCAST
        assert hold.released_at is None
        [found] = selectors.shut_out_intents()
        services.cancel(
            found.pk,
            signer=make.signer(),
            fees=chain.quote_nothing(make.signer().address),
            reason=refusal.detail,
            actor=ACTOR,
            at=AT,
        )
        services.broadcast(intent.pk, sender=chain, actor=ACTOR, at=AT)
        chain.mine()
        chain.finalize()
        services.observe(intent.pk, reader=chain, actor=ACTOR, at=AT)
        intent.refresh_from_db()
        assert intent.state == IntentState.CANCELLED
        assert chain.state.tokens[deployment.address].supply == 0

    @pytest.mark.parametrize("attempt", range(3))
    def test_lets_nothing_be_sent_after_it_that_asks_after_it(
        self, chain: FakeChain, deployment: Deployment, attempt: int
    ) -> None:
        """Either the sender finds the gate shut, or what it sent is found by the next round."""
        chain.finalize()
        intent = sign(deployment, uuid7())

        def broadcast() -> object:
            return services.broadcast(intent.pk, sender=chain, actor=ACTOR, at=AT)

        def halt() -> object:
            return gate.place_hold(
                kind=ScopeKind.TOKEN,
                subject_id=deployment.token_id,
                effect=GateState.HALTED,
                cause=Cause.PERSON,
                reason="A key was stolen.",
                actor=ACTOR,
                at=AT,
            )

        at_once([broadcast, broadcast, halt])

        assert selectors.shut_out_intents() == [intent]

    def test_cancels_once_however_many_try(self, chain: FakeChain, deployment: Deployment) -> None:
        intent = sign(deployment, uuid7())

        def cancel() -> object:
            return services.cancel(
                intent.pk,
                signer=make.signer(),
                fees=make.FEES,
                reason="Halted.",
                actor=ACTOR,
                at=AT,
            )

        at_once([cancel] * 4)

        assert list(intent.attempts.values_list("cancels", flat=True)) == [False, True]
        assert list(intent.transitions.values_list("step", flat=True)) == ["CANCEL"]


class TestConfirmAct:
    def test_confirms_once_and_retires_once(self, deployment: Deployment) -> None:
        account = make.signer_account(deployment.network)
        act = chain_acts.act(
            [deployment],
            kind=IntentKind.REVOKE_ROLE,
            role=SignerPurpose.MINTER,
            account=account.address,
        )
        payload_hash = chain_acts.hash_of(act)
        approvers = [people.staff_actor(Role.APPROVER) for _ in range(4)]

        def confirm(actor: Actor) -> object:
            return services.confirm_act(act.pk, payload_hash=payload_hash, actor=actor, at=AT)

        results = at_once([partial(confirm, actor) for actor in approvers])

        assert sum(isinstance(result, IllegalTransition) for result in results) == 3
        assert list(act.transitions.values_list("step", flat=True)) == ["CONFIRM"]
        assert Approval.objects.count() == 1
        account.refresh_from_db()
        assert account.retired_at == AT

    def test_never_appoints_two(self, deployment: Deployment) -> None:
        network = instruments.network()
        contract = instruments.deployment(network_=network)
        grants = [
            chain_acts.act([contract], kind=IntentKind.GRANT_ROLE, role=SignerPurpose.MINTER)
            for _ in range(3)
        ]
        proposed = [(act.pk, chain_acts.hash_of(act)) for act in grants]
        approvers = [people.staff_actor(Role.APPROVER) for _ in grants]

        def confirm(proposed: tuple[UUID, str], actor: Actor) -> object:
            act_id, payload_hash = proposed
            return services.confirm_act(act_id, payload_hash=payload_hash, actor=actor, at=AT)

        results = at_once(
            [partial(confirm, *each) for each in zip(proposed, approvers, strict=True)]
        )

        assert sum(isinstance(result, SignerInUse) for result in results) == 2
        account = SignerAccount.objects.get(network=network)
        [approved] = ContractAct.objects.filter(state=ActState.APPROVED)
        assert account.address == approved.account


class TestProposeToSeize:
    def test_never_seizes_more_than_was_minted(self, deployment: Deployment) -> None:
        event = make.event(deployment, base_units=5)
        officers = [people.staff_actor(Role.OPERATIONS_OFFICER) for _ in range(3)]

        def propose(actor: Actor) -> object:
            return services.propose_act(
                kind=IntentKind.SEIZE,
                deployments=[deployment],
                account=ALICE,
                base_units=3,
                remedied_event=event,
                reason="Minted past the books.",
                actor=actor,
                at=AT,
            )

        results = at_once([partial(propose, actor) for actor in officers])

        assert sum(isinstance(result, ActNotSound) for result in results) == 2
        assert ContractAct.objects.get().base_units == 3


class TestSignCall:
    def test_signs_each_call_once(self, deployment: Deployment) -> None:
        act = chain_acts.act([deployment], kind=IntentKind.PAUSE, state=ActState.APPROVED)
        make.signer_account(deployment.network, SignerPurpose.PAUSER)
        call = act.calls.get()

        def sign_call() -> object:
            return services.sign_call(
                call.pk,
                signer=make.signer(make.KEYS[SignerPurpose.PAUSER]),
                prepared=Prepared(fees=make.FEES, chain_nonce=0),
                actor=ACTOR,
                at=AT,
            )

        results = at_once([sign_call] * 4)

        assert sum(isinstance(result, IllegalTransition) for result in results) == 3
        assert TransactionIntent.objects.get().request_id == call.pk

    def test_is_never_signed_and_given_up(self, deployment: Deployment) -> None:
        act = chain_acts.act([deployment], kind=IntentKind.PAUSE, state=ActState.APPROVED)
        make.signer_account(deployment.network, SignerPurpose.PAUSER)
        call = act.calls.get()

        def sign_call() -> object:
            return services.sign_call(
                call.pk,
                signer=make.signer(make.KEYS[SignerPurpose.PAUSER]),
                prepared=Prepared(fees=make.FEES, chain_nonce=0),
                actor=ACTOR,
                at=AT,
            )

        def give_up() -> object:
            return services.fail_act(act.pk, reason="Not now.", actor=ACTOR, at=AT)

        at_once([sign_call, give_up])

        act.refresh_from_db()
        signed = TransactionIntent.objects.exists()
        assert (act.state, signed) in [(ActState.SENT, True), (ActState.FAILED, False)]


class TestRetireSigner:
    @pytest.mark.parametrize("attempt", range(3))
    def test_lets_no_signature_come_after(self, deployment: Deployment, attempt: int) -> None:
        def retire() -> object:
            return services.retire_signer(
                network=deployment.network,
                purpose=SignerPurpose.MINTER,
                reason="Stolen.",
                actor=ACTOR,
                at=AT,
            )

        results = at_once([*[lambda: sign(deployment, uuid7())] * 3, retire])

        account = SignerAccount.objects.get()
        refused = sum(isinstance(result, SignerRetired) for result in results)
        assert account.retired_at == AT
        assert TransactionIntent.objects.count() == 3 - refused
        assert account.next_nonce == 3 - refused

    def test_happens_once(self, deployment: Deployment) -> None:
        def retire() -> object:
            return services.retire_signer(
                network=deployment.network,
                purpose=SignerPurpose.MINTER,
                reason="Stolen.",
                actor=ACTOR,
                at=AT,
            )

        results = at_once([retire] * 3)

        assert sum(isinstance(result, SignerMissing) for result in results) == 2


class TestAppointSigner:
    def test_appoints_one(self) -> None:
        network = instruments.network()
        addresses = [parties.evm_address() for _ in range(3)]

        def appoint(address: str) -> object:
            return services.appoint_signer(
                network=network, purpose=SignerPurpose.MINTER, address=address, actor=ACTOR, at=AT
            )

        results = at_once([partial(appoint, address) for address in addresses])

        assert sum(isinstance(result, SignerInUse) for result in results) == 2
        assert SignerAccount.objects.get(network=network).address in addresses
