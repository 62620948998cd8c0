"""A transaction, from the signature to the books."""

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

import pytest
from django.db import transaction

from issuer.audit.models import AuditEvent
from issuer.chain import calls, selectors, services
from issuer.chain.errors import (
    ChainUnavailable,
    FeesTooHigh,
    IntentChanged,
    NoLongerWanted,
    SignerMismatch,
    TransactionAlreadyIntended,
    TransactionRefusedByContract,
)
from issuer.chain.models import (
    ChainEvent,
    IntentTransition,
    SignerAccount,
    TransactionAttempt,
    TransactionIntent,
)
from issuer.chain.readers import FeeQuote
from issuer.chain.signing import Signer, hash_of
from issuer.chain.states import EventKind, IntentKind, IntentState, SignerPurpose
from issuer.foundation.actors import Actor
from issuer.foundation.actors import system as system_actor
from issuer.foundation.errors import IllegalTransition
from issuer.foundation.identifiers import uuid7
from issuer.gate.errors import GateClosed
from issuer.gate.models import GateState, ScopeKind
from issuer.instruments.models import Deployment
from issuer.parties.errors import WalletNotBound
from tests.fakes.chain import FakeChain
from tests.make import chain as make
from tests.make import gate as make_gate
from tests.make import instruments, parties

pytestmark = pytest.mark.django_db

ONE = 10**18
SIGNER = make.signer()
ALICE = "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC"


@pytest.fixture
def chain() -> FakeChain:
    return FakeChain()


@pytest.fixture
def deployment(chain: FakeChain) -> Deployment:
    deployment = instruments.deployment(address=chain.deploy(), deployed_block=1)
    make.signer_account(deployment.network)
    chain.finalize()
    return deployment


Sign = Callable[..., TransactionIntent]


@pytest.fixture
def sign(chain: FakeChain, deployment: Deployment, system: Actor, at: datetime) -> Sign:
    def sign(
        *,
        request_id: UUID | None = None,
        base_units: int = 600 * ONE,
        signer: Signer = SIGNER,
        fees: FeeQuote | None = None,
        gate_scopes: list[tuple[ScopeKind, UUID]] | None = None,
    ) -> TransactionIntent:
        request_id = request_id or uuid7()
        call = calls.mint(recipient=ALICE.lower(), base_units=base_units, request_id=request_id)
        prepared = services.prepare(deployment=deployment, call=call, signer=SIGNER, reader=chain)
        with transaction.atomic():
            return services.sign(
                deployment=deployment,
                call=call,
                request_id=request_id,
                signer=signer,
                prepared=replace(prepared, fees=fees or prepared.fees),
                gate_scopes=gate_scopes or [],
                actor=system,
                at=at,
            )

    return sign


class Life:
    """The services, told the same actor and time."""

    def __init__(self, chain: FakeChain, actor: Actor, at: datetime) -> None:
        self.chain, self.actor, self.at = chain, actor, at

    def broadcast(self, intent: TransactionIntent) -> IntentState:
        services.broadcast(intent.pk, sender=self.chain, actor=self.actor, at=self.at)
        return self.state(intent)

    def observe(self, intent: TransactionIntent) -> IntentState:
        services.observe(intent.pk, reader=self.chain, actor=self.actor, at=self.at)
        return self.state(intent)

    def scan(self, intent: TransactionIntent) -> IntentState:
        services.scan_deployment(intent.deployment, reader=self.chain, actor=self.actor, at=self.at)
        return self.state(intent)

    def bump(self, intent: TransactionIntent, *, fees: FeeQuote = make.FEES) -> TransactionAttempt:
        return services.bump_fees(
            selectors.newest_attempt(intent).pk,
            signer=SIGNER,
            fees=fees,
            actor=self.actor,
            at=self.at,
        )

    def book(self, intent: TransactionIntent) -> TransactionIntent:
        with transaction.atomic():
            return services.record_booked(intent, actor=self.actor, at=self.at)

    def state(self, intent: TransactionIntent) -> IntentState:
        intent.refresh_from_db()
        return IntentState(intent.state)


