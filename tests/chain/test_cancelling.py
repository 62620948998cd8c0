"""What may no longer go out: its turn, its gate, its cancellation; and a copied request id."""

from collections.abc import Callable
from datetime import datetime
from uuid import UUID

import pytest

from issuer.audit.models import AuditEvent
from issuer.chain import selectors, services
from issuer.chain.errors import (
    ChainUnavailable,
    EarlierTransactionUnsent,
    NoLongerWanted,
    SignerMismatch,
    TransactionRefusedByContract,
)
from issuer.chain.models import ChainEvent, SignerAccount, TransactionAttempt, TransactionIntent
from issuer.chain.readers import FeeQuote
from issuer.chain.request_ids import request_id_bytes32
from issuer.chain.services._attempts import MAX_FEE_PER_GAS_WEI
from issuer.chain.signing import hash_of
from issuer.chain.states import EventKind, IntentKind, IntentState
from issuer.foundation.actors import Actor
from issuer.foundation.errors import IllegalTransition
from issuer.foundation.identifiers import uuid7
from issuer.gate.errors import GateClosed
from issuer.gate.models import GateState, ScopeKind
from issuer.parties.errors import WalletNotBound
from tests.chain.house import ALICE, FEES, ONE, SIGNER, House
from tests.make import chain as make
from tests.make import gate as make_gate
from tests.make import instruments

pytestmark = pytest.mark.django_db

_S = IntentState


@pytest.fixture
def house(system: Actor, at: datetime) -> House:
    return House(system, at)


def steps(intent: TransactionIntent) -> list[str]:
    return list(intent.transitions.values_list("step", flat=True))


def newest(intent: TransactionIntent) -> TransactionAttempt:
    return intent.attempts.latest("serial")


class TestTurn:
    def test_nothing_is_sent_before_an_earlier_nonce(self, house: House) -> None:
        first, second = house.sign(), house.sign(house.tesla)

        with pytest.raises(EarlierTransactionUnsent, match="Nonce 0 of"):
            house.broadcast(second)

        assert house.chain.received == []
        assert house.state(second) == _S.SIGNED
        assert house.broadcast(first) == _S.BROADCAST
        assert house.broadcast(second) == _S.BROADCAST

    def test_nor_before_a_cancellation_that_is_not_sent(self, house: House) -> None:
        first, second = house.sign(), house.sign(house.tesla)
        house.cancel(first)

        with pytest.raises(EarlierTransactionUnsent):
            house.broadcast(second)

        assert house.broadcast(first) == _S.CANCEL_SENT
        assert house.broadcast(second) == _S.BROADCAST

    def test_a_halt_of_one_token_does_not_hold_up_another(self, house: House) -> None:
        first, second = house.sign(), house.sign(house.tesla)
        house.halt(house.apple)
        with pytest.raises(GateClosed):
            house.broadcast(first)
        house.cancel(first)
        house.broadcast(first)
        house.broadcast(second)

        house.chain.mine()
        house.chain.finalize()
        house.scan(house.tesla)

        assert house.observe(first) == _S.CANCELLED
        assert house.state(second) == _S.FINAL
        assert (house.supply(house.apple), house.supply(house.tesla)) == (0, ONE)


class TestBroadcast:
    def test_asks_the_gate_again_once_the_node_has_it(self, house: House) -> None:
        """A halt that falls while the node takes its time is found at once, and not lost."""
        intent = house.sign()
        node = Halting(house)

        with pytest.raises(GateClosed):
            services.broadcast(intent.pk, sender=node, actor=house.actor, at=house.at)

        assert house.state(intent) == _S.BROADCAST
        assert steps(intent) == ["BROADCAST"]
        assert len(house.chain.received) == 1

    def test_does_not_send_what_is_no_longer_wanted(self, house: House) -> None:
        intent = house.sign()

        with pytest.raises(NoLongerWanted, match="Not bound") as refusal:
            house.broadcast(intent, guard=refuse)

        assert refusal.value.facts == {"code": "wallet-not-bound"}
        assert house.chain.received == []
        assert house.state(intent) == _S.SIGNED

    def test_does_not_take_silence_for_a_refusal(self, house: House) -> None:
        def silent(_intent: TransactionIntent, _at: datetime) -> None:
            raise ChainUnavailable("Nobody answered.")

        with pytest.raises(ChainUnavailable):
            house.broadcast(house.sign(), guard=silent)

        assert house.chain.received == []

    def test_sends_a_cancellation_whatever_the_gates_and_guards_say(self, house: House) -> None:
        intent = house.sign()
        house.halt(house.apple)
        house.cancel(intent)

        assert house.broadcast(intent, guard=refuse) == _S.CANCEL_SENT

        assert house.chain.received == [bytes(newest(intent).raw_transaction)]

    def test_does_not_record_a_cancellation_as_sent_that_came_meanwhile(self, house: House) -> None:
        intent = house.sign()
        node = Halting(house, then=lambda: house.cancel(intent))

        services.broadcast(intent.pk, sender=node, actor=house.actor, at=house.at)

        assert house.state(intent) == _S.CANCELLING
        assert steps(intent) == ["CANCEL"]


