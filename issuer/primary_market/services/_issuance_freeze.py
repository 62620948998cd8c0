"""Freezing a request: nothing goes on with it until somebody has looked at it again."""

from datetime import datetime
from uuid import UUID

from django.db import transaction

from issuer.approvals import services as approvals
from issuer.custody.states import InstructionState
from issuer.foundation.actors import Actor
from issuer.primary_market import checks
from issuer.primary_market.models import IssuanceRequest
from issuer.primary_market.services._issuance_steps import lock, take
from issuer.primary_market.states import IssuanceState, IssuanceStep
from issuer.reserves import services as reserves


@transaction.atomic
def freeze(request_id: UUID, *, reason: str, actor: Actor, at: datetime) -> IssuanceRequest:
    """Stop a request whose mint is not signed; void its proposal, and let its shares go.

    Raises:
        IllegalTransition: if its mint is signed, or it has ended.
    """
    return _freeze(lock(request_id), reason=reason, actor=actor, at=at)


@transaction.atomic
def freeze_lapsed(request_id: UUID, *, actor: Actor, at: datetime) -> IssuanceRequest:
    """Stop a request if its participant may no longer be dealt with; otherwise nothing happens.

    Whether, and why, is asked under the request's lock: what was found before may be over.

    Raises:
        IllegalTransition: if it is to be stopped, and its mint is signed, or it has ended.
    """
    request = lock(request_id)
    reason = checks.lapse_of(request, at=at)
    if not reason:
        return request
    return _freeze(request, reason=reason, actor=actor, at=at)


@transaction.atomic
def unfreeze(request_id: UUID, *, reason: str, actor: Actor, at: datetime) -> IssuanceRequest:
    """Let a frozen request go on from where no shares are held for it.

    Raises:
        IllegalTransition: if it is not frozen.
        KycNotCleared, WalletNotBound: if the participant may still not be dealt with.
    """
    request = lock(request_id)
    IssuanceStep.UNFREEZE_REQUESTED.value.check(IssuanceState(request.state))
    checks.require_entitled(request, at=at)
    return take(_step_back(request), request, actor=actor, at=at, reason=reason)


def _freeze(
    request: IssuanceRequest, *, reason: str, actor: Actor, at: datetime
) -> IssuanceRequest:
    origin = IssuanceState(request.state)
    IssuanceStep.FREEZE.value.check(origin)
    approvals.void_open(subject=request, reason=reason, actor=actor, at=at)
    if origin == IssuanceState.APPROVED:
        reserves.release_hold(request.pk, actor=actor, at=at)
    return take(IssuanceStep.FREEZE, request, actor=actor, at=at, reason=reason)


def _step_back(request: IssuanceRequest) -> IssuanceStep:
    """Return the step to where a frozen request goes on, by what has become of its shares."""
    if request.instruction is None:
        return IssuanceStep.UNFREEZE_REQUESTED
    if request.instruction.state == InstructionState.SETTLED:
        return IssuanceStep.UNFREEZE_FUNDED
    return IssuanceStep.UNFREEZE_ACCEPTED
