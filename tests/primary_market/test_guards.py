"""Whether what was signed is still wanted when it is to be sent."""

from datetime import date
from decimal import Decimal

import pytest

from issuer.chain import registry
from issuer.chain import services as chain_services
from issuer.chain.errors import ActMustWait
from issuer.chain.models import ContractAct
from issuer.chain.states import ActState, IntentKind, SignerPurpose
from issuer.foundation.actors import Actor
from issuer.kyc.errors import KycNotCleared
from issuer.kyc.models import Case
from issuer.kyc.states import CaseState
from issuer.parties import services as parties
from issuer.parties.errors import WalletNotBound
from issuer.people.roles import Role
from issuer.primary_market import checks, services
from issuer.primary_market.errors import ReturnUnlawful
from issuer.primary_market.guards import require_nothing_stranded, require_wanted
from issuer.primary_market.models import IssuanceRequest, RedemptionRequest
from issuer.primary_market.states import (
    DepositState,
    IssuanceState,
    RedemptionState,
    ReturnState,
)
from tests.make import chain, people, primary_market, redemptions
from tests.make import chain_acts as acts
from tests.make.primary_market import AT, Market

pytestmark = pytest.mark.django_db


@pytest.fixture(params=["mint", "burn"])
def signed(request: pytest.FixtureRequest) -> IssuanceRequest | RedemptionRequest:
    """A request whose mint, or burn, is signed."""
    if request.param == "mint":
        return primary_market.issuance(state=IssuanceState.MINTING)
    return redemptions.redemption(state=RedemptionState.BURNING)


def check(signed: IssuanceRequest | RedemptionRequest) -> None:
    intent = signed.mint_intent if isinstance(signed, IssuanceRequest) else signed.burn_intent
    assert intent is not None
    require_wanted(intent, AT)


class TestRequireWanted:
    def test_lets_through_what_still_stands(
        self, signed: IssuanceRequest | RedemptionRequest
    ) -> None:
        check(signed)

    def test_refuses_once_kyc_is_over(self, signed: IssuanceRequest | RedemptionRequest) -> None:
        Case.objects.update(valid_until=date(2026, 11, 19))

        with pytest.raises(KycNotCleared):
            check(signed)

    def test_refuses_once_the_wallet_is_revoked(
        self, signed: IssuanceRequest | RedemptionRequest, staff: Actor
    ) -> None:
        parties.revoke_wallet(signed.wallet, reason="Key lost.", actor=staff, at=AT)

        with pytest.raises(WalletNotBound):
            check(signed)

    def test_refuses_to_give_back_to_who_was_suspended_since(self) -> None:
        waiting = redemptions.deposit(redemptions.market(), Decimal(7))
        back = redemptions.a_return(waiting, state=ReturnState.SIGNED)
        assert back.intent is not None
        require_wanted(back.intent, AT)
        Case.objects.update(state=CaseState.SUSPENDED, reason="A hit on a list.")

        with pytest.raises(ReturnUnlawful):
            require_wanted(back.intent, AT)

    def test_has_no_say_in_what_no_request_asked_for(self) -> None:
        require_wanted(chain.intent(), AT)


class TestRequireNothingStranded:
    @pytest.fixture
    def market(self) -> Market:
        return redemptions.market()

    @staticmethod
    def revocation(market: Market, role: SignerPurpose = SignerPurpose.BURNER) -> ContractAct:
        return acts.act(
            [market.deployment],
            kind=IntentKind.REVOKE_ROLE,
            role=role,
            account=redemptions.BURNER.address,
        )

    @pytest.mark.parametrize(
        "state",
        [
            RedemptionState.REQUESTED,
            RedemptionState.AWAITING_TOKENS,
            RedemptionState.RECEIVED,
            RedemptionState.APPROVED,
            RedemptionState.BURNING,
            RedemptionState.FROZEN,
        ],
    )
    def test_refuses_while_a_redemption_has_tokens_there_or_will(
        self, market: Market, state: RedemptionState
    ) -> None:
        redemptions.redemption(market, state=state)

        with pytest.raises(ActMustWait) as refused:
            require_nothing_stranded(self.revocation(market))

        assert refused.value.facts == {"redemptions": "1", "deposits": "0", "transfers": "0"}

    @pytest.mark.parametrize("state", [RedemptionState.BURNED, RedemptionState.COMPLETED])
    def test_lets_go_once_they_are_burned(self, market: Market, state: RedemptionState) -> None:
        redemptions.redemption(market, state=state)

        require_nothing_stranded(self.revocation(market))

    def test_refuses_while_something_waits_there_or_goes_back(self, market: Market) -> None:
        waiting = redemptions.deposit(market, Decimal(7))
        for _ in range(2):
            with pytest.raises(ActMustWait) as refused:
                require_nothing_stranded(self.revocation(market))
            assert refused.value.facts["deposits"] == "1"
            if waiting.state != DepositState.RETURNING:
                found = redemptions.a_return(waiting, state=ReturnState.SIGNED)
                waiting.refresh_from_db()

        redemptions.finalize_return(found)
        services.complete_return(found.pk, actor=redemptions.SYSTEM, at=AT)

        require_nothing_stranded(self.revocation(market))

    def test_refuses_while_what_came_is_not_looked_at(self, market: Market) -> None:
        redemptions.transfer(market, Decimal(7))

        with pytest.raises(ActMustWait) as refused:
            require_nothing_stranded(self.revocation(market))

        assert refused.value.facts["transfers"] == "1"

    def test_does_not_mind_other_roles_and_other_networks(self, market: Market) -> None:
        redemptions.redemption(market, state=RedemptionState.APPROVED)
        elsewhere = acts.act(
            kind=IntentKind.REVOKE_ROLE,
            role=SignerPurpose.BURNER,
            account=redemptions.BURNER.address,
        )

        require_nothing_stranded(elsewhere)
        require_nothing_stranded(self.revocation(market, SignerPurpose.PAUSER))

    def test_lets_go_what_nobody_can_move_as_long_as_nobody_can(self, market: Market) -> None:
        redemptions.redemption(market, state=RedemptionState.APPROVED)
        account = redemptions.BURNER.address
        block, unblock = IntentKind.BLOCK_ADDRESS, IntentKind.UNBLOCK_ADDRESS
        acts.act([market.deployment], kind=block, state=ActState.DONE, account=account)
        require_nothing_stranded(self.revocation(market))
        acts.act([market.deployment], kind=unblock, state=ActState.DONE, account=account)

        with pytest.raises(ActMustWait):
            require_nothing_stranded(self.revocation(market))

    def test_is_asked_before_the_signer_is_retired(self, market: Market) -> None:
        redemptions.redemption(market, state=RedemptionState.APPROVED)
        act = self.revocation(market)
        guard = registry.confirmation_guard_of(IntentKind.REVOKE_ROLE)
        assert guard is require_nothing_stranded

        with pytest.raises(ActMustWait):
            chain_services.confirm_act(
                act.pk,
                payload_hash=acts.hash_of(act),
                guard=guard,
                actor=people.staff_actor(Role.APPROVER),
                at=AT,
            )

        act.refresh_from_db()
        assert act.state == ActState.PROPOSED
        assert checks.deposit_address(market.deployment.network) == redemptions.BURNER.address
