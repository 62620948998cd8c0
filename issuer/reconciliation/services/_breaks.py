"""Breaks closed by two persons, the grave ones by nobody else."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.db import transaction

from issuer.approvals import selectors as proposals
from issuer.approvals import services as approvals
from issuer.approvals.errors import ProposalChanged
from issuer.approvals.models import Proposal
from issuer.foundation.actors import Actor
from issuer.foundation.quantities import to_text
from issuer.reconciliation import errors, selectors
from issuer.reconciliation.models import Break
from issuer.reconciliation.services._steps import take
from issuer.reconciliation.states import BreakState, BreakStep

CLOSE: Final = "break.close"


@transaction.atomic
def propose_close_break(
    break_id: UUID, *, explanation: str, actor: Actor, at: datetime
) -> Proposal:
    """Propose to close a break, and say what became of the difference.

    Raises:
        BreakMissing: if there is no such break.
        IllegalTransition: if it is not open.
        BreakStillSeen: if the newest run still finds the difference, or could not look.
        PersonRequired: if `actor` is nobody's login.
        ProposalOpen: if it is proposed already.
    """
    assert explanation, "doors ask for an explanation"
    found = _lock(break_id)
    _require_closable(found)
    payload = _payload(found, explanation)
    return approvals.propose(action=CLOSE, subject=found, payload=payload, actor=actor, at=at)


@transaction.atomic
def confirm_close_break(break_id: UUID, *, payload_hash: str, actor: Actor, at: datetime) -> Break:
    """Close a break as another person proposed it.

    `payload_hash` is that of the payload which the person saw. What a critical break holds shut
    stays so until two persons resume; what others do ends with them.

    Raises:
        BreakMissing: if there is no such break.
        IllegalTransition: if it is not open.
        BreakStillSeen: if the newest run still finds the difference, or could not look.
        CloseNotProposed: if nobody has proposed it.
        PersonRequired: if `actor` is nobody's login.
        SamePerson: if `actor` is the person who proposed it.
        ProposalChanged: if the person saw something else, or the break is not what it was when
            it was proposed.
    """
    found = _lock(break_id)
    _require_closable(found)
    proposal = _proposal(found)
    if payload_hash != proposal.payload_hash:
        raise ProposalChanged(
            "What you saw is not what is proposed now; look at it again.",
            proposed=proposal.payload_hash,
            found=payload_hash[:64],
        )
    explanation: str = proposal.payload["explanation"]
    payload = _payload(found, explanation)
    approvals.confirm(proposal.pk, payload=payload, actor=actor, at=at)
    take(BreakStep.CLOSE, [found], actor=actor, at=at, ended_at=at, explanation=explanation)
    return found


@transaction.atomic
def decline_close_break(break_id: UUID, *, reason: str, actor: Actor, at: datetime) -> Proposal:
    """Leave a break open although somebody proposed to close it.

    Raises:
        BreakMissing: if there is no such break.
        CloseNotProposed: if nobody has proposed it.
        PersonRequired: if `actor` is nobody's login.
    """
    proposal = _proposal(_lock(break_id))
    return approvals.decline(proposal.pk, reason=reason, actor=actor, at=at)


def _lock(break_id: UUID) -> Break:
    rows = Break.objects.select_for_update(of=("self",)).select_related("token__program")
    found = rows.filter(pk=break_id).first()
    if found is None:
        raise errors.BreakMissing(f"There is no break {break_id}.")
    return found


def _require_closable(found: Break) -> None:
    BreakStep.CLOSE.value.check(BreakState(found.state))
    if selectors.still_seen(found):
        raise errors.BreakStillSeen(
            f"It was seen at {found.last_seen_at:%Y-%m-%d %H:%M:%S}Z, and the newest run "
            "still finds it, or could not look; correct it, and let a run see that it is gone."
        )


def _proposal(found: Break) -> Proposal:
    proposal = proposals.open_proposal(found, CLOSE)
    if proposal is None:
        raise errors.CloseNotProposed(f"Nobody has proposed to close {found}.")
    return proposal


def _payload(found: Break, explanation: str) -> Mapping[str, Any]:
    return {
        "break": str(found.pk),
        "token": found.token.symbol,
        "code": found.code,
        "subject": found.subject,
        "quantity": None if found.quantity is None else to_text(found.quantity),
        "unit": found.unit,
        "opened_at": found.opened_at,
        "explanation": explanation,
    }
