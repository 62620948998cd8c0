"""What becomes of redemptions, deposits and returns by itself."""

from datetime import timedelta
from decimal import Decimal

import pytest
from pytest_django import Settings

from issuer.chain import registry
from issuer.chain import tasks as chain_tasks
from issuer.chain.models import TransactionIntent
from issuer.chain.states import EventKind, IntentState
from issuer.custody import services as custody
from issuer.foundation import clock
from issuer.gate.models import ScopeKind
from issuer.kyc.models import Case
from issuer.primary_market import selectors, tasks
from issuer.primary_market.models import Deposit, RedemptionRequest
from issuer.primary_market.states import (
    DepositCause,
    DepositState,
    RedemptionState,
    ReturnState,
)
from tests.fakes.chain import FakeChain
from tests.make import chain, gate, primary_market, redemptions
from tests.make.chain import ONE, SIGNER_KEYS
from tests.make.primary_market import Market
from tests.make.redemptions import BURNER, transfer

pytestmark = pytest.mark.django_db

_S = RedemptionState


@pytest.fixture(autouse=True)
def at_once(settings: Settings) -> None:
    """Every task that is asked for is carried out there and then, each on its own."""
    settings.CELERY_TASK_ALWAYS_EAGER = True


@pytest.fixture
def market() -> Market:
    """A participant who holds 600 tokens as of now, for tasks ask the clock."""
    return redemptions.market(at=clock.now())