@pytest.fixture
def life(chain: FakeChain, system: Actor, at: datetime) -> Life:
    return Life(chain, system, at)


def steps(intent: TransactionIntent) -> list[str]:
    return list(intent.transitions.values_list("step", flat=True))


class TestPrepare:
    def test_refuses_what_the_contract_would_revert(self, chain: FakeChain, sign: Sign) -> None:
        chain.refuses_to_quote = True

        with pytest.raises(TransactionRefusedByContract):
            sign()

        assert not TransactionIntent.objects.exists()


class TestSign:
    def test_commits_the_exact_bytes_and_sends_nothing(
        self, chain: FakeChain, deployment: Deployment, sign: Sign, at: datetime
    ) -> None:
        request_id = uuid7()

        intent = sign(request_id=request_id)

        intent.refresh_from_db()
        assert (intent.state, intent.nonce, intent.account) == (IntentState.SIGNED, 0, ALICE)
        assert (intent.request_id, intent.base_units) == (request_id, 600 * ONE)
        assert intent.signed_at == at
        attempt = intent.attempts.get()
        assert attempt.transaction_hash == hash_of(bytes(attempt.raw_transaction))
        assert attempt.calldata_hash == intent.calldata_hash
        assert SignerAccount.objects.get().next_nonce == 1
        assert SignerAccount.objects.get().address == SIGNER.address
        assert chain.received == []
        event = AuditEvent.objects.get(subject_id=intent.pk)
        assert (event.action, event.facts["nonce"]) == ("mint.sign", "0")

    def test_takes_the_next_nonce_each_time(self, sign: Sign) -> None:
        assert [sign().nonce for _ in range(3)] == [0, 1, 2]

    def test_skips_nonces_that_the_chain_has_seen(
        self, chain: FakeChain, sign: Sign, life: Life
    ) -> None:
        chain.use_nonce(SIGNER.address)
        chain.use_nonce(SIGNER.address)
        chain.mine()
        chain.finalize()

        intent = sign()

        assert intent.nonce == 2
        life.broadcast(intent)
        chain.mine()
        assert life.observe(intent) == IntentState.MINED

    def test_refuses_a_second_mint_for_a_request(self, sign: Sign) -> None:
        first = sign()

        with pytest.raises(TransactionAlreadyIntended):
            sign(request_id=first.request_id)

        assert TransactionIntent.objects.get() == first
        assert SignerAccount.objects.get().next_nonce == 1

    @pytest.mark.parametrize("state", [IntentState.REVERTED, IntentState.DROPPED])
    def test_allows_another_after_one_that_failed(
        self, deployment: Deployment, sign: Sign, state: IntentState
    ) -> None:
        failed = make.intent(deployment, state=state)

        assert sign(request_id=failed.request_id).nonce == 1

    @pytest.mark.parametrize("state", [IntentState.FINAL, IntentState.BOOKED])
    def test_refuses_another_after_one_that_was_mined(
        self, deployment: Deployment, sign: Sign, state: IntentState
    ) -> None:
        done = make.intent(deployment, state=state)

        with pytest.raises(TransactionAlreadyIntended):
            sign(request_id=done.request_id)

    def test_refuses_another_key(self, sign: Sign) -> None:
        sign()

        with pytest.raises(SignerMismatch):
            sign(signer=make.signer(make.ADMIN_KEY))

        assert TransactionIntent.objects.count() == 1

    def test_refuses_fees_above_the_limit(self, sign: Sign) -> None:
        with pytest.raises(FeesTooHigh):
            sign(fees=FeeQuote(2_000 * 10**9 + 1, 1, 100_000))

        assert not TransactionIntent.objects.exists()

    def test_remembers_the_gates_that_must_be_open(
        self, deployment: Deployment, sign: Sign
    ) -> None:
        custodian = parties.custodian()
        scopes = [(ScopeKind.CUSTODIAN, custodian.pk), (ScopeKind.TOKEN, deployment.token_id)]

        intent = sign(gate_scopes=scopes)

        assert intent.gate_scopes == [
            ["CUSTODIAN", str(custodian.pk)],
            ["NETWORK", str(deployment.network_id)],
            ["PROGRAM", str(deployment.token.program_id)],
            ["TOKEN", str(deployment.token_id)],
        ]


