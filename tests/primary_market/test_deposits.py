"""Every way in which tokens come to a deposit address, with its numbers."""

from datetime import timedelta
from decimal import Decimal

import pytest

from issuer.audit.models import AuditEvent
from issuer.chain.models import TransactionIntent
from issuer.foundation.actors import Actor
from issuer.foundation.errors import DomainError, IllegalTransition
from issuer.kyc.errors import KycNotCleared
from issuer.parties import services as parties
from issuer.parties.errors import WalletNotBound
from issuer.primary_market import errors, selectors, services
from issuer.primary_market.models import Deposit, RedemptionRequest
from issuer.primary_market.states import DepositCause as Cause
from issuer.primary_market.states import DepositState, RedemptionState, ReturnState
from tests.make import primary_market, redemptions
from tests.make.primary_market import AT, Market
from tests.make.redemptions import deposit, redemption

pytestmark = pytest.mark.django_db

_S = RedemptionState


@pytest.fixture
def market() -> Market:
    """A participant who holds 600 tokens and can return them."""
    return redemptions.market()


@pytest.fixture
def awaiting(market: Market) -> RedemptionRequest:
    """An accepted redemption of 100 tokens."""
    return redemption(market, state=_S.AWAITING_TOKENS)


def read(request: RedemptionRequest) -> tuple[str, Decimal]:
    """Return where a request stands, and what it has received."""
    request.refresh_from_db()
    return request.state, request.received


def shown(found: Deposit) -> tuple[str, str, Decimal]:
    """Return where a deposit stands, why, and what of it is counted."""
    found.refresh_from_db()
    return found.state, found.cause, found.matched


