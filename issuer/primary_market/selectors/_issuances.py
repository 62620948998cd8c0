"""Questions about requests of participants."""

from datetime import datetime
from uuid import UUID

from django.db.models import Exists, OuterRef, Q, QuerySet, Subquery

from issuer.chain.models import TransactionIntent
from issuer.chain.states import IntentState
from issuer.custody.states import InstructionState
from issuer.instruments.models import Network
from issuer.kyc import selectors as kyc
from issuer.kyc.errors import KycNotCleared
from issuer.parties.models import AuthorizedParticipant, LegalEntity, Wallet
from issuer.parties.states import WalletState
from issuer.primary_market import axes, errors
from issuer.primary_market.axes import Axes
from issuer.primary_market.models import IssuanceRequest
from issuer.primary_market.states import FINAL_STATES, IssuanceState

UNFUNDED = (IssuanceState.REQUESTED, IssuanceState.ACCEPTED)
#: The states in which a request can be frozen.
STOPPABLE = (*UNFUNDED, IssuanceState.FUNDED, IssuanceState.APPROVED)


def issuances() -> QuerySet[IssuanceRequest]:
    """Return every request, the newest first, with all that its three sides are derived from."""
    newest_mint = TransactionIntent.objects.filter(request_id=OuterRef("pk")).order_by("-id")
    return (
        IssuanceRequest.objects.select_related(
            "participant__entity",
            "token__security",
            "token__program",
            "deployment__network",
            "deployment__token",
            "wallet",
            "instruction__account__custodian__entity",
            "mint_intent__event",
        )
        .annotate(newest_mint_state=Subquery(newest_mint.values("state")[:1]))
        .order_by("-id")
    )


def issuances_of(participant: AuthorizedParticipant) -> QuerySet[IssuanceRequest]:
    """Return the requests of `participant`, the newest first."""
    return issuances().filter(participant=participant)


def issuance_of(participant: AuthorizedParticipant, request_id: UUID) -> IssuanceRequest:
    """Return one request of `participant`.

    Raises:
        IssuanceMissing: if the participant made no such request.
    """
    request = issuances_of(participant).filter(pk=request_id).first()
    if request is None:
        raise errors.IssuanceMissing(f"There is no issuance request {request_id}.")
    return request


def axes_of(request: IssuanceRequest) -> Axes:
    """Return the three sides of a request that `issuances` returned."""
    return axes.axes(
        state=request.state,
        instruction_state=None if request.instruction is None else request.instruction.state,
        intent_state=getattr(request, "newest_mint_state", None),
    )


def open_issuances() -> QuerySet[IssuanceRequest]:
    """Return the requests that have not ended, the oldest first."""
    return issuances().exclude(state__in=FINAL_STATES).order_by("id")


def newly_funded() -> QuerySet[IssuanceRequest]:
    """Return the accepted requests whose shares have settled."""
    return IssuanceRequest.objects.filter(
        state=IssuanceState.ACCEPTED, instruction__state=InstructionState.SETTLED
    ).order_by("id")


def expiring(at: datetime) -> QuerySet[IssuanceRequest]:
    """Return the requests whose time is over and whose shares have not come."""
    return (
        IssuanceRequest.objects.filter(state__in=UNFUNDED, expires_at__lte=at)
        .exclude(instruction__state=InstructionState.SETTLED)
        .order_by("id")
    )


def to_mint(network: Network | None = None) -> QuerySet[IssuanceRequest]:
    """Return the approved requests, on `network` if one is named, the oldest first."""
    on_network = Q() if network is None else Q(deployment__network=network)
    return IssuanceRequest.objects.filter(on_network, state=IssuanceState.APPROVED).order_by("id")


def finally_minted() -> QuerySet[IssuanceRequest]:
    """Return the requests whose mint is final and not in the books yet."""
    return IssuanceRequest.objects.filter(
        state=IssuanceState.MINTING, mint_intent__state=IntentState.FINAL
    ).order_by("id")


def failed_to_mint() -> QuerySet[IssuanceRequest]:
    """Return the requests whose mint was reverted or dropped."""
    return IssuanceRequest.objects.filter(
        state=IssuanceState.MINTING,
        mint_intent__state__in=[IntentState.REVERTED, IntentState.DROPPED],
    ).order_by("id")


def lapsed(at: datetime) -> list[tuple[UUID, str]]:
    """Return the requests that must not go on, by id, and why: KYC or wallet lapsed.

    Those whose mint is signed are not among them, for the chain may carry it out whatever we wish.
    """
    found: list[tuple[UUID, str]] = []
    refusals: dict[UUID, str | None] = {}
    bound = Wallet.objects.filter(
        participant=OuterRef("participant"),
        namespace=OuterRef("wallet__namespace"),
        address=OuterRef("wallet__address"),
        state=WalletState.BOUND,  # it may be another row: one bound again after a revocation
    )
    stoppable = (
        IssuanceRequest.objects.filter(state__in=STOPPABLE)
        .select_related("participant__entity", "wallet")
        .annotate(wallet_bound=Exists(bound))
        .order_by("id")
    )
    for request in stoppable:
        entity = request.participant.entity
        if entity.pk not in refusals:
            refusals[entity.pk] = _kyc_refusal(entity, at)
        reason = refusals[entity.pk]
        if reason is None and not request.wallet_bound:
            reason = f"The wallet {request.wallet.address} is no longer bound."
        if reason is not None:
            found.append((request.pk, reason))
    return found


def _kyc_refusal(entity: LegalEntity, at: datetime) -> str | None:
    try:
        kyc.require_cleared(entity, at=at)
    except KycNotCleared as refusal:
        return refusal.detail
    return None
