"""Questions about redemption requests."""

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.db.models import OuterRef, Prefetch, Q, QuerySet, Subquery, Sum

from issuer.chain import selectors as chain
from issuer.chain.models import IncomingTransfer, TransactionIntent
from issuer.chain.states import FAILED_STATES, IntentState
from issuer.custody.models import CustodyAccount
from issuer.custody.states import InstructionState
from issuer.instruments.models import Network
from issuer.parties.models import AuthorizedParticipant
from issuer.primary_market import axes, errors
from issuer.primary_market.axes import Axes
from issuer.primary_market.models import Deposit, DepositReturn, RedemptionRequest
from issuer.primary_market.states import ENDED_STATES, RECEIVING_STATES, RedemptionState

_S = RedemptionState


def redemptions() -> QuerySet[RedemptionRequest]:
    """Return every request, the newest first, with all that its three sides are derived from."""
    newest_burn = TransactionIntent.objects.filter(request_id=OuterRef("pk")).order_by("-id")
    returns = (
        DepositReturn.objects.select_related("intent")
        .prefetch_related("intent__attempts")
        .order_by("id")
    )
    deposits = (
        Deposit.objects.select_related("transfer")
        .prefetch_related(Prefetch("returns", returns))
        .order_by("id")
    )
    return (
        RedemptionRequest.objects.select_related(
            "participant__entity",
            "token__security",
            "token__program",
            "deployment__network",
            "deployment__token",
            "wallet",
            "account__custodian__entity",
            "instruction__account__custodian__entity",
            "burn_intent__event",
        )
        .prefetch_related(Prefetch("deposits", deposits))
        .annotate(newest_burn_state=Subquery(newest_burn.values("state")[:1]))
        .order_by("-id")
    )


def redemptions_of(participant: AuthorizedParticipant) -> QuerySet[RedemptionRequest]:
    """Return the requests of `participant`, the newest first."""
    return redemptions().filter(participant=participant)


def redemption_of(participant: AuthorizedParticipant, request_id: UUID) -> RedemptionRequest:
    """Return one request of `participant`.

    Raises:
        RedemptionMissing: if the participant made no such request.
    """
    request = redemptions_of(participant).filter(pk=request_id).first()
    if request is None:
        raise errors.RedemptionMissing(f"There is no redemption request {request_id}.")
    return request


def redemption_axes_of(request: RedemptionRequest) -> Axes:
    """Return the three sides of a request that `redemptions` returned."""
    return axes.redemption_axes(
        state=request.state,
        instruction_state=None if request.instruction is None else request.instruction.state,
        intent_state=getattr(request, "newest_burn_state", None),
    )


def open_redemptions() -> QuerySet[RedemptionRequest]:
    """Return the requests that have not ended, the oldest first."""
    return redemptions().exclude(state__in=ENDED_STATES).order_by("id")


def redemptions_at(network: Network, address: str) -> QuerySet[RedemptionRequest]:
    """Return the requests whose tokens are at an address, or are told to come there."""
    burned = [_S.BURNED, _S.DELIVERING]
    return (
        open_redemptions()
        .filter(deployment__network=network, deposit_address=address)
        .exclude(Q(state__in=burned) | Q(state=_S.FROZEN, burn_intent__isnull=False))
    )


def undelivered(token_ids: list[UUID]) -> QuerySet[RedemptionRequest]:
    """Return the requests whose burn is booked and whose delivery is not instructed."""
    return (
        RedemptionRequest.objects.filter(
            Q(state=_S.BURNED) | Q(state=_S.FROZEN, burn_intent__isnull=False),
            token__in=token_ids,
        )
        .select_related("burn_intent__event", "deployment__network")
        .order_by("id")
    )


def promised_from(account: CustodyAccount) -> Decimal:
    """Return the shares of `account` that tokens are burned for, and that nobody is told to send.

    Those of a burn that is signed are among them.
    """
    unsent = RedemptionRequest.objects.filter(
        Q(state__in=[_S.BURNING, _S.BURNED]) | Q(state=_S.FROZEN, burn_intent__isnull=False),
        account=account,
    )
    promised: Decimal | None = unsent.aggregate(shares=Sum("shares"))["shares"]
    return promised or Decimal(0)


def redemptions_expiring(at: datetime) -> list[RedemptionRequest]:
    """Return the requests whose time is over, on their chain too, with tokens missing."""
    over = RedemptionRequest.objects.filter(state__in=RECEIVING_STATES, expires_at__lte=at)
    rows = over.select_related("deployment", "wallet").order_by("id")
    return [request for request in rows if not may_still_receive(request)]


def may_still_receive(request: RedemptionRequest) -> bool:
    """Say whether tokens that were sent in time may still become known, or be counted.

    They may until what came to the deposit address is read up to a final block that was mined
    after the request's time: no later block is earlier than that.
    """
    read_until = chain.incoming_read_until(request.deployment, request.deposit_address)
    if read_until is None or read_until <= request.expires_at:
        return True
    return IncomingTransfer.objects.filter(
        deposit=None,
        deployment=request.deployment,
        recipient=request.deposit_address,
        sender=request.wallet.address,
        block_mined_at__lte=request.expires_at,
    ).exists()


def to_burn() -> QuerySet[RedemptionRequest]:
    """Return the approved requests, the oldest first."""
    return RedemptionRequest.objects.filter(state=_S.APPROVED).order_by("id")


def finally_burned() -> QuerySet[RedemptionRequest]:
    """Return the requests whose burn is final and not in the books yet."""
    return RedemptionRequest.objects.filter(
        state=_S.BURNING, burn_intent__state=IntentState.FINAL
    ).order_by("id")


def failed_to_burn() -> QuerySet[RedemptionRequest]:
    """Return the requests whose burn the chain has certainly not carried out."""
    return RedemptionRequest.objects.filter(
        state=_S.BURNING, burn_intent__state__in=sorted(FAILED_STATES)
    ).order_by("id")


def to_deliver() -> QuerySet[RedemptionRequest]:
    """Return the requests whose shares are owed to the participant by name."""
    return RedemptionRequest.objects.filter(state=_S.BURNED).order_by("id")


def delivered() -> QuerySet[RedemptionRequest]:
    """Return the requests whose shares have left, and which are not completed yet."""
    return _delivering(InstructionState.SETTLED)


def not_to_be_delivered() -> QuerySet[RedemptionRequest]:
    """Return the requests whose delivery was cancelled at the custodian."""
    return _delivering(InstructionState.CANCELLED)


def _delivering(state: InstructionState) -> QuerySet[RedemptionRequest]:
    found = RedemptionRequest.objects.filter(state=_S.DELIVERING, instruction__state=state)
    return found.order_by("id")
