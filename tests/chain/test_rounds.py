"""What the background does for one intent in a round: what may not go out is cancelled first."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

import pytest
import uuid_utils
from django.db import connection, transaction
from pytest_django import Settings

from issuer.audit.models import AuditEvent
from issuer.chain import calls, registry, selectors, services, tasks
from issuer.chain.errors import (
    ChainUnavailable,
    NonceNotFinal,
)
from issuer.chain.models import SignerAccount, SupplySnapshot, TransactionIntent
from issuer.chain.readers import FeeQuote
from issuer.chain.services import Prepared
from issuer.chain.signing import UnsignedTransaction
from issuer.chain.states import IntentState, SignerPurpose
from issuer.events.models import Event
from issuer.foundation import clock, locks
from issuer.foundation.actors import Actor
from issuer.foundation.identifiers import uuid7
from issuer.instruments.models import Deployment
from issuer.parties.errors import WalletNotBound
from tests.chain.house import ALICE, FEES, ONE, SIGNER, House
from tests.make import chain as make

pytestmark = pytest.mark.django_db

_S = IntentState
BURNER = make.signer(make.KEYS[SignerPurpose.BURNER])


@pytest.fixture
def house(
    system: Actor, at: datetime, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> House:
    house = House(system, at)
    network = house.apple.network.caip2
    settings.NETWORKS = {network: {"rpc_urls": ["http://127.0.0.1:9"]}}
    settings.SIGNER_KEYS = {network: make.SIGNER_KEYS}
    settings.TRANSACTION_GUARDS = {}
    monkeypatch.setattr(registry, "_chain", lambda *_: house.chain)
    monkeypatch.setattr(clock, "now", lambda: house.at)
    return house


def advance(house: House, *intents: TransactionIntent, rounds: int = 1) -> list[IntentState]:
    for _ in range(rounds):
        for intent in intents:
            tasks.advance_intent(intent_id=str(intent.pk))
    return [house.state(intent) for intent in intents]


def cancels(intent: TransactionIntent) -> list[bool]:
    return [attempt.cancels for attempt in intent.attempts.all()]


class SlowClock:
    """The ids of a host whose clock is five seconds behind."""

    def __init__(self, uuid: Callable[[], uuid_utils.UUID]) -> None:
        raw = uuid().bytes
        self.bytes = (int.from_bytes(raw[:6]) - 5_000).to_bytes(6) + raw[6:]


class TestNewestAttempt:
    def test_is_the_cancellation_though_a_slow_clock_made_its_id(
        self, house: House, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        intent = house.sign()
        house.broadcast(intent)
        house.halt(house.apple)
        real = uuid_utils.uuid7
        with monkeypatch.context() as slow:
            slow.setattr(uuid_utils, "uuid7", lambda: SlowClock(real))
            house.cancel(intent)
        original, cancellation = intent.attempts.all()
        assert cancellation.pk < original.pk
        assert (original.serial, cancellation.serial) == (1, 2)

        assert house.broadcast(intent) == _S.CANCEL_SENT

        assert house.chain.received[-1] == bytes(cancellation.raw_transaction)
        house.chain.mine()
        house.chain.finalize()
        assert house.observe(intent) == _S.CANCELLED
        assert house.supply(house.apple) == 0

    def test_of_what_is_cancelled_is_never_the_original(self, house: House) -> None:
        intent = house.sign()
        house.cancel(intent)
        with connection.cursor() as cursor:  # even if their serials lied
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
            cursor.execute("ALTER TABLE chain_transactionattempt DISABLE TRIGGER USER")
            cursor.execute("UPDATE chain_transactionattempt SET serial = 9 WHERE NOT cancels")

        assert intent.attempts.latest("serial").cancels is False
        assert selectors.newest_attempt(intent).cancels is True

    def test_decides_by_the_last_step_which_block_has_it(
        self, house: House, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        intent = house.sign()
        house.broadcast(intent)
        house.chain.mine()
        house.observe(intent)
        house.chain.reorganize(1)
        house.chain.mine()
        real = uuid_utils.uuid7
        with monkeypatch.context() as slow:
            slow.setattr(uuid_utils, "uuid7", lambda: SlowClock(real))
            house.observe(intent)
        steps = list(intent.transitions.values_list("step", flat=True))
        assert steps == ["BROADCAST", "SEE_MINED", "LOSE_BLOCK", "SEE_MINED"]

        assert house.observe(intent) == _S.MINED

        assert intent.transitions.count() == 4


class TestHalt:
    def test_cancels_what_is_stuck_and_the_contract_refuses_now(self, house: House) -> None:
        intent = house.sign()
        advance(house, intent)
        house.at += timedelta(minutes=4)
        house.halt(house.apple)
        house.chain.refuses_to_quote = True

        assert advance(house, intent) == [_S.CANCEL_SENT]

        house.chain.mine()
        assert house.supply(house.apple) == 0

    def test_raises_no_fee_of_what_is_no_longer_wanted(
        self, house: House, settings: Settings
    ) -> None:
        intent = house.sign()
        advance(house, intent)
        house.at += timedelta(minutes=4)
        settings.TRANSACTION_GUARDS = {"MINT": f"{__name__}.refuse"}

        assert advance(house, intent) == [_S.CANCEL_SENT]

        assert cancels(intent) == [False, True]

    def test_waits_for_no_final_block(self, house: House, monkeypatch: pytest.MonkeyPatch) -> None:
        def unknown() -> None:
            raise ChainUnavailable("The node knows no final block.")

        intent = house.sign()
        advance(house, intent)
        house.halt(house.apple)
        monkeypatch.setattr(house.chain, "final_block", unknown)

        assert advance(house, intent) == [_S.CANCEL_SENT]

        house.chain.mine()
        assert house.supply(house.apple) == 0

    def test_goes_on_following_what_cannot_be_cancelled_here(
        self, house: House, settings: Settings
    ) -> None:
        intent = house.sign()
        advance(house, intent)
        house.chain.mine()
        house.halt(house.apple)
        settings.SIGNER_KEYS = {}

        assert advance(house, intent) == [_S.MINED]

        assert cancels(intent) == [False]

    def test_cancels_what_it_meets_between_asking_and_sending(
        self, house: House, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        intent = house.sign()
        real = house.chain.final_block

        def halting() -> object:
            house.halt(house.apple)
            monkeypatch.setattr(house.chain, "final_block", real)
            return real()

        monkeypatch.setattr(house.chain, "final_block", halting)

        assert advance(house, intent) == [_S.CANCEL_SENT]

    def test_cancels_what_comes_after_a_nonce_that_no_node_takes(self, house: House) -> None:
        first, second = house.sign(), house.sign(house.tesla)
        house.chain.base_fee = 9_000_000_000
        house.halt(house.tesla)

        assert advance(house, first, second) == [_S.SIGNED, _S.CANCEL_SENT]

        assert cancels(second) == [False, True]

    def test_replaces_at_the_node_what_comes_after_a_cancellation_that_is_not_sent(
        self, house: House, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        first, second = house.sign(), house.sign(house.tesla)
        advance(house, first, second)
        house.cancel(first)  # and the process died before it was sent
        house.halt(house.apple)
        house.halt(house.tesla)

        assert advance(house, second, first) == [_S.CANCEL_SENT, _S.CANCEL_SENT]

        house.chain.mine()
        assert (house.supply(house.apple), house.supply(house.tesla)) == (0, 0)


def refuse(_intent: TransactionIntent, _at: datetime) -> None:
    raise WalletNotBound("Not bound.")


class TestFees:
    def test_of_a_cancellation_that_the_node_finds_too_cheap_rise_at_once(
        self, house: House
    ) -> None:
        intent = house.sign()
        advance(house, intent)
        house.halt(house.apple)
        house.cancel(intent)
        house.chain.base_fee = 9_000_000_000

        assert advance(house, intent) == [_S.CANCEL_SENT]

        assert cancels(intent) == [False, True, True]
        house.chain.mine()
        house.chain.finalize()
        assert house.observe(intent) == _S.CANCELLED

    def test_of_a_cancellation_outbid_what_waits_at_the_node_round_by_round(
        self, house: House
    ) -> None:
        intent = house.sign()
        house.halt(house.apple)
        stranger = SIGNER.sign(  # somebody with our key
            UnsignedTransaction(
                chain_id=int(house.apple.network.caip2.partition(":")[2]),
                nonce=0,
                contract=ALICE,
                calldata=b"",
                fees=FeeQuote(2_400_000_000, 1_200_000_000, 21_000),
            )
        )
        house.chain.broadcast(stranger.raw)

        assert advance(house, intent) == [_S.CANCELLING]
        assert advance(house, intent) == [_S.CANCEL_SENT]

        assert cancels(intent) == [False, True, True, True]

    def test_of_what_no_node_takes_rise_once_the_chain_asks_for_more(self, house: House) -> None:
        first, second = house.sign(), house.sign(house.tesla)
        house.chain.base_fee = 9_000_000_000
        assert advance(house, first, second, rounds=3) == [_S.SIGNED, _S.SIGNED]
        assert cancels(first) == [False]

        house.at += timedelta(minutes=4)

        assert advance(house, first) == [_S.BROADCAST]
        house.chain.mine()
        assert advance(house, first, second) == [_S.MINED, _S.BROADCAST]
        assert [each.max_fee_per_gas for each in first.attempts.all()] == [
            2_000_000_000,
            19_000_000_000,
        ]

    def test_of_what_no_node_takes_stay_while_the_chain_asks_for_no_more(
        self, house: House, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def poor(_raw: bytes) -> None:
            raise ChainUnavailable("Insufficient funds for gas.")

        intent = house.sign()
        with monkeypatch.context() as without:
            without.setattr(house.chain, "broadcast", poor)
            for _ in range(3):
                house.at += timedelta(minutes=4)
                assert advance(house, intent) == [_S.SIGNED]

        assert advance(house, intent) == [_S.BROADCAST]
        assert cancels(intent) == [False]

    def test_that_nobody_would_pay_keep_nothing_from_being_sent_again(self, house: House) -> None:
        intent = house.sign()
        advance(house, intent)
        house.chain.pool.clear()  # the node forgot it
        house.at += timedelta(minutes=4)
        house.chain.refuses_to_quote = True

        assert advance(house, intent) == [_S.BROADCAST]

        assert cancels(intent) == [False]
        assert len(house.chain.pool) == 1


class TestForeignNonce:
    """Somebody else has our key, or an operator used it by hand."""

    def sign(self, house: House, call: calls.Call, deployment: Deployment) -> TransactionIntent:
        make.signer_account(house.apple.network, SignerPurpose.BURNER)
        with transaction.atomic():
            return services.sign(
                deployment=deployment,
                call=call,
                request_id=uuid7(),
                signer=BURNER,
                prepared=Prepared(fees=FEES, chain_nonce=0),
                actor=house.actor,
                at=house.at,
            )

    def test_of_a_return_lets_what_follows_go_on(self, house: House) -> None:
        back = self.sign(house, calls.give_back(recipient=ALICE, base_units=ONE), house.apple)
        house.chain.use_nonce(BURNER.address)
        house.chain.mine()
        house.chain.finalize()
        call = calls.burn(holder=BURNER.address, base_units=ONE, request_id=uuid7())
        burn = self.sign(house, call, house.tesla)

        assert advance(house, back, burn) == [_S.DROPPED, _S.BROADCAST]

    def test_that_is_final_keeps_nothing_waiting_for_what_is_not_known_of_it(
        self, house: House
    ) -> None:
        first, second = house.sign(), house.sign(house.tesla)
        house.chain.broadcast(bytes(first.attempts.get().raw_transaction))
        house.chain.mine()
        house.chain.finalize()
        for mined in house.chain.mined:
            mined.receipts.clear()

        assert advance(house, second) == [_S.BROADCAST]
        assert house.state(first) == _S.SIGNED

    def test_that_is_not_final_lets_nothing_be_signed(self, house: House) -> None:
        house.chain.use_nonce(SIGNER.address)
        house.chain.mine()

        with pytest.raises(NonceNotFinal, match="not final yet"):
            house.sign()

        assert not TransactionIntent.objects.exists()
        house.chain.finalize()
        assert house.sign().nonce == 1

    def test_that_was_undone_is_told_once_and_no_fee_is_raised_for_it(self, house: House) -> None:
        SignerAccount.objects.update(next_nonce=2)  # two foreign ones were thought final
        intent = house.sign()
        advance(house, intent)
        house.at += timedelta(minutes=4)

        assert advance(house, intent, rounds=3) == [_S.BROADCAST]

        assert cancels(intent) == [False]
        event = Event.objects.get(type="signer.nonce_missing")
        assert event.data == {"address": SIGNER.address, "nonce": "0"}
        assert AuditEvent.objects.filter(action="signer.nonce_missing").count() == 1
        house.chain.use_nonce(SIGNER.address)
        house.chain.mine()
        advance(house, intent)
        assert Event.objects.filter(type="signer.nonce_missing").count() == 2


class TestStopIntents:
    def test_leaves_what_waits_too_long_to_the_next_round(
        self, house: House, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        asked: list[dict[str, object]] = []
        intent = house.sign()
        house.sign(house.tesla)
        house.halt(house.apple)
        monkeypatch.setattr(tasks.advance_intent, "apply_async", lambda **how: asked.append(how))

        tasks.stop_intents()

        assert asked == [{"kwargs": {"intent_id": str(intent.pk)}, "expires": 15}]


class TestTurn:
    @pytest.fixture
    def busy(self, house: House) -> Iterator[TransactionIntent]:
        """An intent that another task is at."""
        intent = house.sign()
        with locks.alone(f"chain.advance_intent {intent.pk}") as is_alone:
            assert is_alone
            yield intent

    def test_is_one_at_a_time_for_an_intent(self, house: House, busy: TransactionIntent) -> None:
        assert advance(house, busy) == [_S.SIGNED]

        assert house.chain.received == []

    def test_is_everybodys_once_the_one_before_is_over(self, house: House) -> None:
        intent = house.sign()

        assert advance(house, intent) == [_S.BROADCAST]
        assert advance(house, intent) == [_S.BROADCAST]

        assert len(house.chain.received) == 2

    def test_is_one_at_a_time_for_reading_a_deployment_too(self, house: House) -> None:
        deployment_id = house.apple.pk

        with locks.alone(f"chain.scan_deployment {deployment_id}"):
            tasks.scan_deployment(deployment_id=str(deployment_id))
            assert not SupplySnapshot.objects.exists()
        tasks.scan_deployment(deployment_id=str(deployment_id))

        assert SupplySnapshot.objects.get().deployment == house.apple

    def test_is_one_at_a_time_for_all_of_a_network_in_trouble(self, house: House) -> None:
        intent, network = house.sign(), house.apple.network
        services.note_trouble(network, reason="Silent.", actor=house.actor, at=house.at)

        with locks.alone(f"chain.in_trouble {network.pk}"):
            assert advance(house, intent) == [_S.SIGNED]
            tasks.scan_deployment(deployment_id=str(house.apple.pk))
            assert not SupplySnapshot.objects.exists()
        assert advance(house, intent) == [_S.BROADCAST]