@pytest.mark.django_db(transaction=True)
class TestSignAlone:
    def test_is_half_a_change(self, deployment: Deployment, system: Actor, at: datetime) -> None:
        with pytest.raises(RuntimeError, match="half of a change"):
            services.sign(
                deployment=deployment,
                call=make.call_of(IntentKind.MINT),
                request_id=uuid7(),
                signer=SIGNER,
                prepared=services.Prepared(fees=make.FEES, chain_nonce=0),
                actor=system,
                at=at,
            )

        assert SignerAccount.objects.get().next_nonce == 0


class TestBroadcast:
    def test_sends_the_committed_bytes(self, chain: FakeChain, sign: Sign, life: Life) -> None:
        intent = sign()

        assert life.broadcast(intent) == IntentState.BROADCAST

        assert chain.received == [bytes(intent.attempts.get().raw_transaction)]
        assert steps(intent) == ["BROADCAST"]

    def test_may_be_repeated_and_records_the_step_once(
        self, chain: FakeChain, sign: Sign, life: Life
    ) -> None:
        intent = sign()

        for _ in range(3):
            assert life.broadcast(intent) == IntentState.BROADCAST

        assert len(set(chain.received)) == 1
        assert steps(intent) == ["BROADCAST"]

    def test_sends_nothing_that_is_in_a_block(
        self, chain: FakeChain, sign: Sign, life: Life
    ) -> None:
        intent = sign()
        life.broadcast(intent)
        chain.mine()
        life.observe(intent)
        chain.received.clear()

        assert life.broadcast(intent) == IntentState.MINED

        assert chain.received == []

    def test_leaves_the_intent_where_it_is_if_the_node_is_silent(
        self, chain: FakeChain, sign: Sign, life: Life
    ) -> None:
        intent = sign()
        chain.silent = True

        with pytest.raises(ChainUnavailable):
            life.broadcast(intent)

        assert life.state(intent) == IntentState.SIGNED
        assert steps(intent) == []

    @pytest.mark.parametrize("kind", ScopeKind)
    def test_is_refused_while_a_gate_is_shut(
        self, chain: FakeChain, deployment: Deployment, sign: Sign, life: Life, kind: ScopeKind
    ) -> None:
        custodian = parties.custodian()
        intent = sign(gate_scopes=[(ScopeKind.CUSTODIAN, custodian.pk)])
        subject = {
            ScopeKind.PROGRAM: deployment.token.program_id,
            ScopeKind.TOKEN: deployment.token_id,
            ScopeKind.NETWORK: deployment.network_id,
            ScopeKind.CUSTODIAN: custodian.pk,
        }[kind]
        make_gate.hold(kind, subject)

        with pytest.raises(GateClosed):
            life.broadcast(intent)

        assert chain.received == []
        assert life.state(intent) == IntentState.SIGNED