class Halting:
    """A node that takes its time: somebody halts before it has the transaction."""

    def __init__(self, house: House, then: Callable[[], object] = lambda: None) -> None:
        self.house, self.then = house, then

    def broadcast(self, raw_transaction: bytes) -> None:
        self.house.halt(self.house.apple)
        self.then()
        self.house.chain.broadcast(raw_transaction)


def refuse(_intent: TransactionIntent, _at: datetime) -> None:
    raise WalletNotBound("Not bound.")


class TestCancel:
    @pytest.mark.parametrize("sent", [False, True])
    def test_signs_nothing_at_the_same_nonce_and_outbids(self, house: House, sent: bool) -> None:
        intent = house.sign()
        if sent:
            house.broadcast(intent)
        first = newest(intent)

        assert house.cancel(intent, reason="Token AAPLx: halted.") == _S.CANCELLING

        attempt = newest(intent)
        assert attempt.cancels
        assert attempt.calldata_hash == hash_of(b"")
        assert attempt.transaction_hash == hash_of(bytes(attempt.raw_transaction))
        assert attempt.max_fee_per_gas == 2_250_000_000
        assert attempt.max_priority_fee_per_gas == 1_125_000_000
        assert (intent.cancel_reason, intent.failure) == ("Token AAPLx: halted.", "")
        assert steps(intent)[-1] == "CANCEL"
        assert AuditEvent.objects.filter(action="mint.cancel", subject_id=intent.pk).exists()
        sent_before = [bytes(first.raw_transaction)] if sent else []
        assert house.chain.received == sent_before

    def test_asks_no_more_of_the_chain_than_our_limit_but_outbids_all_the_same(
        self, house: House
    ) -> None:
        intent = house.sign()

        house.cancel(intent, fees=FeeQuote(10**15, 10**15, 21_000))

        attempt = newest(intent)
        assert attempt.max_fee_per_gas == attempt.max_priority_fee_per_gas == MAX_FEE_PER_GAS_WEI

    def test_leaves_what_is_being_cancelled(self, house: House) -> None:
        intent = house.sign()
        house.cancel(intent)
        house.broadcast(intent)

        assert house.cancel(intent, reason="Again.") == _S.CANCEL_SENT

        assert intent.attempts.count() == 2
        assert intent.cancel_reason == "Halted."

    @pytest.mark.parametrize(
        "state", [_S.MINED, _S.FINAL, _S.BOOKED, _S.REVERTED, _S.DROPPED, _S.CANCELLED]
    )
    def test_refuses_what_a_block_has_or_has_ended(self, house: House, state: IntentState) -> None:
        intent = make.intent(house.apple, state=state)

        with pytest.raises(IllegalTransition):
            house.cancel(intent)

        assert intent.attempts.count() == 1

    def test_refuses_another_key(self, house: House) -> None:
        intent = house.sign()

        with pytest.raises(SignerMismatch):
            services.cancel(
                intent.pk,
                signer=make.signer(make.ADMIN_KEY),
                fees=FEES,
                reason="Halted.",
                actor=house.actor,
                at=house.at,
            )

        assert house.state(intent) == _S.SIGNED
        assert intent.attempts.count() == 1

    def test_is_for_what_a_gate_may_stop(self, house: House) -> None:
        intent = make.intent(house.apple, kind=IntentKind.PAUSE)

        with pytest.raises(AssertionError):
            house.cancel(intent)


