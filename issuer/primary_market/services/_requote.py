"""New terms for requests in flight over a split, once the split is in the books.

The tokens stay as many; what they stand for is another number of shares. What was approved on the
old terms has to be approved again. A mint or a burn that is under way goes on, and is booked on
the terms that the books go by.
"""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import Final
from uuid import UUID

from django.db import transaction

from issuer.approvals import services as approvals
from issuer.custody.states import InstructionState
from issuer.foundation import quantities
from issuer.foundation.actors import Actor
from issuer.instruments import selectors as instruments
from issuer.primary_market import checks
from issuer.primary_market.models import IssuanceRequest, RedemptionRequest
from issuer.primary_market.services import _issuance_steps as issuances
from issuer.primary_market.services import _redemption_steps as redemptions
from issuer.primary_market.states import (
    IssuanceState,
    IssuanceStep,
    RedemptionState,
    RedemptionStep,
)
from issuer.reserves import services as reserves

REASON: Final = "The token was split; these are the terms after it."

_ISSUANCE: Final[Mapping[str, IssuanceStep]] = {
    IssuanceState.REQUESTED: IssuanceStep.REQUOTE_REQUESTED,
    IssuanceState.ACCEPTED: IssuanceStep.REQUOTE_ACCEPTED,
    IssuanceState.FUNDED: IssuanceStep.REQUOTE_FUNDED,
    IssuanceState.APPROVED: IssuanceStep.REQUOTE_FUNDED,
    IssuanceState.MINTING: IssuanceStep.REQUOTE_MINTING,
    IssuanceState.FROZEN: IssuanceStep.REQUOTE_FROZEN,
}
_REDEMPTION: Final[Mapping[str, RedemptionStep]] = {
    RedemptionState.REQUESTED: RedemptionStep.REQUOTE_REQUESTED,
    RedemptionState.AWAITING_TOKENS: RedemptionStep.REQUOTE_AWAITING,
    RedemptionState.RECEIVED: RedemptionStep.REQUOTE_RECEIVED,
    RedemptionState.APPROVED: RedemptionStep.REQUOTE_RECEIVED,
    RedemptionState.BURNING: RedemptionStep.REQUOTE_BURNING,
    RedemptionState.BURNED: RedemptionStep.REQUOTE_BURNED,
    RedemptionState.DELIVERING: RedemptionStep.REQUOTE_DELIVERING,
    RedemptionState.QUARANTINED: RedemptionStep.REQUOTE_QUARANTINED,
    RedemptionState.FROZEN: RedemptionStep.REQUOTE_FROZEN,
}


@transaction.atomic
def requote_issuance(request_id: UUID, *, actor: Actor, at: datetime) -> IssuanceRequest:
    """Put a request that is in flight over a booked split on the terms after it; safe to repeat.

    Shares that are instructed, or here, are those that the split made of them. An approval is
    void, and its shares are let go.
    """
    request = issuances.lock(request_id)
    terms = _terms(request, at=at)
    if terms is None or request.state not in _ISSUANCE:
        return request
    multiplier, factor = terms
    if request.instruction is None:
        shares = checks.shares_for(request.quantity, multiplier)
    else:
        shares = _split(request.shares, factor)
    approvals.void_open(subject=request, reason=REASON, actor=actor, at=at)
    if request.state == IssuanceState.APPROVED:
        reserves.release_hold(request.pk, actor=actor, at=at)
    return issuances.take(
        _ISSUANCE[request.state],
        request,
        actor=actor,
        at=at,
        reason=_reason(request),
        multiplier=multiplier,
        shares=shares,
    )


@transaction.atomic
def requote_redemption(request_id: UUID, *, actor: Actor, at: datetime) -> RedemptionRequest:
    """Put a request that is in flight over a booked split on the terms after it; safe to repeat.

    Shares that are owed for tokens that are burned are those that the split made of them. An
    approval is void.
    """
    request = redemptions.lock(request_id)
    terms = _terms(request, at=at)
    if terms is None or request.state not in _REDEMPTION or _is_delivered(request):
        return request
    multiplier, factor = terms
    burned = request.burn_intent is not None and request.state != RedemptionState.BURNING
    if burned:
        shares = _split(request.shares, factor)
    else:
        shares = checks.shares_out(request.quantity, multiplier)
    if not shares:  # fewer than a custodian can move: for people to reject
        return request
    approvals.void_open(subject=request, reason=REASON, actor=actor, at=at)
    return redemptions.take(
        _REDEMPTION[request.state],
        request,
        actor=actor,
        at=at,
        reason=_reason(request),
        multiplier=multiplier,
        shares=shares,
    )


def _is_delivered(request: RedemptionRequest) -> bool:
    """Say whether the shares of a request have left, as they were before any later split."""
    instruction = request.instruction
    return instruction is not None and instruction.state == InstructionState.SETTLED


def _terms(
    request: IssuanceRequest | RedemptionRequest, *, at: datetime
) -> tuple[Decimal, Fraction] | None:
    """Return the multiplier after the booked splits that a request lives over, and their factor.

    None if there is none, or the multiplier has moved otherwise, too: that changes what a token
    earns, and is for people to look at.
    """
    token = instruments.lock_token(request.token_id)
    booked = [
        split
        for split in instruments.splits_of([token]).get(token.pk, [])
        if split.booked_at is not None and split.effective_at >= request.requested_at
    ]
    multiplier = instruments.booked_multiplier(request.deployment, at)
    factor = Fraction(1)
    for split in reversed(booked):
        factor *= split.factor
        if Fraction(request.multiplier) * factor == Fraction(multiplier):
            return multiplier, factor
    return None


def _split(shares: Decimal, factor: Fraction) -> Decimal:
    """Return what a split made of shares that are in the books; it was exact there."""
    found = quantities.scaled(shares, factor)
    assert found is not None, "the books took no split that is not exact"
    return found


def _reason(request: IssuanceRequest | RedemptionRequest) -> str:
    """Say why the terms are others; what was stopped goes on saying why it was."""
    stopped = request.state in {RedemptionState.FROZEN, RedemptionState.QUARANTINED}
    return request.reason if stopped else REASON
