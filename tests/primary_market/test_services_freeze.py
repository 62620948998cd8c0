"""Freezing, and going on again from where no shares are held."""

from datetime import date

import pytest

from issuer.approvals.models import Proposal
from issuer.approvals.states import ProposalState
from issuer.foundation.actors import Actor
from issuer.foundation.errors import IllegalTransition
from issuer.kyc.errors import KycNotCleared
from issuer.kyc.models import Case
from issuer.parties import services as parties
from issuer.parties.errors import WalletNotBound
from issuer.primary_market import services
from issuer.primary_market.states import FINAL_STATES, IssuanceState
from tests.make import parties as make_parties
from tests.make import primary_market
from tests.make.primary_market import AT, Market
from tests.primary_market.assertions import assert_still, holds_of, last_step

pytestmark = pytest.mark.django_db


class TestFreeze:
    @pytest.mark.parametrize(
        "state",
        [
            IssuanceState.REQUESTED,
            IssuanceState.ACCEPTED,
            IssuanceState.FUNDED,
            IssuanceState.APPROVED,
        ],
    )
    def test_stops_a_request_and_says_why(
        self, market: Market, staff: Actor, state: IssuanceState
    ) -> None:
        request = primary_market.issuance(market, state=state)

        services.freeze(request.pk, reason="A hit on a list.", actor=staff, at=AT)

        request.refresh_from_db()
        assert request.reason == "A hit on a list."
        assert last_step(request) == ("FREEZE", state, "FROZEN", str(staff))

    def test_voids_what_is_proposed(self, market: Market, staff: Actor) -> None:
        request = primary_market.issuance(market, state=IssuanceState.FUNDED)
        services.propose_approval(request.pk, actor=staff, at=AT)

        services.freeze(request.pk, reason="A hit on a list.", actor=staff, at=AT)

        assert Proposal.objects.get().state == ProposalState.VOIDED

    def test_lets_held_shares_go(self, market: Market, staff: Actor) -> None:
        request = primary_market.issuance(market, state=IssuanceState.APPROVED)

        services.freeze(request.pk, reason="A hit on a list.", actor=staff, at=AT)

        assert holds_of(request) == ["RELEASED"]

    @pytest.mark.parametrize(
        "state", [IssuanceState.MINTING, IssuanceState.FROZEN, *sorted(FINAL_STATES)]
    )
    def test_refuses_a_signed_mint_and_what_has_ended(
        self, market: Market, staff: Actor, state: IssuanceState
    ) -> None:
        request = primary_market.issuance(market, state=state)

        with pytest.raises(IllegalTransition):
            services.freeze(request.pk, reason="Too late.", actor=staff, at=AT)

        assert_still(request, state)


class TestFreezeLapsed:
    def test_says_why_as_it_is_now(self, market: Market, system: Actor) -> None:
        request = primary_market.issuance(market, state=IssuanceState.APPROVED)
        Case.objects.update(valid_until=date(2026, 11, 19))

        services.freeze_lapsed(request.pk, actor=system, at=AT)

        request.refresh_from_db()
        assert last_step(request) == ("FREEZE", "APPROVED", "FROZEN", str(system))
        assert request.reason.startswith(f"The KYC of {market.participant} is")
        assert holds_of(request) == ["RELEASED"]

    def test_leaves_a_request_whose_participant_is_cleared_and_what_is_proposed_for_it(
        self, market: Market, staff: Actor, system: Actor
    ) -> None:
        """What a task was asked for may be over by the time it is delivered, perhaps again."""
        request = primary_market.issuance(market, state=IssuanceState.FUNDED)
        Case.objects.update(valid_until=date(2026, 11, 19))
        services.freeze_lapsed(request.pk, actor=system, at=AT)
        Case.objects.update(valid_until=date(2027, 11, 19))
        services.unfreeze(request.pk, reason="Cleared again.", actor=staff, at=AT)
        services.propose_approval(request.pk, actor=staff, at=AT)
        request.refresh_from_db()

        services.freeze_lapsed(request.pk, actor=system, at=AT)

        assert_still(request, IssuanceState.FUNDED)
        assert Proposal.objects.get().state == ProposalState.OPEN

    def test_refuses_a_signed_mint(self, market: Market, system: Actor) -> None:
        request = primary_market.issuance(market, state=IssuanceState.MINTING)
        Case.objects.update(valid_until=date(2026, 11, 19))

        with pytest.raises(IllegalTransition):
            services.freeze_lapsed(request.pk, actor=system, at=AT)

        assert_still(request, IssuanceState.MINTING)


class TestUnfreeze:
    @pytest.mark.parametrize(
        ("before", "after"),
        [
            (IssuanceState.REQUESTED, IssuanceState.REQUESTED),
            (IssuanceState.ACCEPTED, IssuanceState.ACCEPTED),
            (IssuanceState.FUNDED, IssuanceState.FUNDED),
            (IssuanceState.APPROVED, IssuanceState.FUNDED),
        ],
    )
    def test_goes_on_from_where_no_shares_are_held(
        self, market: Market, staff: Actor, before: IssuanceState, after: IssuanceState
    ) -> None:
        request = primary_market.issuance(market, state=before)
        services.freeze(request.pk, reason="A hit on a list.", actor=staff, at=AT)

        services.unfreeze(request.pk, reason="A namesake.", actor=staff, at=AT)

        request.refresh_from_db()
        assert (request.state, request.reason) == (after, "A namesake.")

    def test_goes_on_funded_if_the_shares_came_meanwhile(
        self, market: Market, staff: Actor
    ) -> None:
        request = primary_market.issuance(market, state=IssuanceState.ACCEPTED)
        services.freeze(request.pk, reason="A hit on a list.", actor=staff, at=AT)
        primary_market.deliver(request)

        services.unfreeze(request.pk, reason="A namesake.", actor=staff, at=AT)

        request.refresh_from_db()
        assert request.state == IssuanceState.FUNDED

    def test_refuses_while_kyc_is_over(self, market: Market, staff: Actor) -> None:
        request = primary_market.issuance(market, state=IssuanceState.FROZEN)
        Case.objects.update(valid_until=date(2026, 11, 19))

        with pytest.raises(KycNotCleared):
            services.unfreeze(request.pk, reason="Why not.", actor=staff, at=AT)

        assert_still(request, IssuanceState.FROZEN)

    def test_refuses_until_the_wallet_is_bound_again(self, market: Market, staff: Actor) -> None:
        request = primary_market.issuance(market, state=IssuanceState.FROZEN)
        parties.revoke_wallet(market.wallet, reason="Key lost.", actor=staff, at=AT)
        with pytest.raises(WalletNotBound):
            services.unfreeze(request.pk, reason="Why not.", actor=staff, at=AT)
        assert_still(request, IssuanceState.FROZEN)

        make_parties.wallet(market.participant, address=market.wallet.address)
        services.unfreeze(request.pk, reason="Bound again.", actor=staff, at=AT)

        request.refresh_from_db()
        assert request.state == IssuanceState.REQUESTED

    def test_refuses_what_is_not_frozen(self, market: Market, staff: Actor) -> None:
        request = primary_market.issuance(market)

        with pytest.raises(IllegalTransition):
            services.unfreeze(request.pk, reason="Why not.", actor=staff, at=AT)

        assert_still(request, IssuanceState.REQUESTED)
