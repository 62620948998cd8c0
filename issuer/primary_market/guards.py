"""What those who send transactions ask for us: whether what one was signed for still stands."""

from datetime import datetime

from django.db.models import QuerySet

from issuer.chain.models import TransactionIntent
from issuer.chain.states import IntentKind
from issuer.primary_market import checks
from issuer.primary_market.models import DepositReturn, IssuanceRequest, RedemptionRequest


def require_wanted(intent: TransactionIntent, at: datetime) -> None:
    """Refuse to send what is signed for a party that may not be dealt with any more.

    Time may pass between a signature and a node that answers; so what was asked for it is asked
    again. What nothing of ours names is none of ours: it is signed and named in one transaction.

    Raises:
        KycNotCleared, WalletNotBound: if that is the party of a mint or a burn.
        ReturnUnlawful: if it is the sender to whom tokens go back.
    """
    match intent.kind:
        case IntentKind.MINT:
            _require_entitled(IssuanceRequest.objects.filter(mint_intent=intent), at)
        case IntentKind.BURN:
            _require_entitled(RedemptionRequest.objects.filter(burn_intent=intent), at)
        case IntentKind.RETURN:
            for found in DepositReturn.objects.filter(intent=intent).select_related(
                "deposit__transfer__deployment__network"
            ):
                checks.require_lawful_return(found.deposit)


def _require_entitled(
    requests: QuerySet[IssuanceRequest] | QuerySet[RedemptionRequest], at: datetime
) -> None:
    for request in requests.select_related("participant__entity", "wallet"):
        checks.require_entitled(request, at=at)
