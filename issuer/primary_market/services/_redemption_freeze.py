"""Stopping a redemption: nothing goes on with it, or with its tokens, until somebody has looked."""

from datetime import datetime
from uuid import UUID

from django.db import transaction

from issuer.approvals import services as approvals
from issuer.foundation.actors import Actor
from issuer.primary_market import checks
from issuer.primary_market.models import RedemptionRequest
from issuer.primary_market.services import _deposit_steps as deposits
from issuer.primary_market.services._deposits import rematch_quarantined
from issuer.primary_market.services._redemption_steps import lock, lock_beside, take
from issuer.primary_market.states import RedemptionState, RedemptionStep


@transaction.atomic
def freeze_redemption(
    request_id: UUID, *, reason: str, actor: Actor, at: datetime
) -> RedemptionRequest:
    """Stop a request, and void its proposal; tokens of it that are here go into quarantine.

    What was burned stays burned; its shares are not delivered before somebody has looked at it.

    Raises:
        IllegalTransition: if its burn is signed and not booked, the custodian is instructed, or it
            is stopped or over.
    """
    return _freeze(lock(request_id), reason=reason, actor=actor, at=at)


@transaction.atomic
def freeze_lapsed_redemption(request_id: UUID, *, actor: Actor, at: datetime) -> RedemptionRequest:
    """Stop a request if its participant may no longer be dealt with; otherwise nothing happens.

    Whether, and why, is asked under the request's lock: what was found before may be over.

    Raises:
        IllegalTransition: if it is to be stopped, and is where `freeze_redemption` refuses it.
    """
    request = lock(request_id)
    reason = checks.lapse_of(request, at=at)
    if not reason:
        return request
    return _freeze(request, reason=reason, actor=actor, at=at)


@transaction.atomic
def unfreeze_redemption(
    request_id: UUID, *, reason: str, actor: Actor, at: datetime
) -> RedemptionRequest:
    """Let a request go on from where nothing of it is approved; what came meanwhile is matched.

    Raises:
        IllegalTransition: if it is neither frozen nor in quarantine.
        KycNotCleared, WalletNotBound: if the participant may still not be dealt with.
        DepositReturning: if tokens of it go back, or are proposed to.
    """
    request = lock_beside(request_id)
    step = _step_back(request)
    step.value.check(RedemptionState(request.state))
    checks.require_no_lapse(request, at=at)
    take(step, request, actor=actor, at=at, reason=reason)
    if request.burn_intent is None:
        deposits.resume(request, actor=actor, at=at)
        rematch_quarantined(request, actor=actor, at=at)
        request.refresh_from_db(fields=["state", "received"])
    return request


def _freeze(
    request: RedemptionRequest, *, reason: str, actor: Actor, at: datetime
) -> RedemptionRequest:
    here = bool(request.received) and request.burn_intent is None
    step = RedemptionStep.QUARANTINE if here else RedemptionStep.FREEZE
    step.value.check(RedemptionState(request.state))
    approvals.void_open(subject=request, reason=reason, actor=actor, at=at)
    take(step, request, actor=actor, at=at, reason=reason)
    if here:  # those of burned tokens are gone
        deposits.quarantine(request, actor=actor, at=at)
    return request


def _step_back(request: RedemptionRequest) -> RedemptionStep:
    """Return the step to where a stopped request goes on, by what has become of its tokens."""
    if request.burn_intent is not None:
        return RedemptionStep.UNFREEZE_BURNED
    if request.account is None:
        return RedemptionStep.UNFREEZE_REQUESTED
    if request.missing:
        return RedemptionStep.UNFREEZE_AWAITING
    return RedemptionStep.UNFREEZE_RECEIVED