class TestObserve:
    @pytest.fixture
    def intent(self, sign: Sign, life: Life) -> TransactionIntent:
        intent = sign()
        life.broadcast(intent)
        return intent

    def test_takes_a_missing_receipt_for_unknown(
        self, intent: TransactionIntent, life: Life
    ) -> None:
        assert life.observe(intent) == IntentState.BROADCAST
        assert steps(intent) == ["BROADCAST"]

    def test_sees_the_block(self, chain: FakeChain, intent: TransactionIntent, life: Life) -> None:
        chain.mine()

        assert life.observe(intent) == IntentState.MINED
        assert life.observe(intent) == IntentState.MINED

        assert steps(intent) == ["BROADCAST", "SEE_MINED"]
        seen = intent.transitions.latest("serial")
        assert (seen.block_number, seen.block_hash) == (
            chain.mined[-1].block.number,
            chain.mined[-1].block.hash,
        )

    def test_sees_a_block_even_if_the_sending_was_never_recorded(
        self, chain: FakeChain, sign: Sign, life: Life
    ) -> None:
        intent = sign()
        chain.broadcast(bytes(intent.attempts.get().raw_transaction))
        chain.mine()

        assert life.observe(intent) == IntentState.MINED

    def test_leaves_the_final_word_to_the_scan(
        self, chain: FakeChain, intent: TransactionIntent, life: Life
    ) -> None:
        chain.mine()
        chain.finalize()

        assert life.observe(intent) == IntentState.MINED
        assert life.scan(intent) == IntentState.FINAL

        event = ChainEvent.objects.get()
        assert intent.event == event
        assert list(selectors.final_unbooked(intent.deployment.token)) == [intent]
        assert life.observe(intent) == IntentState.FINAL

    def test_loses_a_block_that_is_replaced_and_finds_the_next(
        self, chain: FakeChain, intent: TransactionIntent, life: Life
    ) -> None:
        chain.mine()
        life.observe(intent)
        chain.reorganize(1)

        assert life.observe(intent) == IntentState.BROADCAST
        chain.mine()
        assert life.observe(intent) == IntentState.MINED

        assert steps(intent) == ["BROADCAST", "SEE_MINED", "LOSE_BLOCK", "SEE_MINED"]

    def test_notices_a_move_to_another_block(
        self, chain: FakeChain, intent: TransactionIntent, life: Life
    ) -> None:
        chain.mine()
        life.observe(intent)
        chain.reorganize(1)
        chain.mine()

        assert life.observe(intent) == IntentState.MINED

        assert steps(intent) == ["BROADCAST", "SEE_MINED", "LOSE_BLOCK", "SEE_MINED"]

    def test_reverts_only_by_a_final_receipt(
        self, chain: FakeChain, intent: TransactionIntent, life: Life
    ) -> None:
        chain.reverting = True
        chain.mine()
        assert life.observe(intent) == IntentState.MINED

        chain.finalize()
        assert life.observe(intent) == IntentState.REVERTED

        assert intent.failure.startswith("The contract reverted 0x")
        assert steps(intent) == ["BROADCAST", "SEE_MINED", "REVERT"]

    def test_drops_only_once_the_nonce_is_final_without_a_receipt(
        self, chain: FakeChain, intent: TransactionIntent, life: Life
    ) -> None:
        chain.pool.clear()
        chain.use_nonce(SIGNER.address)
        chain.mine()
        assert life.observe(intent) == IntentState.BROADCAST

        chain.finalize()
        assert life.observe(intent) == IntentState.DROPPED

        assert intent.failure == "Nonce 0 is final with another transaction."

    def test_does_not_drop_what_the_contract_knows_of(
        self, chain: FakeChain, intent: TransactionIntent, life: Life
    ) -> None:
        chain.mine()
        chain.finalize()
        for mined in chain.mined:
            mined.receipts.clear()  # a node whose index of transactions lags

        with pytest.raises(ChainUnavailable, match="lacks the receipt"):
            life.observe(intent)

        assert life.state(intent) == IntentState.BROADCAST

    def test_drops_from_a_block_that_is_lost_for_good(
        self, chain: FakeChain, intent: TransactionIntent, life: Life
    ) -> None:
        chain.mine()
        life.observe(intent)
        chain.reorganize(1, losing=True)
        chain.use_nonce(SIGNER.address)
        chain.mine()
        chain.finalize()

        assert life.observe(intent) == IntentState.DROPPED

    def test_does_not_believe_a_receipt_of_a_block_that_is_no_more(
        self, chain: FakeChain, intent: TransactionIntent, life: Life
    ) -> None:
        chain.mine()
        [receipt] = chain.mined[-1].receipts.values()
        chain.reorganize(1, losing=True)
        chain.finalize()
        chain.mined[-1].receipts[receipt.transaction_hash] = receipt

        with pytest.raises(ChainUnavailable, match="no more"):
            life.observe(intent)

        assert life.state(intent) == IntentState.BROADCAST

    def test_changes_nothing_while_the_node_is_silent(
        self, chain: FakeChain, intent: TransactionIntent, life: Life
    ) -> None:
        chain.mine()
        chain.silent = True

        with pytest.raises(ChainUnavailable):
            life.observe(intent)

        assert life.state(intent) == IntentState.BROADCAST


