"""Questions about requests of participants."""

from datetime import datetime
from uuid import UUID

from django.db.models import OuterRef, QuerySet, Subquery

from issuer.chain.models import TransactionIntent
from issuer.chain.states import FAILED_STATES, IntentState
from issuer.custody.states import InstructionState
from issuer.parties.models import AuthorizedParticipant
from issuer.primary_market import axes, errors
from issuer.primary_market.axes import Axes
from issuer.primary_market.models import IssuanceRequest
from issuer.primary_market.states import FINAL_STATES, IssuanceState

UNFUNDED = (IssuanceState.REQUESTED, IssuanceState.ACCEPTED)


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
        .exclude(instruction__settled_quantity__gt=0)
        .order_by("id")
    )


def to_mint() -> QuerySet[IssuanceRequest]:
    """Return the approved requests, the oldest first."""
    return IssuanceRequest.objects.filter(state=IssuanceState.APPROVED).order_by("id")


def finally_minted() -> QuerySet[IssuanceRequest]:
    """Return the requests whose mint is final and not in the books yet."""
    return IssuanceRequest.objects.filter(
        state=IssuanceState.MINTING, mint_intent__state=IntentState.FINAL
    ).order_by("id")


def failed_to_mint() -> QuerySet[IssuanceRequest]:
    """Return the requests whose mint has certainly failed: reverted, dropped or cancelled."""
    return IssuanceRequest.objects.filter(
        state=IssuanceState.MINTING, mint_intent__state__in=sorted(FAILED_STATES)
    ).order_by("id")