class TestOutcome:
    @pytest.fixture
    def intent(self, house: House) -> TransactionIntent:
        """Sent and in no block when its token is halted; its cancellation is sent, too."""
        intent = house.sign()
        house.broadcast(intent)
        house.halt(house.apple)
        house.cancel(intent)
        house.broadcast(intent)
        return intent

    def original(self, intent: TransactionIntent) -> bytes:
        return bytes(intent.attempts.earliest("serial").raw_transaction)

    def test_is_open_until_the_cancellation_is_final(
        self, house: House, intent: TransactionIntent
    ) -> None:
        assert house.observe(intent) == _S.CANCEL_SENT
        house.chain.mine()
        assert house.observe(intent) == _S.CANCEL_SENT
        house.chain.finalize()
        assert house.observe(intent) == _S.CANCELLED

        assert intent.failure == "Halted."
        assert steps(intent) == ["BROADCAST", "CANCEL", "SEND_CANCEL", "SEE_CANCELLED"]
        assert intent.transitions.latest("serial").block_number is not None
        assert house.supply(house.apple) == 0

    def test_never_happens_once_it_is_cancelled(
        self, house: House, intent: TransactionIntent
    ) -> None:
        house.chain.mine()
        house.chain.finalize()
        house.observe(intent)

        house.chain.broadcast(self.original(intent))
        house.chain.mine()

        assert house.supply(house.apple) == 0

    def test_is_as_usual_if_the_original_outran_it_and_says_so(
        self, house: House, intent: TransactionIntent
    ) -> None:
        house.chain.pool = [self.original(intent)]
        house.chain.mine()
        assert house.observe(intent) == _S.MINED
        house.chain.finalize()
        house.scan(house.apple)

        assert house.state(intent) == _S.FINAL
        assert intent.event == ChainEvent.objects.get()
        assert intent.cancel_reason == "Halted."
        assert steps(intent)[-3:] == ["SEND_CANCEL", "OUTRUN_CANCEL", "FINALIZE"]
        assert AuditEvent.objects.filter(action="mint.outrun_cancel").exists()

    def test_is_final_by_the_scan_alone_too(self, house: House, intent: TransactionIntent) -> None:
        house.chain.pool = [self.original(intent)]
        house.chain.mine()
        house.chain.finalize()

        house.scan(house.apple)

        assert house.state(intent) == _S.FINAL
        assert steps(intent)[-2:] == ["OUTRUN_CANCEL", "FINALIZE"]

    def test_goes_on_being_cancelled_if_the_block_that_outran_it_is_lost(
        self, house: House, intent: TransactionIntent
    ) -> None:
        house.chain.pool = [self.original(intent)]
        house.chain.mine()
        house.observe(intent)
        house.chain.reorganize(1, losing=True)

        assert house.observe(intent) == _S.CANCELLING
        assert house.broadcast(intent) == _S.CANCEL_SENT
        house.chain.mine()
        house.chain.finalize()
        assert house.observe(intent) == _S.CANCELLED

        assert steps(intent)[3:] == [
            "OUTRUN_CANCEL",
            "RESUME_CANCEL",
            "SEND_CANCEL",
            "SEE_CANCELLED",
        ]

    def test_is_cancelled_if_the_next_history_has_the_cancellation(
        self, house: House, intent: TransactionIntent
    ) -> None:
        house.chain.pool = [self.original(intent)]
        house.chain.mine()
        house.observe(intent)
        house.chain.reorganize(1, losing=True)
        house.chain.broadcast(bytes(newest(intent).raw_transaction))
        house.chain.mine()
        house.chain.finalize()

        assert house.observe(intent) == _S.CANCELLED

        assert steps(intent)[3:] == ["OUTRUN_CANCEL", "RESUME_CANCEL", "SEE_CANCELLED"]

    def test_is_reverted_if_the_original_outran_it_and_failed(
        self, house: House, intent: TransactionIntent
    ) -> None:
        house.chain.pool = [self.original(intent)]
        house.chain.reverting = True
        house.chain.mine()
        house.chain.finalize()

        assert house.observe(intent) == _S.REVERTED

    def test_is_dropped_if_the_nonce_went_to_a_third(
        self, house: House, intent: TransactionIntent
    ) -> None:
        house.chain.pool.clear()
        house.chain.use_nonce(SIGNER.address)
        house.chain.mine()
        house.chain.finalize()

        assert house.observe(intent) == _S.DROPPED

    def test_is_not_called_by_a_block_that_is_no_more(
        self, house: House, intent: TransactionIntent
    ) -> None:
        house.chain.mine()
        [receipt] = house.chain.mined[-1].receipts.values()
        house.chain.reorganize(1, losing=True)
        house.chain.finalize()
        house.chain.mined[-1].receipts[receipt.transaction_hash] = receipt

        with pytest.raises(ChainUnavailable, match="no more"):
            house.observe(intent)

        assert house.state(intent) == _S.CANCEL_SENT

    def test_is_signed_anew_at_the_next_nonce(
        self, house: House, intent: TransactionIntent
    ) -> None:
        house.chain.mine()
        house.chain.finalize()
        house.observe(intent)

        again = house.sign(request_id=intent.request_id)

        assert (again.nonce, again.request_serial) == (1, 0)
        assert again.calldata_hash == intent.calldata_hash
        assert SignerAccount.objects.get().next_nonce == 2


class TestBumpFees:
    def test_raises_those_of_a_cancellation_while_the_gate_is_shut(self, house: House) -> None:
        intent = house.sign()
        house.halt(house.apple)
        house.cancel(intent)
        house.broadcast(intent)

        attempt = services.bump_fees(
            newest(intent).pk, signer=SIGNER, fees=FEES, actor=house.actor, at=house.at
        )

        assert attempt.cancels
        assert attempt.max_fee_per_gas == 2_531_250_000
        assert house.broadcast(intent) == _S.CANCEL_SENT
        house.chain.mine()
        house.chain.finalize()
        assert house.observe(intent) == _S.CANCELLED


