"""Requests in flight over a split: stopped, and put on the terms after it."""

from datetime import timedelta

import pytest

from issuer.approvals.models import Proposal
from issuer.approvals.states import ProposalState
from issuer.chain.models import TransactionIntent
from issuer.chain.states import FAILED_STATES, IntentKind, IntentState
from issuer.foundation.actors import Actor
from issuer.instruments import services as instruments
from issuer.primary_market import selectors, services
from issuer.primary_market.errors import NotAsApproved
from issuer.primary_market.models import IssuanceRequest, RedemptionRequest
from issuer.primary_market.states import ENDED_STATES, IssuanceState, RedemptionState
from tests.make import primary_market, redemptions
from tests.make.primary_market import AT, Market
from tests.primary_market.assertions import holds_of, last_step

pytestmark = pytest.mark.django_db

_R = RedemptionState
LATER = AT + timedelta(hours=2)


@pytest.fixture
def market() -> Market:
    """A participant who holds 600 tokens and can return them."""
    return redemptions.market()


def split_4_to_1(market: Market, system: Actor) -> None:
    """Split the token four to one, and note that the books have it."""
    split = instruments.schedule_split(
        token=market.token,
        shares_after=4,
        shares_before=1,
        effective_at=AT + timedelta(hours=1),
        actor=system,
        at=AT,
    )
    instruments.record_split_booked(split.pk, actor=system, at=LATER)


class TestRequoteRedemption:
    @pytest.mark.parametrize(
        ("before", "after"),
        [
            (_R.REQUESTED, _R.REQUESTED),
            (_R.AWAITING_TOKENS, _R.AWAITING_TOKENS),
            (_R.RECEIVED, _R.RECEIVED),
            (_R.APPROVED, _R.RECEIVED),
            (_R.BURNING, _R.BURNING),
            (_R.BURNED, _R.BURNED),
            (_R.QUARANTINED, _R.QUARANTINED),
            (_R.FROZEN, _R.FROZEN),
        ],
    )
    def test_stands_for_four_times_the_shares(
        self, market: Market, system: Actor, before: RedemptionState, after: RedemptionState
    ) -> None:
        request = redemptions.redemption(market, state=before)
        split_4_to_1(market, system)
        assert selectors.redemptions_to_requote(LATER) == [request.pk]

        services.requote_redemption(request.pk, actor=system, at=LATER)

        request.refresh_from_db()
        assert (request.state, request.multiplier, request.shares) == (after, 4, 400)
        assert (request.quantity, selectors.redemptions_to_requote(LATER)) == (100, [])
        steps = request.transitions.count()
        services.requote_redemption(request.pk, actor=system, at=LATER)
        assert request.transitions.count() == steps

    def test_voids_what_is_proposed(self, market: Market, system: Actor) -> None:
        request = redemptions.redemption(market, state=_R.RECEIVED)
        redemptions.propose(request)
        split_4_to_1(market, system)

        services.requote_redemption(request.pk, actor=system, at=LATER)

        proposal = Proposal.objects.get(action="redemption.approve")
        assert proposal.state == ProposalState.VOIDED

    @pytest.mark.parametrize("state", sorted(ENDED_STATES))
    def test_leaves_what_has_ended(
        self, market: Market, system: Actor, state: RedemptionState
    ) -> None:
        request = redemptions.redemption(market, state=state)
        split_4_to_1(market, system)

        services.requote_redemption(request.pk, actor=system, at=LATER)

        request.refresh_from_db()
        assert (request.state, request.shares) == (state, 100)

    @pytest.mark.parametrize("failure", sorted(FAILED_STATES))
    def test_has_a_burn_that_failed_approved_again(
        self, market: Market, system: Actor, failure: IntentState
    ) -> None:
        request = redemptions.redemption(market, state=_R.BURNING)
        split_4_to_1(market, system)
        services.requote_redemption(request.pk, actor=system, at=LATER)
        redemptions.fail(request.burn_intent, failure)

        services.record_failed_burn(request.pk, actor=system, at=LATER)

        request.refresh_from_db()
        assert (request.state, request.shares, request.burn_intent) == (_R.RECEIVED, 400, None)
        steps = request.transitions.order_by("id").values_list("step", flat=True)
        assert list(steps)[-1] == "WITHDRAW_APPROVAL"

    def test_has_nothing_signed_that_was_approved_otherwise(
        self, market: Market, system: Actor
    ) -> None:
        request = redemptions.redemption(market, state=_R.APPROVED)
        split_4_to_1(market, system)
        RedemptionRequest.objects.filter(pk=request.pk).update(multiplier=4, shares=400)

        with pytest.raises(NotAsApproved):
            redemptions.sign(request, at=LATER)

        assert not TransactionIntent.objects.filter(kind=IntentKind.BURN).exists()


class TestRequoteIssuance:
    @pytest.mark.parametrize(
        ("before", "after"),
        [
            (IssuanceState.REQUESTED, IssuanceState.REQUESTED),
            (IssuanceState.ACCEPTED, IssuanceState.ACCEPTED),
            (IssuanceState.FUNDED, IssuanceState.FUNDED),
            (IssuanceState.APPROVED, IssuanceState.FUNDED),
            (IssuanceState.MINTING, IssuanceState.MINTING),
            (IssuanceState.FROZEN, IssuanceState.FROZEN),
        ],
    )
    def test_stands_for_four_times_the_shares(
        self, system: Actor, before: IssuanceState, after: IssuanceState
    ) -> None:
        market = primary_market.market()
        request = primary_market.issuance(market, state=before)
        split_4_to_1(market, system)
        assert selectors.issuances_to_requote(LATER) == [request.pk]

        services.requote_issuance(request.pk, actor=system, at=LATER)

        request.refresh_from_db()
        assert (request.state, request.multiplier, request.shares) == (after, 4, 2400)
        if before == IssuanceState.APPROVED:
            assert holds_of(request) == ["RELEASED"]

    @pytest.mark.parametrize("failure", sorted(FAILED_STATES))
    def test_has_a_mint_that_failed_approved_again(
        self, system: Actor, failure: IntentState
    ) -> None:
        market = primary_market.market()
        request = primary_market.issuance(market, state=IssuanceState.MINTING)
        split_4_to_1(market, system)
        services.requote_issuance(request.pk, actor=system, at=LATER)
        primary_market.fail(request, failure)

        services.record_failed_mint(request.pk, actor=system, at=LATER)

        request.refresh_from_db()
        assert (request.state, request.shares, request.mint_intent) == ("FUNDED", 2400, None)
        assert holds_of(request) == ["RELEASED"]
        assert last_step(request)[0] == "WITHDRAW_APPROVAL"

    def test_has_nothing_signed_that_was_approved_otherwise(self, system: Actor) -> None:
        market = primary_market.market()
        request = primary_market.issuance(market, state=IssuanceState.APPROVED)
        split_4_to_1(market, system)
        IssuanceRequest.objects.update(multiplier=4, shares=2400)

        with pytest.raises(NotAsApproved) as refused:
            primary_market.sign(request, at=LATER)

        assert set(refused.value.facts) == {"approved", "found"}
        assert not TransactionIntent.objects.exists()
        assert holds_of(request) == ["ACTIVE"]
