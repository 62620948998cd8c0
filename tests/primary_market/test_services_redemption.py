"""A redemption until its tokens have come, its approval, and what stops it."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from issuer.approvals.errors import PersonRequired, ProposalChanged, ProposalOpen, SamePerson
from issuer.approvals.models import Proposal
from issuer.approvals.states import ProposalState
from issuer.audit.models import AuditEvent
from issuer.events.models import Event
from issuer.foundation.actors import Actor
from issuer.foundation.errors import DomainError, IllegalTransition
from issuer.foundation.quantities import QuantityMalformed, QuantityTooFine
from issuer.gate.errors import GateClosed
from issuer.gate.models import GateState, ScopeKind
from issuer.instruments.models import ControlledAddress
from issuer.kyc.errors import KycNotCleared
from issuer.parties import services as parties
from issuer.parties.errors import WalletNotBound
from issuer.people.roles import Role
from issuer.primary_market import errors, services
from issuer.primary_market.models import RedemptionRequest
from issuer.primary_market.states import (
    ENDED_STATES,
    DepositCause,
    DepositState,
    RedemptionState,
    ReturnState,
)
from issuer.reserves.errors import CoverUnknown, SharesNotFree
from tests.make import custody, gate, instruments, people, primary_market, redemptions
from tests.make.primary_market import AT, Market
from tests.make.redemptions import deposit, redemption
from tests.primary_market.test_services_issuance import split, subject_of

pytestmark = pytest.mark.django_db

_S = RedemptionState


@pytest.fixture
def market() -> Market:
    """A participant who holds 600 tokens and can return them."""
    return redemptions.market()


def ask(market: Market, **arguments: Any) -> RedemptionRequest:
    asked: dict[str, Any] = {
        "participant": market.participant,
        "token": market.token,
        "network": market.deployment.network.caip2,
        "wallet_address": market.wallet.address,
        "quantity": Decimal(100),
        "client_reference": "back-1",
        "actor": primary_market.PARTNER,
        "at": AT,
    }
    return services.request_redemption(**asked | arguments)


def last_step(request: RedemptionRequest) -> tuple[str, str, str]:
    """Return the newest step of a request: its name, from where, to where."""
    step = request.transitions.order_by("id").last()
    assert step is not None
    return step.step, step.origin, step.destination


def assert_still(request: RedemptionRequest, state: RedemptionState) -> None:
    """Fail if the request took a step since it was read, or is in another state."""
    found = RedemptionRequest.objects.get(pk=request.pk)
    assert (found.state, found.received, found.reason) == (
        state,
        request.received,
        request.reason,
    )


class TestRequestRedemption:
    def test_opens_a_request_and_says_where_to_send_the_tokens(self, market: Market) -> None:
        request = ask(market)

        request.refresh_from_db()
        assert (request.state, request.quantity, request.received) == (_S.REQUESTED, 100, 0)
        assert (request.multiplier, request.shares, request.minimum) == (1, 100, 1)
        assert request.deposit_address == redemptions.BURNER.address
        assert request.expires_at == AT + timedelta(days=10)
        event = Event.objects.order_by("id").last()
        assert event is not None
        assert event.type == "redemption.requested"
        trail = AuditEvent.objects.order_by("id").last()
        assert trail is not None
        assert (trail.action, trail.actor) == ("redemption.request", str(primary_market.PARTNER))

    def test_rounds_the_shares_down_to_what_custodians_count(self) -> None:
        market = redemptions.market(multiplier=Decimal("1.000000000000000001"))

        assert ask(market, quantity=Decimal("1.5")).shares == Decimal("1.5")

    def test_goes_on_while_only_redemption_is_open(self, market: Market) -> None:
        gate.hold(ScopeKind.TOKEN, market.token.pk, effect=GateState.REDEEM_ONLY)

        assert ask(market).state == _S.REQUESTED

    @pytest.mark.parametrize(
        ("quantity", "refusal"),
        [
            ("0", QuantityMalformed),
            ("-1", QuantityMalformed),
            ("0.999999999", errors.BelowMinimum),
            ("99999999999999999999", QuantityMalformed),
        ],
    )
    def test_refuses_a_quantity(self, quantity: str, refusal: type[DomainError]) -> None:
        market = redemptions.market(multiplier=Decimal("1.5"), outstanding=Decimal(0))

        assert_refused(market, refusal, quantity=Decimal(quantity))

    def test_refuses_what_the_contract_cannot_carry(self) -> None:
        market = redemptions.market(decimals=8)

        assert_refused(market, QuantityTooFine, quantity=Decimal("1.000000001"))

    def test_refuses_too_few_for_a_share_that_can_be_moved(self, market: Market) -> None:
        market.token.redemption_minimum = Decimal("0.0000000001")
        market.token.save()

        assert_refused(market, errors.BelowMinimum, quantity=Decimal("0.0000000009"))

    def test_refuses_once_kyc_is_over(self, market: Market) -> None:
        redemptions.lapse()

        assert_refused(market, KycNotCleared)

    def test_refuses_a_wallet_that_is_not_bound(self, market: Market, staff: Actor) -> None:
        parties.revoke_wallet(market.wallet, reason="Key lost.", actor=staff, at=AT)

        assert_refused(market, WalletNotBound)

    @pytest.mark.parametrize("kind", list(ScopeKind))
    def test_refuses_while_a_gate_is_halted(self, market: Market, kind: ScopeKind) -> None:
        gate.hold(kind, subject_of(kind, market))

        assert_refused(market, GateClosed)

    def test_refuses_where_no_address_takes_tokens_back(self, market: Market) -> None:
        ControlledAddress.objects.all().delete()

        assert_refused(market, errors.RedemptionClosed)

    def test_refuses_another_network_and_program(self, market: Market) -> None:
        assert_refused(market, errors.TokenNotOnNetwork, network="eip155:1")
        other = instruments.token()
        assert_refused(market, errors.TokenOfAnotherProgram, token=other)

    def test_refuses_a_reference_twice(self, market: Market) -> None:
        ask(market)

        with pytest.raises(errors.ClientReferenceUsed):
            ask(market)

        assert RedemptionRequest.objects.count() == 1


class TestAcceptRedemption:
    def test_says_where_the_shares_will_go(self, market: Market) -> None:
        request = redemption(market)

        redemptions.accept(request)

        request.refresh_from_db()
        assert last_step(request) == ("ACCEPT", "REQUESTED", "AWAITING_TOKENS")
        assert (request.account, request.receiving_party) == (market.account, "A broker")

    def test_refuses_once_kyc_is_over(self, market: Market) -> None:
        request = redemption(market)
        redemptions.lapse()

        with pytest.raises(KycNotCleared):
            redemptions.accept(request)

        assert_still(request, _S.REQUESTED)

    def test_refuses_after_a_split(self, market: Market) -> None:
        request = redemption(market, at=AT - timedelta(hours=2))
        split(market, Decimal(4), at=AT - timedelta(hours=1))

        with pytest.raises(errors.MultiplierChanged):
            redemptions.accept(request)

        assert_still(request, _S.REQUESTED)

    def test_refuses_without_one_custody_account(self, market: Market, staff: Actor) -> None:
        request = redemption(market)
        custody.account(token_=market.token)

        with pytest.raises(errors.CustodyAccountUndetermined):
            redemptions.accept(request)

        assert_still(request, _S.REQUESTED)

    @pytest.mark.parametrize("state", sorted(set(_S) - {_S.REQUESTED}))
    def test_refuses_what_is_not_new(self, market: Market, state: RedemptionState) -> None:
        request = redemption(market, state=state)

        with pytest.raises(IllegalTransition):
            redemptions.accept(request)

        assert_still(request, state)


class TestEnds:
    def test_partly_received_at_expiry_goes_back_by_two(
        self, market: Market, system: Actor
    ) -> None:
        request = redemption(market, state=_S.AWAITING_TOKENS)
        came = deposit(market, Decimal(60))
        redemptions.read_until(request.deployment, request.expires_at + timedelta(seconds=1))

        services.expire_redemption(request.pk, actor=system, at=request.expires_at)

        request.refresh_from_db()
        came.refresh_from_db()
        assert (request.state, request.received) == (_S.EXPIRED, 60)
        assert (came.state, came.cause) == (
            DepositState.UNMATCHED,
            DepositCause.REQUEST_ENDED,
        )
        assert came.to_return == 60
        assert_burns_nothing(request)

        back = redemptions.a_return(came, state=ReturnState.RETURNED)

        request.refresh_from_db()
        assert (back.quantity, request.state) == (60, _S.RETURNED)
        assert last_step(request) == ("RETURN", "EXPIRED", "RETURNED")

    @pytest.mark.parametrize("state", [_S.REQUESTED, _S.AWAITING_TOKENS])
    def test_cancels_before_all_has_come(self, market: Market, state: RedemptionState) -> None:
        request = redemption(market, state=state)
        deposit(market, Decimal(60))

        services.cancel_redemption(
            request.pk, participant=market.participant, actor=primary_market.PARTNER, at=AT
        )

        request.refresh_from_db()
        assert (request.state, request.received) == (_S.CANCELLED, 60)
        assert request.deposits.get().cause == DepositCause.REQUEST_ENDED

    def test_refuses_to_cancel_for_others(self, market: Market) -> None:
        request = redemption(market)
        other = redemptions.market(outstanding=Decimal(0))

        with pytest.raises(errors.RedemptionMissing):
            services.cancel_redemption(
                request.pk, participant=other.participant, actor=primary_market.PARTNER, at=AT
            )

        assert_still(request, _S.REQUESTED)

    @pytest.mark.parametrize("state", sorted(set(_S) - {_S.REQUESTED, _S.AWAITING_TOKENS}))
    def test_refuses_to_cancel_or_expire_once_all_has_come(
        self, market: Market, system: Actor, state: RedemptionState
    ) -> None:
        request = redemption(market, state=state)

        with pytest.raises(IllegalTransition):
            services.cancel_redemption(
                request.pk, participant=market.participant, actor=primary_market.PARTNER, at=AT
            )
        with pytest.raises(IllegalTransition):
            services.expire_redemption(request.pk, actor=system, at=request.expires_at)

        assert_still(request, state)

    def test_rejects_what_has_come_and_voids_what_is_proposed(
        self, market: Market, staff: Actor
    ) -> None:
        request = redemption(market, state=_S.RECEIVED)
        redemptions.propose(request)

        services.reject_redemption(request.pk, reason="Not these.", actor=staff, at=AT)

        request.refresh_from_db()
        assert (request.state, request.reason) == (_S.REJECTED, "Not these.")
        assert Proposal.objects.get(action="redemption.approve").state == ProposalState.VOIDED
        assert request.deposits.get().to_return == 100

    @pytest.mark.parametrize(
        "state", sorted(set(_S) - {_S.REQUESTED, _S.AWAITING_TOKENS, _S.RECEIVED})
    )
    def test_refuses_to_reject_what_is_approved_or_over(
        self, market: Market, staff: Actor, state: RedemptionState
    ) -> None:
        request = redemption(market, state=state)

        with pytest.raises(IllegalTransition):
            services.reject_redemption(request.pk, reason="Late.", actor=staff, at=AT)

        assert_still(request, state)

    def test_a_surplus_on_its_way_back_and_then_the_rest(
        self, market: Market, staff: Actor
    ) -> None:
        request = redemption(market, state=_S.AWAITING_TOKENS)
        came = deposit(market, Decimal(110))
        surplus = redemptions.a_return(came, state=ReturnState.SIGNED)
        services.reject_redemption(request.pk, reason="Not these.", actor=staff, at=AT)
        came.refresh_from_db()
        assert (came.state, came.returned) == (DepositState.RETURNING, Decimal(10))

        redemptions.finalize_return(surplus)
        services.complete_return(surplus.pk, actor=redemptions.SYSTEM, at=AT)

        came.refresh_from_db()
        assert (came.state, came.to_return) == (DepositState.UNMATCHED, Decimal(100))
        rest = redemptions.a_return(came, state=ReturnState.RETURNED)
        request.refresh_from_db()
        assert (rest.quantity, request.state) == (100, _S.RETURNED)


class TestApproval:
    def test_takes_two_persons(self, market: Market, staff: Actor, approver: Actor) -> None:
        request = redemption(market, state=_S.RECEIVED)
        services.propose_redemption(request.pk, actor=staff, at=AT)

        redemptions.confirm(request, actor=approver)

        assert last_step(request) == ("APPROVE", "RECEIVED", "APPROVED")

    def test_refuses_the_proposer_by_whatever_login(self, market: Market, staff: Actor) -> None:
        request = redemption(market, state=_S.RECEIVED)
        services.propose_redemption(request.pk, actor=staff, at=AT)

        with pytest.raises(SamePerson):
            redemptions.confirm(request, actor=staff)
        with pytest.raises(PersonRequired):
            redemptions.confirm(request, actor=primary_market.PARTNER)

        assert_still(request, _S.RECEIVED)

    def test_is_bound_to_what_the_person_saw(
        self, market: Market, staff: Actor, approver: Actor
    ) -> None:
        request = redemption(market, state=_S.RECEIVED)
        services.propose_redemption(request.pk, actor=staff, at=AT)

        with pytest.raises(ProposalChanged):
            services.confirm_redemption(request.pk, payload_hash="0" * 64, actor=approver, at=AT)

        assert_still(request, _S.RECEIVED)

    def test_refuses_what_nobody_proposed_or_somebody_did_already(
        self, market: Market, staff: Actor, approver: Actor
    ) -> None:
        request = redemption(market, state=_S.RECEIVED)
        with pytest.raises(errors.NotProposed):
            services.confirm_redemption(request.pk, payload_hash="0" * 64, actor=approver, at=AT)
        services.propose_redemption(request.pk, actor=staff, at=AT)

        with pytest.raises(ProposalOpen):
            services.propose_redemption(request.pk, actor=approver, at=AT)

        assert_still(request, _S.RECEIVED)

    @pytest.mark.parametrize("state", sorted(set(_S) - {_S.RECEIVED}))
    def test_refuses_without_all_tokens(
        self, market: Market, staff: Actor, state: RedemptionState
    ) -> None:
        request = redemption(market, state=state)

        with pytest.raises(IllegalTransition):
            services.propose_redemption(request.pk, actor=staff, at=AT)

        assert_still(request, state)

    @pytest.mark.parametrize("kind", list(ScopeKind))
    def test_refuses_while_a_gate_is_halted(self, market: Market, kind: ScopeKind) -> None:
        request = redemption(market, state=_S.RECEIVED)
        redemptions.propose(request)
        gate.hold(kind, subject_of(kind, market))

        assert_not_approved(request, GateClosed)

    def test_goes_on_while_only_redemption_is_open(self, market: Market) -> None:
        request = redemption(market, state=_S.RECEIVED)
        redemptions.propose(request)
        gate.hold(ScopeKind.PROGRAM, market.token.program_id, effect=GateState.REDEEM_ONLY)

        redemptions.confirm(request)

        request.refresh_from_db()
        assert request.state == _S.APPROVED

    def test_refuses_once_kyc_is_over(self, market: Market) -> None:
        request = redemption(market, state=_S.RECEIVED)
        redemptions.propose(request)
        redemptions.lapse()

        assert_not_approved(request, KycNotCleared)

    def test_refuses_once_the_wallet_is_revoked(self, market: Market, staff: Actor) -> None:
        request = redemption(market, state=_S.RECEIVED)
        redemptions.propose(request)
        parties.revoke_wallet(market.wallet, reason="Key lost.", actor=staff, at=AT)

        assert_not_approved(request, WalletNotBound)

    def test_refuses_if_the_shares_are_not_there(self, market: Market) -> None:
        request = redemption(market, state=_S.RECEIVED)
        redemptions.propose(request)
        state_settled(market, Decimal(99))

        assert_not_approved(request, SharesNotFree)

    def test_refuses_if_nobody_says_what_is_held(self, market: Market) -> None:
        request = redemption(market, state=_S.RECEIVED, at=AT)
        redemptions.propose(request)
        long_after = AT + timedelta(days=9)

        with pytest.raises((CoverUnknown, SharesNotFree)):
            redemptions.confirm(request, at=long_after)

        assert_still(request, _S.RECEIVED)

    def test_declines_and_withdraws(self, market: Market, staff: Actor) -> None:
        request = redemption(market, state=_S.RECEIVED)
        redemptions.propose(request)
        services.decline_redemption(request.pk, reason="Wait.", actor=staff, at=AT)
        assert_still(request, _S.RECEIVED)
        redemptions.propose(request)
        redemptions.confirm(request)

        services.withdraw_redemption(request.pk, reason="Looked again.", actor=staff, at=AT)

        assert last_step(request) == ("WITHDRAW_APPROVAL", "APPROVED", "RECEIVED")


class TestFreeze:
    @pytest.mark.parametrize("state", [_S.REQUESTED, _S.AWAITING_TOKENS, _S.BURNED])
    def test_freezes_while_no_tokens_are_here(
        self, market: Market, staff: Actor, state: RedemptionState
    ) -> None:
        request = redemption(market, state=state)

        services.freeze_redemption(request.pk, reason="A hit.", actor=staff, at=AT)
        assert last_step(request) == ("FREEZE", state, "FROZEN")

        services.unfreeze_redemption(request.pk, reason="A namesake.", actor=staff, at=AT)
        request.refresh_from_db()
        assert (request.state, request.reason) == (state, "A namesake.")

    @pytest.mark.parametrize(
        ("state", "after"),
        [
            (_S.REQUESTED, _S.REQUESTED),
            (_S.AWAITING_TOKENS, _S.AWAITING_TOKENS),
            (_S.RECEIVED, _S.RECEIVED),
            (_S.APPROVED, _S.RECEIVED),
        ],
    )
    def test_quarantines_with_the_tokens_that_are_here(
        self, market: Market, staff: Actor, state: RedemptionState, after: RedemptionState
    ) -> None:
        request = redemption(market, state=state)
        if not request.received:
            deposit(market, Decimal(60))

        services.freeze_redemption(request.pk, reason="A hit.", actor=staff, at=AT)
        assert last_step(request) == ("QUARANTINE", state, "QUARANTINED")
        came = request.deposits.get()
        assert (came.state, came.cause) == (
            DepositState.QUARANTINED,
            DepositCause.FROZEN_SENDER,
        )

        services.unfreeze_redemption(request.pk, reason="A namesake.", actor=staff, at=AT)
        request.refresh_from_db()
        came.refresh_from_db()
        assert request.state == after
        assert (came.state, came.cause) == (DepositState.MATCHED, "")

    def test_keeps_what_was_surplus_a_surplus(self, market: Market, staff: Actor) -> None:
        request = redemption(market, state=_S.AWAITING_TOKENS)
        deposit(market, Decimal(60))
        waiting = deposit(market, Decimal(50))
        returned = redemptions.a_return(waiting, state=ReturnState.RETURNED)
        assert returned.quantity == 10

        services.freeze_redemption(request.pk, reason="A hit.", actor=staff, at=AT)
        services.unfreeze_redemption(request.pk, reason="A namesake.", actor=staff, at=AT)

        states = request.deposits.order_by("id").values_list("state", flat=True)
        assert list(states) == [DepositState.MATCHED, DepositState.RETURNED]
        request.refresh_from_db()
        assert request.state == _S.RECEIVED

    def test_goes_back_to_waiting_with_a_surplus(self, market: Market, staff: Actor) -> None:
        request = redemption(market, state=_S.AWAITING_TOKENS)
        came = deposit(market, Decimal(110))

        services.freeze_redemption(request.pk, reason="A hit.", actor=staff, at=AT)
        services.unfreeze_redemption(request.pk, reason="A namesake.", actor=staff, at=AT)

        came.refresh_from_db()
        assert (came.state, came.cause) == (DepositState.UNMATCHED, DepositCause.SURPLUS)

    @pytest.mark.parametrize("progress", [ReturnState.PROPOSED, ReturnState.APPROVED])
    def test_refuses_to_go_on_while_its_tokens_go_back(
        self, market: Market, staff: Actor, progress: ReturnState
    ) -> None:
        request = redemption(market, state=_S.QUARANTINED)
        redemptions.a_return(request.deposits.get(), state=progress)

        with pytest.raises(errors.DepositReturning):
            services.unfreeze_redemption(request.pk, reason="Why not.", actor=staff, at=AT)

        assert_still(request, _S.QUARANTINED)

    def test_refuses_to_go_on_while_kyc_is_over(self, market: Market, staff: Actor) -> None:
        request = redemption(market, state=_S.QUARANTINED)
        redemptions.lapse()

        with pytest.raises(KycNotCleared):
            services.unfreeze_redemption(request.pk, reason="Why not.", actor=staff, at=AT)

        assert_still(request, _S.QUARANTINED)

    def test_refuses_to_go_on_if_it_is_not_stopped(self, market: Market, staff: Actor) -> None:
        request = redemption(market, state=_S.RECEIVED)

        with pytest.raises(IllegalTransition):
            services.unfreeze_redemption(request.pk, reason="Why not.", actor=staff, at=AT)

        assert_still(request, _S.RECEIVED)

    @pytest.mark.parametrize(
        "state", sorted({_S.BURNING, _S.DELIVERING, _S.FROZEN, _S.QUARANTINED} | ENDED_STATES)
    )
    def test_refuses_what_cannot_be_stopped(
        self, market: Market, staff: Actor, state: RedemptionState
    ) -> None:
        request = redemption(market, state=state)

        with pytest.raises(IllegalTransition):
            services.freeze_redemption(request.pk, reason="Too late.", actor=staff, at=AT)

        assert_still(request, state)

    def test_voids_what_is_proposed(self, market: Market, staff: Actor) -> None:
        request = redemption(market, state=_S.RECEIVED)
        redemptions.propose(request)

        services.freeze_redemption(request.pk, reason="A hit.", actor=staff, at=AT)

        proposal = Proposal.objects.get(action="redemption.approve")
        assert proposal.state == ProposalState.VOIDED

    def test_goes_back_to_the_sender_from_quarantine(self, market: Market) -> None:
        request = redemption(market, state=_S.QUARANTINED)

        redemptions.a_return(request.deposits.get(), state=ReturnState.RETURNED)

        request.refresh_from_db()
        assert request.state == _S.RETURNED
        assert last_step(request) == ("RETURN", "QUARANTINED", "RETURNED")

    def test_is_returned_only_once_all_its_deposits_are(self, market: Market, staff: Actor) -> None:
        request = redemption(market, state=_S.AWAITING_TOKENS)
        first, second = deposit(market, Decimal(60)), deposit(market, Decimal(40))
        services.freeze_redemption(request.pk, reason="A hit.", actor=staff, at=AT)

        redemptions.a_return(first, state=ReturnState.RETURNED)
        request.refresh_from_db()
        assert request.state == _S.QUARANTINED
        redemptions.a_return(second, state=ReturnState.RETURNED)

        request.refresh_from_db()
        assert request.state == _S.RETURNED


class TestFreezeLapsedRedemption:
    @pytest.mark.parametrize(
        ("state", "after"), [(_S.APPROVED, _S.QUARANTINED), (_S.BURNED, _S.FROZEN)]
    )
    def test_says_why_as_it_is_now(
        self, market: Market, system: Actor, state: RedemptionState, after: RedemptionState
    ) -> None:
        request = redemption(market, state=state)
        redemptions.lapse()

        services.freeze_lapsed_redemption(request.pk, actor=system, at=AT)

        request.refresh_from_db()
        assert request.state == after
        assert request.reason.startswith(f"The KYC of {market.participant} is")

    def test_leaves_a_request_whose_participant_is_cleared_and_what_is_proposed_for_it(
        self, market: Market, staff: Actor, system: Actor
    ) -> None:
        request = redemption(market, state=_S.RECEIVED)
        redemptions.lapse()
        services.freeze_lapsed_redemption(request.pk, actor=system, at=AT)
        redemptions.renew()
        services.unfreeze_redemption(request.pk, reason="Cleared.", actor=staff, at=AT)
        redemptions.propose(request)
        request.refresh_from_db()

        services.freeze_lapsed_redemption(request.pk, actor=system, at=AT)

        assert_still(request, _S.RECEIVED)
        proposal = Proposal.objects.get(action="redemption.approve")
        assert proposal.state == ProposalState.OPEN

    @pytest.mark.parametrize(("state", "stops"), [(_S.RECEIVED, True), (_S.BURNED, False)])
    def test_asks_for_the_wallet_until_its_tokens_are_burned(
        self, market: Market, staff: Actor, system: Actor, state: RedemptionState, stops: bool
    ) -> None:
        request = redemption(market, state=state)
        parties.revoke_wallet(market.wallet, reason="Key lost.", actor=staff, at=AT)

        services.freeze_lapsed_redemption(request.pk, actor=system, at=AT)

        request.refresh_from_db()
        assert request.state == (_S.QUARANTINED if stops else state)


def state_settled(market: Market, settled: Decimal) -> None:
    """Have the custodian state that only `settled` shares are there."""
    custodian = market.account.custodian
    current = custodian.statements.first()
    assert current is not None
    custody.statement(
        custodian,
        [custody.line(market.account, settled)],
        at=AT,
        supersedes=current.reference,
    )


def assert_refused(market: Market, refusal: type[DomainError], **arguments: Any) -> None:
    trail = AuditEvent.objects.count()
    with pytest.raises(refusal):
        ask(market, **arguments)
    assert not RedemptionRequest.objects.exists()
    assert AuditEvent.objects.count() == trail


def assert_not_approved(request: RedemptionRequest, refusal: type[DomainError]) -> None:
    approver = people.staff_actor(Role.APPROVER)
    with pytest.raises(refusal):
        redemptions.confirm(request, actor=approver)
    assert_still(request, _S.RECEIVED)
    assert Proposal.objects.get(action="redemption.approve").state == ProposalState.OPEN


def assert_burns_nothing(request: RedemptionRequest) -> None:
    with pytest.raises(IllegalTransition):
        redemptions.sign(request)
    assert request.burn_intent is None