class TestBumpFees:
    @pytest.fixture
    def intent(self, sign: Sign, life: Life) -> TransactionIntent:
        intent = sign()
        life.broadcast(intent)
        return intent

    def test_signs_the_same_call_again_for_more(
        self, chain: FakeChain, intent: TransactionIntent, life: Life
    ) -> None:
        first = intent.attempts.get()

        second = life.bump(intent)

        assert second.transaction_hash != first.transaction_hash
        assert second.calldata_hash == first.calldata_hash
        assert second.max_fee_per_gas == 2_250_000_000
        assert second.max_priority_fee_per_gas == 1_125_000_000
        assert chain.received == [bytes(first.raw_transaction)]
        event = AuditEvent.objects.get(action="mint.bump_fees")
        assert event.facts["transaction_hash"] == second.transaction_hash

    def test_follows_the_chain_where_it_asks_for_more(
        self, intent: TransactionIntent, life: Life
    ) -> None:
        second = life.bump(intent, fees=FeeQuote(9_000_000_000, 8_000_000_000, 1))

        assert second.max_fee_per_gas == 9_000_000_000
        assert second.max_priority_fee_per_gas == 8_000_000_000

    @pytest.mark.parametrize("lucky", [0, 1])
    def test_mints_once_whichever_attempt_the_chain_takes(
        self, chain: FakeChain, intent: TransactionIntent, life: Life, lucky: int
    ) -> None:
        life.bump(intent)
        life.broadcast(intent)
        chain.pool = [bytes(intent.attempts.all()[lucky].raw_transaction)]
        chain.mine()
        chain.finalize()

        assert life.observe(intent) == IntentState.MINED
        assert life.scan(intent) == IntentState.FINAL
        assert chain.state.tokens[intent.deployment.address].supply == 600 * ONE

    def test_refuses_what_is_in_a_block(
        self, chain: FakeChain, intent: TransactionIntent, life: Life
    ) -> None:
        chain.mine()
        life.observe(intent)

        with pytest.raises(IllegalTransition):
            life.bump(intent)

        assert intent.attempts.count() == 1

    def test_refuses_another_key(
        self, intent: TransactionIntent, system: Actor, at: datetime
    ) -> None:
        with pytest.raises(SignerMismatch):
            services.bump_fees(
                intent.attempts.get().pk,
                signer=make.signer(make.ADMIN_KEY),
                fees=make.FEES,
                actor=system,
                at=at,
            )

        assert intent.attempts.count() == 1

    def test_refuses_an_intent_that_is_not_what_was_signed(
        self, deployment: Deployment, life: Life
    ) -> None:
        forged = TransactionIntent.objects.create(
            deployment=deployment,
            signer_account=make.signer_account(deployment.network),
            kind=IntentKind.MINT,
            request_id=uuid7(),
            account=ALICE,
            base_units=ONE,
            nonce=77,
            calldata=b"\x01",
            calldata_hash=make.hash_32(),
            gas_limit=1,
            gate_needed=GateState.OPEN,
            state=IntentState.BROADCAST,
            signed_at=make.BEFORE,
        )
        make.attempt(forged)

        with pytest.raises(IntentChanged, match="not what was signed"):
            life.bump(forged)

        assert forged.attempts.count() == 1

    def test_raises_the_fees_once_for_two_who_saw_the_same_attempt_stuck(
        self, intent: TransactionIntent, system: Actor, at: datetime
    ) -> None:
        seen = intent.attempts.get()
        bump = partial(
            services.bump_fees, seen.pk, signer=SIGNER, fees=make.FEES, actor=system, at=at
        )
        bump()

        with pytest.raises(IntentChanged, match="replaced by another attempt"):
            bump()

        assert [each.serial for each in intent.attempts.all()] == [1, 2]

    def test_signs_nothing_that_is_no_longer_wanted(
        self, intent: TransactionIntent, system: Actor, at: datetime
    ) -> None:
        def refuse(_intent: TransactionIntent, _at: datetime) -> None:
            raise WalletNotBound("Not bound.")

        with pytest.raises(NoLongerWanted):
            services.bump_fees(
                intent.attempts.get().pk,
                signer=SIGNER,
                fees=make.FEES,
                guard=refuse,
                actor=system,
                at=at,
            )

        assert intent.attempts.count() == 1

    def test_signs_nothing_while_a_gate_is_shut(
        self, intent: TransactionIntent, life: Life
    ) -> None:
        make_gate.hold(ScopeKind.TOKEN, intent.deployment.token_id)

        with pytest.raises(GateClosed):
            life.bump(intent)

        assert intent.attempts.count() == 1
        assert not AuditEvent.objects.filter(action="mint.bump_fees").exists()

    def test_refuses_to_pay_any_price(self, intent: TransactionIntent, life: Life) -> None:
        with pytest.raises(FeesTooHigh):
            life.bump(intent, fees=FeeQuote(10**13, 1, 1))

        assert intent.attempts.count() == 1


