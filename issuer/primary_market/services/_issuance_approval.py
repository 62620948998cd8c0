"""The approval of a funded request: proposed by one person, confirmed by another."""

from datetime import datetime
from uuid import UUID

from django.db import transaction

from issuer.approvals import selectors as approvals_of
from issuer.approvals import services as approvals
from issuer.approvals.errors import ProposalChanged
from issuer.approvals.models import Proposal
from issuer.foundation.actors import Actor
from issuer.primary_market import checks, errors
from issuer.primary_market.models import IssuanceRequest
from issuer.primary_market.payload import APPROVE_ISSUANCE, approval_payload
from issuer.primary_market.services._issuance_steps import lock, take
from issuer.primary_market.states import IssuanceState, IssuanceStep
from issuer.reserves import selectors as reserves_of
from issuer.reserves import services as reserves


@transaction.atomic
def propose_approval(request_id: UUID, *, actor: Actor, at: datetime) -> Proposal:
    """Propose to approve a funded request; another person has to confirm it.

    Raises:
        IllegalTransition: if the request is not funded.
        KycNotCleared, WalletNotBound: if the participant may no longer be dealt with.
        IssuanceClosed, MultiplierChanged: if the terms of the request no longer stand.
        GateClosed: if one of its gates is not open.
        PersonRequired: if `actor` is nobody's login.
        ProposalOpen: if it is proposed already.
    """
    request = lock(request_id)
    IssuanceStep.APPROVE.value.check(IssuanceState(request.state))
    checks.require_entitled(request, at=at)
    checks.require_unchanged_terms(request, at=at)
    checks.require_open(request.deployment)
    return approvals.propose(
        action=APPROVE_ISSUANCE,
        subject=request,
        payload=approval_payload(request),
        actor=actor,
        at=at,
    )


@transaction.atomic
def confirm_approval(
    request_id: UUID, *, payload_hash: str, actor: Actor, at: datetime
) -> IssuanceRequest:
    """Approve a proposed request as a second person, and hold its shares for it.

    `payload_hash` is that of the payload which the person saw. Cover is computed under the lock
    of the token's equation, so two approvals never use the same shares; and under the locks of
    its gates, so an approval and a halt never both happen.

    Raises:
        IllegalTransition: if the request is not funded.
        NotProposed: if nobody proposed it.
        ProposalChanged: if the person saw something else, or the request has changed.
        PersonRequired, SamePerson: if `actor` is nobody's login, or the proposer's.
        KycNotCleared, WalletNotBound: if the participant may no longer be dealt with.
        IssuanceClosed, MultiplierChanged: if the terms of the request no longer stand.
        GateClosed: if one of its gates is not open.
        CoverUnknown, SharesNotFree: if its shares are not there, or not known to be.
    """
    request = lock(request_id)
    IssuanceStep.APPROVE.value.check(IssuanceState(request.state))
    proposal = _open_proposal(request)
    if payload_hash != proposal.payload_hash:
        raise ProposalChanged(
            "What you saw is not what is proposed now; look at it again.",
            proposed=proposal.payload_hash,
            found=payload_hash[:64],
        )
    approvals.confirm(proposal.pk, payload=approval_payload(request), actor=actor, at=at)
    checks.require_entitled(request, at=at)
    checks.require_unchanged_terms(request, at=at)
    reserves.hold_shares(
        token_id=request.token_id,
        request_id=request.pk,
        quantity=request.shares,
        scopes=reserves_of.scopes_of(request.token, request.deployment.network),
        actor=actor,
        at=at,
    )
    return take(IssuanceStep.APPROVE, request, actor=actor, at=at)


@transaction.atomic
def decline_approval(request_id: UUID, *, reason: str, actor: Actor, at: datetime) -> Proposal:
    """Close the proposal to approve a request; the request stays funded.

    Raises:
        NotProposed: if nobody proposed it.
        PersonRequired: if `actor` is nobody's login.
    """
    proposal = _open_proposal(lock(request_id))
    return approvals.decline(proposal.pk, reason=reason, actor=actor, at=at)


@transaction.atomic
def withdraw_approval(
    request_id: UUID, *, reason: str, actor: Actor, at: datetime
) -> IssuanceRequest:
    """Take an approval back before its mint is signed, and let its shares go.

    Raises:
        IllegalTransition: if the request is not approved, or its mint is signed.
    """
    request = lock(request_id)
    IssuanceStep.WITHDRAW_APPROVAL.value.check(IssuanceState(request.state))
    reserves.release_hold(request.pk, actor=actor, at=at)
    return take(IssuanceStep.WITHDRAW_APPROVAL, request, actor=actor, at=at, reason=reason)


def _open_proposal(request: IssuanceRequest) -> Proposal:
    proposal = approvals_of.open_proposal(request, APPROVE_ISSUANCE)
    if proposal is None:
        raise errors.NotProposed(f"{request} is not proposed for approval.")
    return proposal
