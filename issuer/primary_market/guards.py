"""What those who send transactions ask for us: whether what one was signed for still stands."""

from datetime import datetime

from issuer.chain.models import TransactionIntent
from issuer.chain.states import IntentKind
from issuer.primary_market import checks
from issuer.primary_market.models import IssuanceRequest, RedemptionRequest


def require_wanted(intent: TransactionIntent, at: datetime) -> None:
    """Refuse to send the mint or the burn of a party that may not be dealt with any more.

    Time may pass between a signature and a node that answers; so both are asked again. One that
    no request knows is none of ours: `sign_mint` and `sign_burn` commit both together.

    Raises:
        KycNotCleared, WalletNotBound: if so.
    """
    request: checks.AnyRequest | None
    if intent.kind == IntentKind.MINT:
        issuances = IssuanceRequest.objects.filter(mint_intent=intent)
        request = issuances.select_related("participant__entity", "wallet").first()
    else:
        redemptions = RedemptionRequest.objects.filter(burn_intent=intent)
        request = redemptions.select_related("participant__entity", "wallet").first()
    if request is not None:
        checks.require_entitled(request, at=at)