class TestRecordBooked:
    def test_ends_the_mint(self, deployment: Deployment, life: Life) -> None:
        intent = make.intent(deployment, state=IntentState.FINAL)

        life.book(intent)

        assert life.state(intent) == IntentState.BOOKED
        assert not selectors.final_unbooked(deployment.token).exists()

    @pytest.mark.parametrize("state", [each for each in IntentState if each != IntentState.FINAL])
    def test_refuses_any_other_state(
        self, deployment: Deployment, life: Life, state: IntentState
    ) -> None:
        intent = make.intent(deployment, state=state)

        with pytest.raises(IllegalTransition):
            life.book(intent)

        assert not IntentTransition.objects.exists()


class TestIsStuck:
    @pytest.mark.parametrize(
        ("state", "minutes", "stuck"),
        [
            (IntentState.BROADCAST, 3, True),
            (IntentState.BROADCAST, 2, False),
            (IntentState.SIGNED, 3, True),
            (IntentState.SIGNED, 2, False),
            (IntentState.MINED, 60, False),
        ],
    )
    def test_is_what_no_block_or_no_node_has_for_too_long(
        self, at: datetime, state: IntentState, minutes: int, stuck: bool
    ) -> None:
        intent = make.intent(state=state, signed_at=at - timedelta(minutes=minutes))

        assert selectors.is_stuck(intent, at=at) is stuck

    @pytest.mark.parametrize("state", [IntentState.SIGNED, IntentState.BROADCAST])
    def test_is_not_what_waits_for_an_earlier_nonce(self, at: datetime, state: IntentState) -> None:
        long_ago = at - timedelta(hours=1)
        first = make.intent(state=state, signed_at=long_ago)
        second = make.intent(first.deployment, state=IntentState.BROADCAST, signed_at=long_ago)

        assert not selectors.is_stuck(second, at=at)

    def test_is_not_kept_by_a_nonce_that_is_final(self, at: datetime) -> None:
        long_ago = at - timedelta(hours=1)
        first = make.intent(state=IntentState.SIGNED, signed_at=long_ago)
        second = make.intent(first.deployment, state=IntentState.BROADCAST, signed_at=long_ago)

        assert not selectors.is_stuck(second, at=at, final_nonce=0)
        assert selectors.is_stuck(second, at=at, final_nonce=1)

    def test_is_what_comes_after_a_nonce_that_is_in_a_block(self, at: datetime) -> None:
        long_ago = at - timedelta(hours=1)
        first = make.intent(state=IntentState.MINED, signed_at=long_ago)
        second = make.intent(first.deployment, state=IntentState.BROADCAST, signed_at=long_ago)

        assert selectors.is_stuck(second, at=at)