class TestMatchDeposit:
    def test_counts_exactly_what_was_asked_for(
        self, market: Market, awaiting: RedemptionRequest
    ) -> None:
        found = deposit(market, Decimal(100))

        assert shown(found) == (DepositState.MATCHED, "", Decimal(100))
        assert found.redemption == awaiting
        assert read(awaiting) == (_S.RECEIVED, Decimal(100))
        actions = AuditEvent.objects.order_by("id").values_list("action", flat=True)
        assert list(actions)[-2:] == ["deposit.record", "redemption.receive"]

    def test_60_and_40_complete_100(self, market: Market, awaiting: RedemptionRequest) -> None:
        deposit(market, Decimal(60))
        assert read(awaiting) == (_S.AWAITING_TOKENS, Decimal(60))

        deposit(market, Decimal(40))

        assert read(awaiting) == (_S.RECEIVED, Decimal(100))
        states = Deposit.objects.values_list("state", flat=True)
        assert list(states) == [DepositState.MATCHED, DepositState.MATCHED]

    def test_110_leaves_10_to_be_returned_by_two(
        self, market: Market, awaiting: RedemptionRequest
    ) -> None:
        found = deposit(market, Decimal(110))

        assert shown(found) == (DepositState.UNMATCHED, Cause.SURPLUS, Decimal(100))
        assert found.to_return == 10
        assert read(awaiting) == (_S.RECEIVED, Decimal(100))

        back = redemptions.a_return(found, state=ReturnState.RETURNED)

        assert (back.quantity, back.recipient) == (10, market.wallet.address)
        assert shown(found) == (DepositState.RETURNED, Cause.SURPLUS, Decimal(100))
        assert read(awaiting) == (_S.RECEIVED, Decimal(100))
        redemptions.propose(awaiting)
        redemptions.confirm(awaiting)
        assert read(awaiting) == (_S.APPROVED, Decimal(100))

    def test_counts_only_what_is_missing_of_the_last_of_several(
        self, market: Market, awaiting: RedemptionRequest
    ) -> None:
        deposit(market, Decimal(60))

        found = deposit(market, Decimal(50))

        assert shown(found) == (DepositState.UNMATCHED, Cause.SURPLUS, Decimal(40))
        assert found.to_return == 10
        assert read(awaiting) == (_S.RECEIVED, Decimal(100))

    def test_dust_is_not_enough(self, market: Market, awaiting: RedemptionRequest) -> None:
        found = deposit(market, Decimal("99.999999999999999994"))

        assert found.state == DepositState.MATCHED
        assert read(awaiting) == (_S.AWAITING_TOKENS, Decimal("99.999999999999999994"))
        [needed] = selectors.redemption_requirements(awaiting, at=AT)
        assert (needed.code, needed.awaiting_action_from) == ("tokens", "participant")
        assert needed.detail.startswith("0.000000000000000006 ")

        deposit(market, Decimal("0.000000000000000006"))

        assert read(awaiting) == (_S.RECEIVED, Decimal(100))

    def test_a_stranger_waits_and_burns_nothing(
        self, market: Market, awaiting: RedemptionRequest
    ) -> None:
        found = deposit(market, Decimal("7.7"), sender=redemptions.stranger())

        assert shown(found) == (DepositState.UNMATCHED, Cause.UNKNOWN_SENDER, Decimal(0))
        assert found.redemption is None
        assert read(awaiting) == (_S.AWAITING_TOKENS, Decimal(0))
        assert not TransactionIntent.objects.filter(kind="BURN").exists()
        assert list(selectors.waiting_deposits()) == [found]

    def test_a_wallet_that_is_not_bound_any_more_waits(
        self, market: Market, awaiting: RedemptionRequest, staff: Actor
    ) -> None:
        parties.revoke_wallet(market.wallet, reason="Key lost.", actor=staff, at=AT)

        found = deposit(market, Decimal(100))

        assert shown(found) == (DepositState.UNMATCHED, Cause.UNBOUND_WALLET, Decimal(0))
        assert read(awaiting) == (_S.AWAITING_TOKENS, Decimal(0))

    def test_a_lapsed_sender_is_quarantined(
        self, market: Market, awaiting: RedemptionRequest
    ) -> None:
        redemptions.lapse()

        found = deposit(market, Decimal(100))

        assert shown(found) == (DepositState.QUARANTINED, Cause.FROZEN_SENDER, Decimal(0))
        assert read(awaiting) == (_S.AWAITING_TOKENS, Decimal(0))

    def test_what_comes_for_a_frozen_request_is_quarantined(
        self, market: Market, awaiting: RedemptionRequest, staff: Actor
    ) -> None:
        services.freeze_redemption(awaiting.pk, reason="A hit.", actor=staff, at=AT)

        found = deposit(market, Decimal(100))

        assert shown(found) == (DepositState.QUARANTINED, Cause.FROZEN_SENDER, Decimal(0))
        assert read(awaiting) == (_S.FROZEN, Decimal(0))

        services.unfreeze_redemption(awaiting.pk, reason="A namesake.", actor=staff, at=AT)

        assert shown(found) == (DepositState.MATCHED, "", Decimal(100))
        assert read(awaiting) == (_S.RECEIVED, Decimal(100))

    def test_another_token_of_ours_waits(self, market: Market, awaiting: RedemptionRequest) -> None:
        other = primary_market.market(participant_=market.participant)
        redemptions.redeemable(other.deployment)

        found = deposit(other, Decimal(100), sender=market.wallet.address)

        assert shown(found) == (DepositState.UNMATCHED, Cause.WRONG_TOKEN, Decimal(0))
        assert read(awaiting) == (_S.AWAITING_TOKENS, Decimal(0))

    def test_waits_if_nothing_is_open(self, market: Market) -> None:
        found = deposit(market, Decimal(100))

        assert shown(found) == (DepositState.UNMATCHED, Cause.NOTHING_OPEN, Decimal(0))

    @pytest.mark.parametrize("state", [_S.EXPIRED, _S.CANCELLED, _S.REJECTED, _S.RECEIVED])
    def test_waits_after_the_end_or_once_all_is_there(
        self, market: Market, state: RedemptionState
    ) -> None:
        request = redemption(market, state=state)

        found = deposit(market, Decimal(100))

        assert shown(found) == (DepositState.UNMATCHED, Cause.NOTHING_OPEN, Decimal(0))
        assert read(request)[0] == state

    def test_waits_if_it_came_too_late_though_nobody_has_noted_that(
        self, market: Market, awaiting: RedemptionRequest
    ) -> None:
        found = deposit(market, Decimal(100), at=awaiting.expires_at + timedelta(seconds=1))

        assert shown(found) == (DepositState.UNMATCHED, Cause.NOTHING_OPEN, Decimal(0))
        assert read(awaiting) == (_S.AWAITING_TOKENS, Decimal(0))

    def test_of_several_the_one_of_which_exactly_so_much_is_missing(self, market: Market) -> None:
        first = redemption(market, state=_S.AWAITING_TOKENS, quantity=Decimal(100))
        second = redemption(market, state=_S.AWAITING_TOKENS, quantity=Decimal(70))

        found = deposit(market, Decimal(70))

        assert found.redemption == second
        assert read(second) == (_S.RECEIVED, Decimal(70))
        assert read(first) == (_S.AWAITING_TOKENS, Decimal(0))

    def test_of_several_of_one_quantity_the_oldest(self, market: Market) -> None:
        first = redemption(market, state=_S.AWAITING_TOKENS)
        redemption(market, state=_S.AWAITING_TOKENS)

        assert deposit(market, Decimal(100)).redemption == first

    def test_of_several_of_other_quantities_a_person_decides(
        self, market: Market, staff: Actor
    ) -> None:
        first = redemption(market, state=_S.AWAITING_TOKENS, quantity=Decimal(100))
        second = redemption(market, state=_S.AWAITING_TOKENS, quantity=Decimal(70))

        found = deposit(market, Decimal(60))

        assert shown(found) == (DepositState.UNMATCHED, Cause.AMBIGUOUS, Decimal(0))
        assert list(selectors.assignable_to(found)) == [first, second]

        services.assign_deposit(found.pk, request_id=second.pk, actor=staff, at=AT)

        assert shown(found) == (DepositState.MATCHED, "", Decimal(60))
        assert read(second) == (_S.AWAITING_TOKENS, Decimal(60))
        assert read(first) == (_S.AWAITING_TOKENS, Decimal(0))

    def test_tokens_that_come_before_the_acceptance_count(self, market: Market) -> None:
        request = redemption(market)

        deposit(market, Decimal(100))
        assert read(request) == (_S.REQUESTED, Decimal(100))
        redemptions.accept(request)

        assert read(request) == (_S.RECEIVED, Decimal(100))

    def test_records_a_transfer_once(self, market: Market, awaiting: RedemptionRequest) -> None:
        came = redemptions.transfer(market, Decimal(60))

        first = services.match_deposit(came.pk, actor=redemptions.SYSTEM, at=AT)
        again = services.match_deposit(came.pk, actor=redemptions.SYSTEM, at=AT)

        assert first == again
        assert read(awaiting) == (_S.AWAITING_TOKENS, Decimal(60))
        assert not selectors.unmatched_transfers().exists()

    def test_counts_in_the_decimals_of_the_contract(self) -> None:
        market = redemptions.market(decimals=8)
        request = redemption(market, state=_S.AWAITING_TOKENS, quantity=Decimal("1.5"))

        deposit(market, Decimal("1.49999999"))
        assert read(request) == (_S.AWAITING_TOKENS, Decimal("1.49999999"))
        deposit(market, Decimal("0.00000001"))

        assert read(request) == (_S.RECEIVED, Decimal("1.5"))


