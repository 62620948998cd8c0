"""Every door under every gate: what a halt stops, what redeeming may still do, what never stops."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from django.db import transaction

from issuer.audit.models import AuditEvent
from issuer.chain.services import broadcast
from issuer.chain.states import IntentState
from issuer.events.models import Event
from issuer.foundation.actors import Actor
from issuer.gate.errors import GateClosed
from issuer.gate.models import GateState, ScopeKind
from issuer.people.roles import Role
from issuer.primary_market import selectors, services
from issuer.primary_market.models import Deposit, DepositReturn, IssuanceRequest, RedemptionRequest
from issuer.primary_market.selectors import ApprovalView, RedemptionView, ReturnView
from issuer.primary_market.states import (
    DepositState,
    IssuanceState,
    RedemptionState,
    ReturnState,
)
from tests.fakes.chain import FakeChain
from tests.make import chain, gate, people, primary_market, redemptions
from tests.make.primary_market import AT, PARTNER, Market
from tests.make.redemptions import deposit, redemption
from tests.primary_market.test_services_issuance import subject_of

pytestmark = pytest.mark.django_db

_I, _R, _T = IssuanceState, RedemptionState, ReturnState

#: Prepares everything in front of a door, and returns what goes through it.
Door = Callable[[Market], Callable[[], object]]


def officer() -> Actor:
    return people.staff_actor(Role.OPERATIONS_OFFICER)


def ask(market: Market, service: Callable[..., object]) -> Callable[[], object]:
    return lambda: service(
        participant=market.participant,
        token=market.token,
        network=market.deployment.network.caip2,
        wallet_address=market.wallet.address,
        quantity=Decimal(10),
        client_reference="asked",
        actor=PARTNER,
        at=AT,
    )


def request_issuance(market: Market) -> Callable[[], object]:
    return ask(market, services.request_issuance)


def accept(market: Market) -> Callable[[], object]:
    request, actor = primary_market.issuance(market), officer()
    return lambda: services.accept(
        request.pk,
        delivering_party="A broker",
        trade_date=date(2026, 11, 19),
        actor=actor,
        at=AT,
    )


def propose_approval(market: Market) -> Callable[[], object]:
    request, actor = primary_market.issuance(market, state=_I.FUNDED), officer()
    return lambda: services.propose_approval(request.pk, actor=actor, at=AT)


def confirm_approval(market: Market) -> Callable[[], object]:
    request = primary_market.issuance(market, state=_I.FUNDED)
    services.propose_approval(request.pk, actor=officer(), at=AT)
    approver = people.staff_actor(Role.APPROVER)
    return lambda: primary_market.confirm(request, actor=approver)


def sign_mint(market: Market) -> Callable[[], object]:
    request = primary_market.issuance(market, state=_I.APPROVED)
    chain.signer_account(market.deployment.network)
    return lambda: primary_market.sign(request)


def request_redemption(market: Market) -> Callable[[], object]:
    return ask(market, services.request_redemption)


def accept_redemption(market: Market) -> Callable[[], object]:
    request, actor = redemption(market), officer()
    return lambda: services.accept_redemption(
        request.pk, receiving_party="A broker", actor=actor, at=AT
    )


def propose_redemption(market: Market) -> Callable[[], object]:
    request, actor = redemption(market, state=_R.RECEIVED), officer()
    return lambda: services.propose_redemption(request.pk, actor=actor, at=AT)


def confirm_redemption(market: Market) -> Callable[[], object]:
    request = redemption(market, state=_R.RECEIVED)
    redemptions.propose(request)
    approver = people.staff_actor(Role.APPROVER)
    return lambda: redemptions.confirm(request, actor=approver)


def sign_burn(market: Market) -> Callable[[], object]:
    request = redemption(market, state=_R.APPROVED)
    return lambda: redemptions.sign(request)


def instruct_delivery(market: Market) -> Callable[[], object]:
    request = redemption(market, state=_R.BURNED)
    return lambda: services.instruct_delivery(request.pk, actor=redemptions.SYSTEM, at=AT)


def propose_return(market: Market) -> Callable[[], object]:
    found, actor = deposit(market, Decimal(7)), officer()
    return lambda: services.propose_return(found.pk, reason="Unknown.", actor=actor, at=AT)


def confirm_return(market: Market) -> Callable[[], object]:
    found = redemptions.a_return(deposit(market, Decimal(7)))
    approver = people.staff_actor(Role.APPROVER)
    return lambda: redemptions.confirm_return(found, actor=approver)


def sign_return(market: Market) -> Callable[[], object]:
    found = redemptions.a_return(deposit(market, Decimal(7)), state=_T.APPROVED)
    return lambda: redemptions.sign_return(found)


ISSUING: list[Door] = [request_issuance, accept, propose_approval, confirm_approval, sign_mint]
REDEEMING: list[Door] = [
    request_redemption,
    accept_redemption,
    propose_redemption,
    confirm_redemption,
    sign_burn,
    instruct_delivery,
    propose_return,
    confirm_return,
    sign_return,
]


@contextmanager
def tried() -> Iterator[None]:
    """Undo whatever happens in the body, so that the same door can be tried again."""
    point = transaction.savepoint()
    yield
    transaction.savepoint_rollback(point)


def written() -> tuple[Any, ...]:
    """Return how much has been written: every service leaves something in trail or outbox."""
    return AuditEvent.objects.count(), Event.objects.count()


def assert_refused(go: Callable[[], object], *, kind: ScopeKind, effect: GateState) -> None:
    before = written()
    with pytest.raises(GateClosed) as refused:
        go()
    assert (refused.value.facts["scope"], refused.value.facts["state"]) == (kind, effect)
    assert written() == before


class TestDoors:
    @pytest.mark.parametrize("door", [*ISSUING, *REDEEMING])
    def test_lets_through_what_comes_to_open_gates(self, door: Door) -> None:
        go = door(redemptions.market())
        before = written()

        go()

        assert written() > before

    @pytest.mark.parametrize("effect", [GateState.REDEEM_ONLY, GateState.HALTED])
    @pytest.mark.parametrize("door", ISSUING)
    def test_issues_nothing_unless_all_gates_are_open(self, door: Door, effect: GateState) -> None:
        market = redemptions.market()
        go = door(market)

        for kind in ScopeKind:
            with tried():
                gate.hold(kind, subject_of(kind, market), effect=effect)
                assert_refused(go, kind=kind, effect=effect)

    @pytest.mark.parametrize("door", REDEEMING)
    def test_lets_nothing_leave_while_a_gate_is_halted(self, door: Door) -> None:
        market = redemptions.market()
        go = door(market)

        for kind in ScopeKind:
            with tried():
                gate.hold(kind, subject_of(kind, market))
                assert_refused(go, kind=kind, effect=GateState.HALTED)

    @pytest.mark.parametrize("door", REDEEMING)
    def test_lets_go_back_while_only_redemption_is_open(self, door: Door) -> None:
        market = redemptions.market()
        go = door(market)

        for kind in ScopeKind:
            with tried():
                gate.hold(kind, subject_of(kind, market), effect=GateState.REDEEM_ONLY)
                go()

    @pytest.mark.parametrize("door", [accept, sign_return])
    def test_asks_no_gate_of_another_token(self, door: Door) -> None:
        go = door(redemptions.market())
        other = redemptions.market(outstanding=Decimal(0))
        for kind in ScopeKind:
            gate.hold(kind, subject_of(kind, other))

        go()


class TestWhatNeverStops:
    @pytest.fixture
    def market(self) -> Market:
        return redemptions.market()

    def halt(self, market: Market) -> None:
        for kind in ScopeKind:
            gate.hold(kind, subject_of(kind, market))

    def test_an_issuance_can_always_be_stopped(self, market: Market) -> None:
        proposed, approved, accepted, asked, late = (
            primary_market.issuance(market, state=state, quantity=Decimal(1))
            for state in (_I.FUNDED, _I.APPROVED, _I.ACCEPTED, _I.REQUESTED, _I.REQUESTED)
        )
        actor = officer()
        services.propose_approval(proposed.pk, actor=actor, at=AT)
        self.halt(market)

        services.cancel(asked.pk, participant=market.participant, actor=PARTNER, at=AT)
        services.reject(accepted.pk, reason="Not these.", actor=actor, at=AT)
        services.expire(late.pk, actor=redemptions.SYSTEM, at=late.expires_at)
        services.decline_approval(proposed.pk, reason="Not now.", actor=actor, at=AT)
        services.withdraw_approval(approved.pk, reason="Not now.", actor=actor, at=AT)
        services.freeze(proposed.pk, reason="A hit.", actor=actor, at=AT)

        states = IssuanceRequest.objects.filter(quantity=1).order_by("id")
        assert [request.state for request in states] == [
            *(_I.FROZEN, _I.FUNDED, _I.REJECTED, _I.CANCELLED, _I.EXPIRED)
        ]

    def test_a_redemption_can_always_be_stopped(self, market: Market) -> None:
        received, approved = (
            redemption(market, state=state, quantity=Decimal(1))
            for state in (_R.RECEIVED, _R.APPROVED)
        )
        asked, accepted = (redemption(market, quantity=Decimal(1)) for _ in range(2))
        redemptions.accept(accepted)
        redemptions.propose(received)
        actor = officer()
        self.halt(market)

        services.cancel_redemption(asked.pk, participant=market.participant, actor=PARTNER, at=AT)
        services.reject_redemption(accepted.pk, reason="Not these.", actor=actor, at=AT)
        services.decline_redemption(received.pk, reason="Not now.", actor=actor, at=AT)
        services.withdraw_redemption(approved.pk, reason="Not now.", actor=actor, at=AT)
        services.freeze_redemption(received.pk, reason="A hit.", actor=actor, at=AT)
        services.unfreeze_redemption(received.pk, reason="A namesake.", actor=actor, at=AT)

        states = RedemptionRequest.objects.order_by("id")
        assert [request.state for request in states] == [
            *(_R.RECEIVED, _R.RECEIVED, _R.CANCELLED, _R.REJECTED)
        ]

    def test_what_came_is_recorded_and_counted(self, market: Market) -> None:
        request = redemption(market, state=_R.AWAITING_TOKENS)
        self.halt(market)

        found = deposit(market, Decimal(100))

        assert found.state == DepositState.MATCHED
        request.refresh_from_db()
        assert request.state == _R.RECEIVED
        assert [one.code for one in selectors.redemption_requirements(request, at=AT)] == [
            "proposal",
            *["open-gate"] * 4,
        ]

    def test_what_was_sent_before_is_booked(self, market: Market) -> None:
        minting = primary_market.issuance(market, state=_I.MINTING, quantity=Decimal(5))
        burning = redemption(market, state=_R.BURNING)
        back = redemptions.a_return(deposit(market, Decimal(7)), state=_T.SIGNED)
        primary_market.finalize(minting)
        redemptions.finalize(burning)
        redemptions.finalize_return(back)
        self.halt(market)

        services.complete(minting.pk, actor=redemptions.SYSTEM, at=AT)
        services.complete_burn(burning.pk, actor=redemptions.SYSTEM, at=AT)
        services.complete_return(back.pk, actor=redemptions.SYSTEM, at=AT)

        minting.refresh_from_db()
        burning.refresh_from_db()
        assert (minting.state, burning.state) == (_I.COMPLETED, _R.BURNED)
        assert DepositReturn.objects.get().state == _T.RETURNED
        assert Deposit.objects.get(redemption=None).state == DepositState.RETURNED

    def test_what_left_before_the_halt_is_noted(self, market: Market) -> None:
        request = redemption(market, state=_R.DELIVERING)
        failed = redemption(market, state=_R.BURNING, quantity=Decimal(1))
        redemptions.fail(failed.burn_intent, IntentState.REVERTED)
        self.halt(market)

        later = redemptions.deliver(request)
        services.complete_redemption(request.pk, actor=redemptions.SYSTEM, at=later)
        services.record_failed_burn(failed.pk, actor=redemptions.SYSTEM, at=AT)

        states = RedemptionRequest.objects.order_by("id").values_list("state", flat=True)
        assert list(states) == [_R.COMPLETED, _R.APPROVED]

    def test_a_proposed_return_can_be_declined(self, market: Market) -> None:
        found = redemptions.a_return(deposit(market, Decimal(7)))
        self.halt(market)

        services.decline_return(found.pk, reason="Not now.", actor=officer(), at=AT)

        found.refresh_from_db()
        assert found.state == _T.DECLINED


class TestButtons:
    """What an officer sees is what the service would say."""

    def test_of_a_halted_token_say_so(self) -> None:
        market = redemptions.market()
        funded = primary_market.issuance(market, state=_I.FUNDED, quantity=Decimal(1))
        received = redemption(market, state=_R.RECEIVED)
        waiting = deposit(market, Decimal(7))
        gate.hold(ScopeKind.TOKEN, market.token.pk)
        actor = officer()

        views: list[ApprovalView | RedemptionView | ReturnView] = [
            selectors.approval_view(funded, actor=actor, at=AT),
            selectors.redemption_view(received, actor=actor, at=AT),
            selectors.return_view(waiting, actor=actor),
        ]

        for view in views:
            assert [one.code for one in view.not_to_propose] == ["reserve-gate-closed"]
            assert "reserve-gate-closed" in [one.code for one in view.not_to_confirm]


class TestWhatIsSigned:
    """A halt after the signature: what is not sent yet is not sent any more."""

    @pytest.mark.parametrize("kind", list(ScopeKind))
    def test_goes_back_under_no_halt(self, kind: ScopeKind) -> None:
        market = redemptions.market()
        node = FakeChain()
        back = redemptions.a_return(deposit(market, Decimal(7)), state=_T.SIGNED)
        gate.hold(kind, subject_of(kind, market))
        assert back.intent is not None

        with pytest.raises(GateClosed):
            broadcast(back.intent.pk, sender=node, actor=redemptions.SYSTEM, at=AT)

        back.intent.refresh_from_db()
        assert back.intent.state == IntentState.SIGNED
        assert node.received == []

    def test_goes_back_while_only_redemption_is_open(self) -> None:
        market = redemptions.market()
        node = FakeChain()
        back = redemptions.a_return(deposit(market, Decimal(7)), state=_T.SIGNED)
        gate.hold(ScopeKind.TOKEN, market.token.pk, effect=GateState.REDEEM_ONLY)
        assert back.intent is not None

        broadcast(back.intent.pk, sender=node, actor=redemptions.SYSTEM, at=AT)

        assert len(node.received) == 1