class TestDeathBetweenSteps:
    """The process dies after each step in turn; the next one goes on, and mints once."""

    @pytest.mark.parametrize("deaths", range(6))
    def test_mints_once(self, chain: FakeChain, sign: Sign, life: Life, deaths: int) -> None:
        intent = sign()
        raw = bytes(intent.attempts.get().raw_transaction)
        acts: list[Callable[[], object]] = [
            lambda: chain.broadcast(raw),  # sent, and died before it was recorded
            lambda: life.broadcast(intent),
            chain.mine,
            lambda: life.observe(intent),
            chain.finalize,
            lambda: life.scan(intent),
        ]
        for act in acts[:deaths]:
            act()

        for act in (
            lambda: life.observe(intent),
            lambda: life.broadcast(intent),
            chain.mine,
            lambda: life.observe(intent),
            chain.finalize,
            lambda: life.scan(intent),
            lambda: life.book(intent),
        ):
            act()

        assert life.state(intent) == IntentState.BOOKED
        assert chain.state.tokens[intent.deployment.address].supply == 600 * ONE
        assert ChainEvent.objects.count() == 1
        assert TransactionIntent.objects.count() == 1


class TestOtherKinds:
    """What is not a mint: its gates, its end, and what is called dropped."""

    @pytest.fixture
    def given(self, chain: FakeChain, deployment: Deployment) -> Callable[..., TransactionIntent]:
        """Sign a call, whatever the chain may say of it, by the account of its purpose."""

        def given(kind: IntentKind) -> TransactionIntent:
            request_id = uuid7()
            call = make.call_of(kind, account=ALICE, request_id=request_id)
            make.signer_account(deployment.network, call.purpose)
            with transaction.atomic():
                return services.sign(
                    deployment=deployment,
                    call=call,
                    request_id=request_id,
                    signer=make.signer(make.KEYS[call.purpose]),
                    prepared=services.Prepared(fees=make.FEES, chain_nonce=0),
                    actor=system_actor("tests"),
                    at=make.BEFORE,
                )

        return given

    @pytest.fixture
    def burner(self, chain: FakeChain, deployment: Deployment) -> str:
        """Who burns and returns, and holds what is to be; Alice is blocked, and holds as much."""
        burner = make.signer(make.KEYS[SignerPurpose.BURNER]).address
        for holder in (burner, ALICE):
            chain.change(deployment.address, EventKind.MINT, holder, ONE)
        chain.mine()
        return burner

    @pytest.mark.parametrize(
        "kind", [IntentKind.RETURN, IntentKind.BLOCK_ADDRESS, IntentKind.PAUSE]
    )
    def test_are_final_by_their_receipt(
        self,
        chain: FakeChain,
        given: Callable[..., TransactionIntent],
        life: Life,
        burner: str,
        kind: IntentKind,
    ) -> None:
        intent = given(kind)
        life.broadcast(intent)
        chain.mine()
        assert life.observe(intent) == IntentState.MINED
        chain.finalize()

        assert life.observe(intent) == IntentState.FINAL

        assert intent.event is None
        assert steps(intent) == ["BROADCAST", "SEE_MINED", "FINALIZE"]
        life.book(intent)
        assert life.state(intent) == IntentState.BOOKED

    def test_a_burn_is_final_by_its_event(
        self,
        chain: FakeChain,
        given: Callable[..., TransactionIntent],
        life: Life,
        burner: str,
    ) -> None:
        intent = given(IntentKind.BURN)
        life.broadcast(intent)
        chain.mine()
        chain.finalize()
        assert life.observe(intent) == IntentState.MINED

        assert life.scan(intent) == IntentState.FINAL

        assert intent.event is not None
        assert (intent.event.kind, intent.event.address) == (EventKind.BURN, burner)

    def test_a_seizure_is_final_by_its_event(
        self,
        chain: FakeChain,
        deployment: Deployment,
        given: Callable[..., TransactionIntent],
        life: Life,
        burner: str,
    ) -> None:
        chain.state.tokens[deployment.address].blocked.add(ALICE)
        intent = given(IntentKind.SEIZE)
        life.broadcast(intent)
        chain.mine()
        chain.finalize()

        assert life.scan(intent) == IntentState.FINAL

        assert intent.event is not None
        assert intent.event.address == ALICE

    @pytest.mark.parametrize(
        ("kind", "effect", "sent"),
        [
            (IntentKind.MINT, GateState.REDEEM_ONLY, False),
            (IntentKind.MINT, GateState.HALTED, False),
            (IntentKind.BURN, GateState.REDEEM_ONLY, True),
            (IntentKind.BURN, GateState.HALTED, False),
            (IntentKind.SEIZE, GateState.HALTED, True),
            (IntentKind.RETURN, GateState.HALTED, False),
            (IntentKind.REVOKE_ROLE, GateState.HALTED, True),
        ],
    )
    def test_are_sent_at_the_gates_of_their_kind(
        self,
        chain: FakeChain,
        given: Callable[..., TransactionIntent],
        life: Life,
        kind: IntentKind,
        effect: GateState,
        sent: bool,
    ) -> None:
        intent = given(kind)
        make_gate.hold(ScopeKind.TOKEN, intent.deployment.token_id, effect=effect)

        with nullcontext() if sent else pytest.raises(GateClosed):
            life.broadcast(intent)

        assert len(chain.received) == int(sent)

    @pytest.mark.parametrize("sent", [False, True])
    @pytest.mark.parametrize(
        "kind", [IntentKind.BURN, IntentKind.SEIZE, IntentKind.BLOCK_ADDRESS, IntentKind.RETURN]
    )
    def test_are_dropped_once_somebody_else_has_their_nonce_for_good(
        self,
        chain: FakeChain,
        given: Callable[..., TransactionIntent],
        life: Life,
        kind: IntentKind,
        sent: bool,
    ) -> None:
        intent = given(kind)
        if sent:
            life.broadcast(intent)
            chain.pool.clear()
        chain.use_nonce(intent.signer_account.address)
        chain.mine()
        chain.finalize()

        assert life.observe(intent) == IntentState.DROPPED

        assert intent.failure == "Nonce 0 is final with another transaction."

    def test_a_return_that_the_logs_show_is_not_dropped(
        self,
        chain: FakeChain,
        given: Callable[..., TransactionIntent],
        life: Life,
        burner: str,
    ) -> None:
        intent = given(IntentKind.RETURN)
        life.broadcast(intent)
        chain.mine()
        chain.finalize()
        for mined in chain.mined:
            mined.receipts.clear()

        with pytest.raises(ChainUnavailable, match="lacks the receipt"):
            life.observe(intent)

        assert life.state(intent) == IntentState.BROADCAST

    def test_a_return_is_dropped_though_somebody_else_sent_as_much_there(
        self,
        chain: FakeChain,
        given: Callable[..., TransactionIntent],
        life: Life,
        burner: str,
    ) -> None:
        intent = given(IntentKind.RETURN)
        make.snapshot(intent.deployment, block_number=1, taken_at=make.BEFORE - timedelta(days=1))
        chain.use_nonce(burner)
        chain.transfer(intent.deployment.address, burner, ALICE, ONE)
        chain.mine()
        chain.finalize()

        assert life.observe(intent) == IntentState.DROPPED

    def test_a_burn_that_the_contract_knows_of_is_not_dropped(
        self,
        chain: FakeChain,
        given: Callable[..., TransactionIntent],
        life: Life,
        burner: str,
    ) -> None:
        intent = given(IntentKind.BURN)
        life.broadcast(intent)
        chain.mine()
        chain.finalize()
        for mined in chain.mined:
            mined.receipts.clear()

        with pytest.raises(ChainUnavailable, match="lacks the receipt"):
            life.observe(intent)

        assert life.state(intent) == IntentState.BROADCAST

    def test_a_retired_account_may_raise_the_fees_of_what_it_said(
        self, chain: FakeChain, sign: Sign, life: Life, system: Actor, at: datetime
    ) -> None:
        intent = sign()
        life.broadcast(intent)
        services.retire_signer(
            network=intent.deployment.network,
            purpose=SignerPurpose.MINTER,
            reason="Stolen.",
            actor=system,
            at=at,
        )

        attempt = life.bump(intent)

        assert attempt.calldata_hash == intent.calldata_hash
        assert intent.attempts.count() == 2