@pytest.fixture
def node(market: Market, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> FakeChain:
    """The network of the market, in memory, with 200 tokens at the deposit address."""
    node, contract = FakeChain(), market.deployment.address
    node.deploy(contract)
    node.change(contract, EventKind.MINT, BURNER.address, 200 * ONE)
    node.mine()
    caip2 = market.deployment.network.caip2
    settings.NETWORKS = {caip2: {"rpc_urls": ["http://127.0.0.1:1"]}}
    settings.SIGNER_KEYS = {caip2: SIGNER_KEYS}
    monkeypatch.setattr(registry, "_chain", lambda *_: node)
    return node


def redemption(
    market: Market, state: RedemptionState, *, quantity: Decimal = Decimal(100)
) -> RedemptionRequest:
    return redemptions.redemption(market, state=state, quantity=quantity, at=clock.now())


def state_of(request: RedemptionRequest) -> RedemptionState:
    request.refresh_from_db()
    return RedemptionState(request.state)


class TestAdvanceRedemptions:
    def test_matches_what_came(self, market: Market) -> None:
        request = redemption(market, _S.AWAITING_TOKENS)
        transfer(market, Decimal(60), at=clock.now())
        transfer(market, Decimal(40), at=clock.now())

        tasks.advance_redemptions()

        assert state_of(request) == _S.RECEIVED
        assert Deposit.objects.filter(state=DepositState.MATCHED).count() == 2

    def test_stops_what_lost_its_kyc_and_counts_nothing_for_it(self, market: Market) -> None:
        request = redemption(market, _S.AWAITING_TOKENS)
        received = redemption(market, _S.RECEIVED, quantity=Decimal(10))
        transfer(market, Decimal(100), at=clock.now())
        Case.objects.update(valid_until=clock.now().date() - timedelta(days=1))

        tasks.advance_redemptions()

        assert (state_of(request), state_of(received)) == (_S.FROZEN, _S.QUARANTINED)
        assert request.received == 0
        found = Deposit.objects.get(redemption=None)
        assert (found.state, found.cause) == (DepositState.QUARANTINED, DepositCause.FROZEN_SENDER)

    def test_books_a_final_burn_and_instructs_its_delivery(self, market: Market) -> None:
        request = redemption(market, _S.BURNING)
        redemptions.finalize(request, at=clock.now())

        tasks.advance_redemptions()

        assert state_of(request) == _S.DELIVERING

    def test_delivers_nothing_under_a_halt_and_goes_on_after_it(self, market: Market) -> None:
        request = redemption(market, _S.BURNED)
        held = gate.hold(ScopeKind.TOKEN, market.token.pk)

        tasks.advance_redemptions()
        assert state_of(request) == _S.BURNED
        codes = [one.code for one in selectors.redemption_requirements(request, at=clock.now())]
        assert codes == ["delivery-instruction", "open-gate"]

        type(held).objects.update(released_at=clock.now(), released_by="system")
        tasks.advance_redemptions()
        assert state_of(request) == _S.DELIVERING

    def test_completes_what_a_statement_shows_as_gone(self, market: Market) -> None:
        request = redemption(market, _S.DELIVERING)
        redemptions.deliver(request, at=clock.now())

        tasks.advance_redemptions()

        assert state_of(request) == _S.COMPLETED

    def test_freezes_what_the_custodian_will_not_deliver(self, market: Market) -> None:
        request = redemption(market, _S.DELIVERING)
        assert request.instruction is not None
        custody.cancel_instruction(request.instruction.pk, actor=redemptions.SYSTEM, at=clock.now())

        tasks.advance_redemptions()

        assert state_of(request) == _S.FROZEN
        assert request.reason == "The delivery of its shares was cancelled."

    def test_takes_back_a_failed_burn_and_signs_it_again(
        self, market: Market, node: FakeChain
    ) -> None:
        request = redemption(market, _S.BURNING)
        redemptions.fail(request.burn_intent, IntentState.DROPPED)

        tasks.advance_redemptions()

        assert state_of(request) == _S.BURNING
        burns = TransactionIntent.objects.filter(kind="BURN").order_by("nonce")
        assert list(burns.values_list("state", flat=True)) == ["DROPPED", "SIGNED"]

    def test_freezes_a_lapsed_party_once_its_burn_has_failed(
        self, market: Market, node: FakeChain
    ) -> None:
        request = redemption(market, _S.BURNING)
        redemptions.fail(request.burn_intent, IntentState.DROPPED)
        Case.objects.update(valid_until=clock.now().date() - timedelta(days=1))

        tasks.advance_redemptions()

        assert state_of(request) == _S.QUARANTINED
        assert TransactionIntent.objects.filter(kind="BURN").count() == 1

    def test_signs_burns_and_returns_and_sends_nothing(
        self, market: Market, node: FakeChain
    ) -> None:
        request = redemption(market, _S.APPROVED)
        waiting = redemptions.deposit(market, Decimal(7), at=clock.now())
        back = redemptions.a_return(waiting, state=ReturnState.APPROVED, at=clock.now())

        tasks.advance_redemptions()

        back.refresh_from_db()
        assert (state_of(request), back.state) == (_S.BURNING, ReturnState.SIGNED)
        assert node.received == []

    def test_closes_returns_and_signs_failed_ones_again(
        self, market: Market, node: FakeChain
    ) -> None:
        now = clock.now()
        done, failed = (
            redemptions.a_return(
                redemptions.deposit(market, Decimal(quantity), at=now),
                state=ReturnState.SIGNED,
                at=now,
            )
            for quantity in (7, 8)
        )
        redemptions.finalize_return(done)
        redemptions.fail(failed.intent, IntentState.REVERTED)

        tasks.advance_redemptions()

        done.refresh_from_db()
        failed.refresh_from_db()
        assert (done.state, failed.state) == (ReturnState.RETURNED, ReturnState.SIGNED)
        assert failed.failure == ""

    def test_keeps_what_is_approved_while_the_node_is_silent(
        self, market: Market, node: FakeChain
    ) -> None:
        request = redemption(market, _S.APPROVED)
        node.silent = True

        tasks.advance_redemptions()

        assert state_of(request) == _S.APPROVED
        assert not TransactionIntent.objects.filter(kind="BURN").exists()


class TestABlockThatIsNoMore:
    def test_brings_nothing_until_its_tokens_come_again_in_one_that_is_final(
        self, settings: Settings, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        node = FakeChain()
        contract = node.deploy()
        market = primary_market.market(address=contract, at=clock.now())
        redemptions.redeemable(market.deployment)
        caip2 = market.deployment.network.caip2
        settings.NETWORKS = {caip2: {"rpc_urls": ["http://127.0.0.1:1"]}}
        settings.SIGNER_KEYS = {caip2: SIGNER_KEYS}
        monkeypatch.setattr(registry, "_chain", lambda *_: node)
        request = redemption(market, _S.AWAITING_TOKENS)
        node.finalize()

        node.transfer(contract, market.wallet.address, BURNER.address, 100 * ONE)
        node.mine()
        self.beat()
        assert not Deposit.objects.exists()

        node.reorganize(1, losing=True)
        node.finalize()
        self.beat()
        assert not Deposit.objects.exists()
        assert state_of(request) == _S.AWAITING_TOKENS

        node.transfer(contract, market.wallet.address, BURNER.address, 100 * ONE)
        node.mine()
        node.finalize()
        self.beat()
        assert state_of(request) == _S.RECEIVED

    def beat(self) -> None:
        chain_tasks.scan_networks()
        tasks.advance_redemptions()


class TestASurprise:
    """Something nobody foresaw in one row is a failed task, and no more than that."""

    #: More tokens than the books can count: no refusal of ours says so.
    UNHEARD_OF = 10**60

    def test_with_one_transfer_keeps_no_other_from_being_counted(self, market: Market) -> None:
        request = redemption(market, _S.AWAITING_TOKENS)
        strange = chain.incoming_transfer(
            market.deployment,
            base_units=self.UNHEARD_OF,
            sender=market.wallet.address,
            seen_at=clock.now() - timedelta(minutes=1),
        )
        transfer(market, Decimal(100), at=clock.now())

        tasks.advance_redemptions()

        assert state_of(request) == _S.RECEIVED
        assert list(selectors.unmatched_transfers()) == [strange]

    def test_keeps_none_of_the_other_steps_from_being_taken(
        self, market: Market, node: FakeChain
    ) -> None:
        chain.incoming_transfer(market.deployment, base_units=self.UNHEARD_OF, seen_at=clock.now())
        delivering = redemption(market, _S.DELIVERING)
        redemptions.deliver(delivering, at=clock.now())
        approved = redemption(market, _S.APPROVED, quantity=Decimal(10))

        tasks.advance_redemptions()

        assert (state_of(delivering), state_of(approved)) == (_S.COMPLETED, _S.BURNING)


class TestTakeStep:
    def test_can_be_told_twice(self, market: Market) -> None:
        request = redemption(market, _S.AWAITING_TOKENS)
        came = transfer(market, Decimal(100), at=clock.now())

        for _ in range(2):
            tasks.take_step(step="match_deposit", row_id=str(came.pk))

        assert state_of(request) == _S.RECEIVED
        assert Deposit.objects.count() == 1

    def test_leaves_what_is_refused_where_it_is(self, market: Market) -> None:
        request = redemption(market, _S.RECEIVED)

        tasks.take_step(step="complete_burn", row_id=str(request.pk))

        assert state_of(request) == _S.RECEIVED
