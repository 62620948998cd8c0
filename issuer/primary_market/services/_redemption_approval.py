"""The approval of a redemption whose tokens are here: proposed by one, confirmed by another."""

from datetime import datetime
from uuid import UUID

from django.db import transaction

from issuer.approvals import selectors as approvals_of
from issuer.approvals import services as approvals
from issuer.approvals.errors import ProposalChanged
from issuer.approvals.models import Proposal
from issuer.foundation.actors import Actor
from issuer.primary_market import checks, errors
from issuer.primary_market.models import RedemptionRequest
from issuer.primary_market.payload import APPROVE_REDEMPTION, redemption_payload
from issuer.primary_market.services._redemption_shares import require_redeemable
from issuer.primary_market.services._redemption_steps import lock, take
from issuer.primary_market.states import RedemptionState, RedemptionStep


@transaction.atomic
def propose_redemption(request_id: UUID, *, actor: Actor, at: datetime) -> Proposal:
    """Propose to approve a redemption whose tokens are here; another person has to confirm it.

    Raises:
        IllegalTransition: if not all its tokens have come, or it is approved or stopped.
        KycNotCleared, WalletNotBound: if the participant may no longer be dealt with.
        MultiplierChanged: if the terms of the request no longer stand.
        GateClosed: if one of its gates is halted.
        PersonRequired: if `actor` is nobody's login.
        ProposalOpen: if it is proposed already.
    """
    request = lock(request_id)
    RedemptionStep.APPROVE.value.check(RedemptionState(request.state))
    checks.require_entitled(request, at=at)
    checks.require_same_multiplier(request, at=at)
    checks.require_not_halted(request.deployment)
    return approvals.propose(
        action=APPROVE_REDEMPTION,
        subject=request,
        payload=redemption_payload(request),
        actor=actor,
        at=at,
    )


@transaction.atomic
def confirm_redemption(
    request_id: UUID, *, payload_hash: str, actor: Actor, at: datetime
) -> RedemptionRequest:
    """Approve a proposed redemption as a second person: its tokens may be burned.

    `payload_hash` is that of the payload which the person saw. What is held is computed under the
    lock of the token's equation, and under the locks of its gates, so an approval and a halt never
    both happen.

    Raises:
        IllegalTransition: if not all its tokens have come, or it is approved or stopped.
        NotProposed: if nobody proposed it.
        ProposalChanged: if the person saw something else, or the request has changed.
        PersonRequired, SamePerson: if `actor` is nobody's login, or the proposer's.
        KycNotCleared, WalletNotBound: if the participant may no longer be dealt with.
        MultiplierChanged: if the terms of the request no longer stand.
        GateClosed: if one of its gates is halted.
        CoverUnknown, SharesNotFree: if its shares are not there, or not known to be.
        AccountSharesNotFree: if they are not in the account that they are to leave from.
    """
    request = lock(request_id)
    RedemptionStep.APPROVE.value.check(RedemptionState(request.state))
    proposal = _open_proposal(request)
    if payload_hash != proposal.payload_hash:
        raise ProposalChanged(
            "What you saw is not what is proposed now; look at it again.",
            proposed=proposal.payload_hash,
            found=payload_hash[:64],
        )
    approvals.confirm(proposal.pk, payload=redemption_payload(request), actor=actor, at=at)
    checks.require_entitled(request, at=at)
    checks.require_same_multiplier(request, at=at)
    checks.require_all_received(request)
    require_redeemable(request, at=at)
    return take(RedemptionStep.APPROVE, request, actor=actor, at=at)


@transaction.atomic
def decline_redemption(request_id: UUID, *, reason: str, actor: Actor, at: datetime) -> Proposal:
    """Close the proposal to approve a redemption; its tokens stay here.

    Raises:
        NotProposed: if nobody proposed it.
        PersonRequired: if `actor` is nobody's login.
    """
    proposal = _open_proposal(lock(request_id))
    return approvals.decline(proposal.pk, reason=reason, actor=actor, at=at)


@transaction.atomic
def withdraw_redemption(
    request_id: UUID, *, reason: str, actor: Actor, at: datetime
) -> RedemptionRequest:
    """Take an approval back before its burn is signed.

    Raises:
        IllegalTransition: if the request is not approved, or its burn is signed.
    """
    request = lock(request_id)
    return take(RedemptionStep.WITHDRAW_APPROVAL, request, actor=actor, at=at, reason=reason)


def _open_proposal(request: RedemptionRequest) -> Proposal:
    proposal = approvals_of.open_proposal(request, APPROVE_REDEMPTION)
    if proposal is None:
        raise errors.NotProposed(f"{request} is not proposed for approval.")
    return proposal