class TestShutOutIntents:
    @pytest.mark.parametrize(
        ("kind", "state", "effect", "found"),
        [
            (IntentKind.MINT, _S.SIGNED, GateState.REDEEM_ONLY, True),
            (IntentKind.MINT, _S.BROADCAST, GateState.HALTED, True),
            (IntentKind.BURN, _S.BROADCAST, GateState.REDEEM_ONLY, False),
            (IntentKind.BURN, _S.BROADCAST, GateState.HALTED, True),
            (IntentKind.MINT, _S.MINED, GateState.HALTED, False),
            (IntentKind.MINT, _S.CANCEL_SENT, GateState.HALTED, False),
            (IntentKind.PAUSE, _S.BROADCAST, GateState.HALTED, False),
        ],
    )
    def test_are_those_that_may_be_on_their_way_and_may_not_go(
        self, kind: IntentKind, state: IntentState, effect: GateState, found: bool
    ) -> None:
        deployment = instruments.deployment()
        scopes = [["TOKEN", str(deployment.token_id)]] if kind != IntentKind.PAUSE else []
        intent = make.intent(deployment, kind=kind, state=state, gate_scopes=scopes)
        make_gate.hold(ScopeKind.TOKEN, deployment.token_id, effect=effect)

        assert selectors.shut_out_intents() == ([intent] if found else [])

    def test_are_none_while_the_gates_of_all_are_open(self) -> None:
        other = instruments.deployment()
        make.intent(other, gate_scopes=[["TOKEN", str(other.token_id)]])

        assert selectors.shut_out_intents() == []


class TestCopiedRequestId:
    """Somebody who may mint does so under the id of a request of ours, before we do."""

    def copy(self, house: House, request_id: UUID) -> ChainEvent:
        house.chain.change(
            house.apple.address,
            EventKind.MINT,
            ALICE,
            ONE,
            request_id=request_id_bytes32(request_id),
        )
        house.chain.mine()
        house.chain.finalize()
        house.scan(house.apple)
        return ChainEvent.objects.get()

    def test_before_we_sign_is_stepped_over(self, house: House) -> None:
        request_id = uuid7()
        self.copy(house, request_id)

        intent = house.sign(request_id=request_id)

        assert intent.request_serial == 1
        house.broadcast(intent)
        house.chain.mine()
        house.chain.finalize()
        house.scan(house.apple)
        assert house.state(intent) == _S.FINAL
        assert intent.event is not None
        assert intent.event.request_id == f"0x{1 << 128 | request_id.int:064x}"
        assert list(selectors.unmatched_mints(house.apple.token)) == [
            ChainEvent.objects.earliest("id")
        ]

    def test_is_not_stepped_over_before_it_is_final_and_read(self, house: House) -> None:
        request_id = uuid7()
        house.chain.change(
            house.apple.address,
            EventKind.MINT,
            ALICE,
            ONE,
            request_id=request_id_bytes32(request_id),
        )
        house.chain.mine()

        with pytest.raises(TransactionRefusedByContract):
            house.sign(request_id=request_id)

        assert not TransactionIntent.objects.exists()

    def test_after_we_sent_reverts_ours_says_why_and_lets_the_request_go_on(
        self, house: House
    ) -> None:
        intent = house.sign()
        house.broadcast(intent)
        event = self.copy(house, intent.request_id)

        assert house.observe(intent) == _S.REVERTED

        hash_of_ours = newest(intent).transaction_hash
        assert intent.failure == (
            f"The contract reverted {hash_of_ours}. Its request id was used up by "
            f"{event.transaction_hash}, which is not ours."
        )
        again = house.sign(request_id=intent.request_id)
        assert (again.nonce, again.request_serial) == (1, 1)

    def test_with_our_own_key_and_nonce_drops_ours_once_we_have_read_it(self, house: House) -> None:
        intent = house.sign()
        house.broadcast(intent)
        house.chain.pool.clear()
        house.chain.use_nonce(SIGNER.address)
        house.chain.change(
            house.apple.address,
            EventKind.MINT,
            ALICE,
            ONE,
            request_id=request_id_bytes32(intent.request_id),
            sender=SIGNER.address,
        )
        house.chain.mine()
        house.chain.finalize()
        with pytest.raises(ChainUnavailable, match="lacks the receipt"):
            house.observe(intent)
        house.scan(house.apple)

        assert house.observe(intent) == _S.DROPPED

        event = ChainEvent.objects.get()
        assert intent.failure == (
            f"Its request id was used up by {event.transaction_hash}, which is not ours."
        )
        assert list(selectors.unmatched_mints(house.apple.token)) == [event]
        assert house.sign(request_id=intent.request_id).request_serial == 1
