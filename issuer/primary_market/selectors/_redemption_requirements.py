"""What a redemption still needs, and from whom."""

from datetime import datetime
from typing import assert_never

from issuer.approvals import selectors as approvals
from issuer.custody.states import InstructionState
from issuer.foundation import canonical, quantities
from issuer.primary_market.models import RedemptionRequest
from issuer.primary_market.payload import APPROVE_REDEMPTION
from issuer.primary_market.selectors._refusals import SHUT_FOR_REDEMPTION, shut_gates
from issuer.primary_market.selectors._requirements import Party, Requirement
from issuer.primary_market.states import ENDED_STATES, DepositState, RedemptionState

_S = RedemptionState
#: Gates stop a redemption until the custodian is instructed.
_BEFORE_DELIVERY = (
    _S.REQUESTED,
    _S.AWAITING_TOKENS,
    _S.RECEIVED,
    _S.APPROVED,
    _S.BURNING,
    _S.BURNED,
)


def redemption_requirements(request: RedemptionRequest, *, at: datetime) -> list[Requirement]:
    """Return what `request` needs before it goes on at `at`.

    Nothing once it has ended, but for tokens of it that are to go back.
    """
    state = RedemptionState(request.state)
    found = [] if state in ENDED_STATES else [_next(request, state, at)]
    if state in _BEFORE_DELIVERY:
        found += [
            Requirement("open-gate", refusal.detail, Party.ISSUER)
            for refusal in shut_gates(request.deployment, SHUT_FOR_REDEMPTION)
        ]
    return found + _returns(request)


def _next(request: RedemptionRequest, state: RedemptionState, at: datetime) -> Requirement:
    match state:
        case RedemptionState.REQUESTED:
            return Requirement("acceptance", "We look at the request.", Party.ISSUER)
        case RedemptionState.AWAITING_TOKENS:
            detail = (
                f"{quantities.to_text(request.missing)} {request.token} from "
                f"{request.wallet.address} to {request.deposit_address} on "
                f"{request.deployment.network}, by {canonical.timestamp(request.expires_at)}."
            )
            return Requirement("tokens", detail, Party.PARTICIPANT)
        case RedemptionState.RECEIVED:
            return _approval(request)
        case RedemptionState.APPROVED:
            detail = "The burn is signed next."
            if request.reason:
                detail = f"The burn is signed again, for the last one failed: {request.reason}"
            return Requirement("burn", detail, Party.ISSUER)
        case RedemptionState.BURNING:
            detail = "The burn is not final on its chain, or not booked yet."
            return Requirement("finality", detail, Party.NETWORK)
        case RedemptionState.BURNED:
            detail = "The custodian is instructed to deliver the shares next."
            return Requirement("delivery-instruction", detail, Party.ISSUER)
        case RedemptionState.DELIVERING:
            return _delivery(request, at)
        case RedemptionState.QUARANTINED | RedemptionState.FROZEN:
            label = state.label.lower()
            detail = f"The request is {label}: {request.reason}"
            return Requirement("release", detail, Party.ISSUER)
        case (
            RedemptionState.COMPLETED
            | RedemptionState.REJECTED
            | RedemptionState.CANCELLED
            | RedemptionState.EXPIRED
            | RedemptionState.RETURNED
        ):
            raise AssertionError("A request that has ended needs nothing.")
        case _:
            assert_never(state)


def _approval(request: RedemptionRequest) -> Requirement:
    if approvals.open_proposal(request, APPROVE_REDEMPTION) is None:
        return Requirement("proposal", "An officer proposes it for approval.", Party.ISSUER)
    return Requirement("confirmation", "A second officer confirms it.", Party.ISSUER)


def _delivery(request: RedemptionRequest, at: datetime) -> Requirement:
    instruction = request.instruction
    assert instruction is not None
    if instruction.state == InstructionState.SETTLED:
        return Requirement("completion", "The shares have left.", Party.ISSUER)
    if instruction.state == InstructionState.CANCELLED:
        detail = "The delivery was cancelled; the request is looked at again."
        return Requirement("delivery-cancelled", detail, Party.ISSUER)
    due = instruction.settlement_date
    detail = (
        f"{quantities.to_text(instruction.quantity)} shares from account "
        f"{instruction.account.reference} at {instruction.account.custodian} to "
        f"{instruction.counterparty}, to settle on {due}."
    )
    if instruction.state == InstructionState.FAILED or at.date() > due:
        return Requirement("late-delivery", f"Late: {detail}", Party.CUSTODIAN)
    return Requirement("delivery", detail, Party.CUSTODIAN)


def _returns(request: RedemptionRequest) -> list[Requirement]:
    """Return which tokens of the request are to go back, or are on their way."""
    found = []
    for deposit in request.deposits.all():
        deposit.redemption = request
        if deposit.state == DepositState.RETURNING:
            detail = "Tokens are on their way back."
            found.append(Requirement("return", detail, Party.NETWORK))
        elif deposit.state != DepositState.MATCHED and deposit.to_return > 0:
            rest = quantities.to_text(deposit.to_return)
            detail = f"{rest} {request.token} are to be returned, which two officers approve."
            found.append(Requirement("return-approval", detail, Party.ISSUER))
    return found
