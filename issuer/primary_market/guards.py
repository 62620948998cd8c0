"""What those who deal with chains ask for us: whether a transaction, or an act, may go on."""

from datetime import datetime

from django.db.models import QuerySet

from issuer.chain import selectors as chain
from issuer.chain.errors import ActMustWait
from issuer.chain.models import ContractAct, TransactionIntent
from issuer.chain.states import IntentKind, SignerPurpose
from issuer.primary_market import checks, selectors
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


def require_nothing_stranded(act: ContractAct) -> None:
    """Refuse to retire a burner while tokens are at its address, or are told to come there.

    Only its own key burns what is there, or sends it back. If that key is in other hands, too, it
    moves what is there as well: then the address is blocked first, which stops everybody.

    Raises:
        ActMustWait: if so, and the address is not blocked on every contract of its network.
    """
    if act.role != SignerPurpose.BURNER or chain.is_blocked(act.network, act.account):
        return
    waiting = {
        "redemptions": selectors.redemptions_at(act.network, act.account).count(),
        "deposits": selectors.deposits_at(act.network, act.account).count(),
        "transfers": selectors.unmatched_transfers_to(act.network, act.account).count(),
    }
    if any(waiting.values()):
        said = ", ".join(f"{noun}: {count}" for noun, count in waiting.items() if count)
        detail = (
            f"Tokens are at {act.account}, or on their way there ({said}). They are burned or sent "
            "back first; if its key was stolen, the address is blocked first."
        )
        raise ActMustWait(detail, **{noun: str(count) for noun, count in waiting.items()})


def _require_entitled(
    requests: QuerySet[IssuanceRequest] | QuerySet[RedemptionRequest], at: datetime
) -> None:
    for request in requests.select_related("participant__entity", "wallet"):
        checks.require_entitled(request, at=at)
