"""Everything that writes proposals and approvals."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import models, transaction

from issuer.approvals import errors
from issuer.approvals.models import Approval, Proposal
from issuer.approvals.states import ProposalState, ProposalStep
from issuer.audit import services as audit
from issuer.foundation import canonical
from issuer.foundation.actors import Actor
from issuer.foundation.transactions import require_transaction, translating


@transaction.atomic
def propose(
    *, action: str, subject: models.Model, payload: Mapping[str, Any], actor: Actor, at: datetime
) -> Proposal:
    """Propose to do `action` to `subject`; `payload` is all that the second person signs.

    Raises:
        PersonRequired: if `actor` is nobody's login.
        ProposalOpen: if the same is proposed already.
    """
    person_id = _person_of(actor)
    subject_type = subject._meta.label_lower
    proposed = errors.ProposalOpen(
        f"{action} is proposed already, and waits for another person.", action=action
    )
    with translating({"proposal_open_once_per_subject_and_action": proposed}):
        proposal = Proposal.objects.create(
            action=action,
            subject_type=subject_type,
            subject_id=subject.pk,
            payload=canonical.to_json_ready(payload),
            payload_hash=canonical.sha256(payload),
            proposed_by=str(actor),
            proposer_id=person_id,
            proposed_at=at,
        )
    _record("propose", proposal, actor=actor, at=at)
    return proposal


@transaction.atomic
def confirm(
    proposal_id: UUID, *, payload: Mapping[str, Any], actor: Actor, at: datetime
) -> Proposal:
    """Confirm a proposal as a second person, who saw `payload` as it is now.

    Raises:
        ProposalMissing: if there is no such proposal.
        ProposalNotOpen: if it was confirmed, declined or voided before.
        PersonRequired: if `actor` is nobody's login.
        SamePerson: if the person behind `actor` proposed it, by whatever login.
        ProposalChanged: if `payload` is not what was proposed.
    """
    proposal = _lock_open(proposal_id)
    person_id = _person_of(actor)
    if person_id == proposal.proposer_id:
        raise errors.SamePerson("You proposed this; another person has to confirm it.")
    payload_hash = canonical.sha256(payload)
    if payload_hash != proposal.payload_hash:
        raise errors.ProposalChanged(
            "What was proposed has changed since; it has to be proposed again.",
            proposed=proposal.payload_hash,
            found=payload_hash,
        )
    Approval.objects.create(
        proposal=proposal,
        payload_hash=payload_hash,
        approved_by=str(actor),
        approver_id=person_id,
        approved_at=at,
    )
    return _take(ProposalStep.CONFIRM, proposal, actor=actor, at=at)


@transaction.atomic
def decline(proposal_id: UUID, *, reason: str, actor: Actor, at: datetime) -> Proposal:
    """Close a proposal without doing what it proposes; its proposer may do so, too.

    Raises:
        ProposalMissing: if there is no such proposal.
        ProposalNotOpen: if it was confirmed, declined or voided before.
        PersonRequired: if `actor` is nobody's login.
    """
    proposal = _lock_open(proposal_id)
    _person_of(actor)
    return _take(ProposalStep.DECLINE, proposal, actor=actor, at=at, reason=reason)


@transaction.atomic
def void_open(
    *,
    subject: models.Model,
    action: str | None = None,
    reason: str,
    actor: Actor,
    at: datetime,
) -> int:
    """Close what is proposed for `subject`, for it has changed; return how many proposals.

    Only proposals of `action`, if one is named.
    """
    waiting = Proposal.objects.select_for_update(of=("self",)).filter(
        subject_type=subject._meta.label_lower, subject_id=subject.pk, state=ProposalState.OPEN
    )
    if action is not None:
        waiting = waiting.filter(action=action)
    proposals = list(waiting.order_by("pk"))
    for proposal in proposals:
        _take(ProposalStep.VOID, proposal, actor=actor, at=at, reason=reason)
    return len(proposals)


def _lock_open(proposal_id: UUID) -> Proposal:
    proposal = Proposal.objects.select_for_update(of=("self",)).filter(pk=proposal_id).first()
    if proposal is None:
        raise errors.ProposalMissing(f"There is no proposal {proposal_id}.")
    if proposal.state != ProposalState.OPEN:
        state = ProposalState(proposal.state)
        raise errors.ProposalNotOpen(f"The proposal is closed: {state.label}.", state=state.value)
    return proposal


def _person_of(actor: Actor) -> UUID:
    if actor.person is None:
        raise errors.PersonRequired(f"{actor} is not the login of a person.")
    return actor.person


def _take(
    step: ProposalStep, proposal: Proposal, *, actor: Actor, at: datetime, reason: str = ""
) -> Proposal:
    """Take a step with a locked proposal: the only writer of `state`."""
    require_transaction()
    step.value.check(ProposalState(proposal.state))
    proposal.state = step.value.destination
    proposal.reason = reason
    proposal.closed_by = str(actor)
    proposal.closed_at = at
    proposal.save(update_fields=["state", "reason", "closed_by", "closed_at"])
    _record(step.name.lower(), proposal, actor=actor, at=at)
    return proposal


def _record(verb: str, proposal: Proposal, *, actor: Actor, at: datetime) -> None:
    audit.record(
        f"proposal.{verb}",
        subject=proposal,
        actor=actor,
        at=at,
        proposed_action=proposal.action,
        proposed_for=f"{proposal.subject_type} {proposal.subject_id}",
        payload_hash=proposal.payload_hash,
    )