class TestAssignDeposit:
    def test_refuses_the_tokens_of_somebody_else(
        self, market: Market, awaiting: RedemptionRequest, staff: Actor
    ) -> None:
        found = deposit(market, Decimal(100), sender=redemptions.stranger())

        assert_not_assigned(found, awaiting, staff, errors.DepositOfAnother)

    def test_refuses_a_request_that_takes_none(self, market: Market, staff: Actor) -> None:
        request = redemption(market, state=_S.RECEIVED)
        found = deposit(market, Decimal(100))

        assert_not_assigned(found, request, staff, errors.RedemptionNotReceiving)

    def test_refuses_a_surplus(
        self, market: Market, awaiting: RedemptionRequest, staff: Actor
    ) -> None:
        found = deposit(market, Decimal(110))
        other = redemption(market, state=_S.AWAITING_TOKENS)

        assert_not_assigned(found, other, staff, errors.DepositCounted)

    def test_refuses_what_is_matched(
        self, market: Market, awaiting: RedemptionRequest, staff: Actor
    ) -> None:
        found = deposit(market, Decimal(60))

        assert_not_assigned(found, awaiting, staff, IllegalTransition)

    def test_refuses_what_is_proposed_to_go_back(self, market: Market, staff: Actor) -> None:
        found = deposit(market, Decimal(100))
        redemptions.a_return(found)
        request = redemption(market, state=_S.AWAITING_TOKENS)

        assert_not_assigned(found, request, staff, errors.DepositReturning)

    def test_refuses_while_the_party_may_not_be_dealt_with(
        self, market: Market, staff: Actor
    ) -> None:
        found = deposit(market, Decimal(100))
        request = redemption(market, state=_S.AWAITING_TOKENS)
        redemptions.lapse()

        assert_not_assigned(found, request, staff, KycNotCleared)

    def test_refuses_a_wallet_that_is_not_bound_any_more(
        self, market: Market, staff: Actor
    ) -> None:
        found = deposit(market, Decimal(100))
        request = redemption(market, state=_S.AWAITING_TOKENS)
        parties.revoke_wallet(market.wallet, reason="Key lost.", actor=staff, at=AT)

        assert_not_assigned(found, request, staff, WalletNotBound)

    def test_leaves_a_surplus_waiting(self, market: Market, staff: Actor) -> None:
        found = deposit(market, Decimal(110))
        request = redemption(market, state=_S.AWAITING_TOKENS)

        services.assign_deposit(found.pk, request_id=request.pk, actor=staff, at=AT)

        assert shown(found) == (DepositState.UNMATCHED, Cause.SURPLUS, Decimal(100))
        assert read(request) == (_S.RECEIVED, Decimal(100))


