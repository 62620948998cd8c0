"""Whether what was signed is still wanted when it is to be sent."""

from datetime import date
from decimal import Decimal

import pytest

from issuer.foundation.actors import Actor
from issuer.kyc.errors import KycNotCleared
from issuer.kyc.models import Case
from issuer.kyc.states import CaseState
from issuer.parties import services as parties
from issuer.parties.errors import WalletNotBound
from issuer.primary_market.errors import ReturnUnlawful
from issuer.primary_market.guards import require_wanted
from issuer.primary_market.models import IssuanceRequest, RedemptionRequest
from issuer.primary_market.states import IssuanceState, RedemptionState, ReturnState
from tests.make import chain, primary_market, redemptions
from tests.make.primary_market import AT

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