class TestClearDeposit:
    def test_matches_what_was_quarantined_once_the_party_is_cleared(
        self, market: Market, awaiting: RedemptionRequest, staff: Actor
    ) -> None:
        redemptions.lapse()
        found = deposit(market, Decimal(100))
        redemptions.renew()

        services.clear_deposit(found.pk, reason="Renewed.", actor=staff, at=AT)

        assert shown(found) == (DepositState.MATCHED, "", Decimal(100))
        assert read(awaiting) == (_S.RECEIVED, Decimal(100))

    def test_leaves_it_to_people_if_nothing_is_open(self, market: Market, staff: Actor) -> None:
        redemptions.lapse()
        found = deposit(market, Decimal(100))
        redemptions.renew()

        services.clear_deposit(found.pk, reason="Renewed.", actor=staff, at=AT)

        assert shown(found) == (DepositState.UNMATCHED, Cause.NOTHING_OPEN, Decimal(0))
        assert found.reason == "Renewed."

    def test_refuses_while_the_party_may_not_be_dealt_with(
        self, market: Market, staff: Actor
    ) -> None:
        redemptions.lapse()
        found = deposit(market, Decimal(100))

        with pytest.raises(KycNotCleared):
            services.clear_deposit(found.pk, reason="Why not.", actor=staff, at=AT)

        assert shown(found) == (DepositState.QUARANTINED, Cause.FROZEN_SENDER, Decimal(0))

    def test_refuses_what_is_there_with_its_request(self, market: Market, staff: Actor) -> None:
        request = redemption(market, state=_S.QUARANTINED)
        found = request.deposits.get()

        with pytest.raises(errors.DepositCounted):
            services.clear_deposit(found.pk, reason="Why not.", actor=staff, at=AT)

        assert shown(found) == (DepositState.QUARANTINED, Cause.FROZEN_SENDER, Decimal(100))

    def test_refuses_what_is_not_in_quarantine(self, market: Market, staff: Actor) -> None:
        found = deposit(market, Decimal(100))

        with pytest.raises(IllegalTransition):
            services.clear_deposit(found.pk, reason="Why not.", actor=staff, at=AT)

        assert shown(found) == (DepositState.UNMATCHED, Cause.NOTHING_OPEN, Decimal(0))

    def test_refuses_what_is_proposed_to_go_back(self, market: Market, staff: Actor) -> None:
        redemptions.lapse()
        found = deposit(market, Decimal(100))
        redemptions.a_return(found)
        redemptions.renew()

        with pytest.raises(errors.DepositReturning):
            services.clear_deposit(found.pk, reason="Why not.", actor=staff, at=AT)

        assert shown(found) == (DepositState.QUARANTINED, Cause.FROZEN_SENDER, Decimal(0))


def assert_not_assigned(
    found: Deposit, request: RedemptionRequest, staff: Actor, refusal: type[DomainError]
) -> None:
    before, asked = shown(found), read(request)
    with pytest.raises(refusal):
        services.assign_deposit(found.pk, request_id=request.pk, actor=staff, at=AT)
    assert shown(found) == before
    assert read(request) == asked
