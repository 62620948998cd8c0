"""Going on under a gate that was shut: two persons, after a reconciliation that is clean."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction

from issuer.approvals import selectors as proposals
from issuer.approvals import services as approvals
from issuer.approvals.errors import ProposalChanged
from issuer.approvals.models import Proposal
from issuer.foundation import canonical
from issuer.foundation.actors import Actor
from issuer.gate import selectors as gates
from issuer.gate import services as gate
from issuer.gate.errors import NothingToResume
from issuer.gate.models import RESUMED_BY_PERSONS, Cause, Hold, Resumption, Scope, ScopeKind
from issuer.gate.services import RESUME
from issuer.reconciliation import errors, selectors
from issuer.reconciliation.clean import what_is_unclean
from issuer.reconciliation.models import Break, Run
from issuer.reconciliation.states import BreakState


@transaction.atomic
def propose_resume(
    *, kind: ScopeKind, subject_id: UUID, explanation: str, actor: Actor, at: datetime
) -> Proposal:
    """Propose to end what persons and breaks hold shut on one gate, and say why that may be.

    `explanation` is public. A hold that is placed or ends before the second person confirms
    voids the proposal.

    Raises:
        NothingToResume: if no hold of a person or a break is in force on the gate.
        ReconciliationNotClean: if the newest run of a program under the gate is not as of after
            the last hold, or looked at older blocks or another than the current statements, a
            token is short or not known, a grave break is open, or a key that may have minted
            past the books still holds a role.
        HoldNotOver: if the break behind a hold is open.
        PersonRequired: if `actor` is nobody's login.
        ProposalOpen: if it is proposed already.
    """
    assert explanation, "doors ask for an explanation"
    scope = gate.lock_gate(kind, subject_id)
    holds = _ended_by_resuming(scope)
    run = _require_clean(scope)
    reconciled = {"run": str(run.pk), "as_of": canonical.timestamp(run.as_of)}
    payload = _payload(scope, holds, reconciled=reconciled, explanation=explanation)
    return approvals.propose(action=RESUME, subject=scope, payload=payload, actor=actor, at=at)


@transaction.atomic
def confirm_resume(
    proposal_id: UUID, *, payload_hash: str, actor: Actor, at: datetime
) -> Resumption:
    """Resume as another person proposed it, and end the holds that the proposal names.

    `payload_hash` is that of the payload which the person saw. Whether the reconciliation is
    clean is asked again, under the lock of the gate: a halt waits for the resumption and then
    stands, or was first and then nobody resumes. A run may end while the door waits for the
    lock; what rests on it is of no earlier time than it, even if `at` is.

    Raises:
        ResumeNotProposed: if there is no such proposal, or it is not open any more.
        ProposalChanged: if the person saw something else, or the holds have changed.
        NothingToResume, ReconciliationNotClean, HoldNotOver: as `propose_resume`.
        PersonRequired: if `actor` is nobody's login.
        SamePerson: if `actor` is the person who proposed it.
    """
    scope, proposal = _lock_proposed(proposal_id)
    if payload_hash != proposal.payload_hash:
        raise ProposalChanged(
            "What you saw is not what is proposed now; look at it again.",
            proposed=proposal.payload_hash,
            found=payload_hash[:64],
        )
    holds = _ended_by_resuming(scope)
    run = _require_clean(scope)
    at = max(at, run.as_of)
    proposed = proposal.payload
    explanation: str = proposed["explanation"]
    payload = _payload(scope, holds, reconciled=proposed["reconciled"], explanation=explanation)
    confirmed = approvals.confirm(proposal.pk, payload=payload, actor=actor, at=at)
    return gate.resume(
        scope,
        run_id=run.pk,
        reconciled_as_of=run.as_of,
        explanation=explanation,
        proposal=confirmed,
        actor=actor,
        at=at,
    )


@transaction.atomic
def decline_resume(proposal_id: UUID, *, reason: str, actor: Actor, at: datetime) -> Proposal:
    """Leave a gate shut although somebody proposed to resume.

    Raises:
        ResumeNotProposed: if there is no such proposal, or it is not open any more.
        PersonRequired: if `actor` is nobody's login.
    """
    _, proposal = _lock_proposed(proposal_id)
    return approvals.decline(proposal.pk, reason=reason, actor=actor, at=at)


def _lock_proposed(proposal_id: UUID) -> tuple[Scope, Proposal]:
    """Return the gate that a proposal is about, locked, and the proposal as it stands behind it."""
    missing = errors.ResumeNotProposed("Nobody proposes to resume, or not any more.")
    named = Proposal.objects.filter(pk=proposal_id, action=RESUME).first()
    if named is None:
        raise missing
    scope = Scope.objects.get(pk=named.subject_id)
    scope = gate.lock_gate(ScopeKind(scope.kind), scope.subject_id)
    proposal = proposals.open_proposal(scope, RESUME)
    if proposal is None or proposal.pk != proposal_id:
        raise missing
    return scope, proposal


def _ended_by_resuming(scope: Scope) -> list[Hold]:
    holds = scope.holds.filter(released_at=None, cause__in=RESUMED_BY_PERSONS)
    ended = list(holds.order_by("placed_at", "id"))
    if not ended:
        name = gates.name_of(scope)
        raise NothingToResume(f"No person and no break holds the gate of {name} shut.")
    return ended


def _require_clean(scope: Scope) -> Run:
    """Refuse unless the newest runs under a locked gate are clean; return the oldest of them."""
    holds = list(scope.holds.filter(released_at=None).order_by("placed_at", "id"))
    runs = selectors.newest_runs(selectors.programs_under(scope))
    unclean = what_is_unclean(scope, runs, since=holds[-1].placed_at)
    if unclean or not runs:
        what = " ".join(unclean) or "Nothing under this gate was reconciled."
        raise errors.ReconciliationNotClean(what, what=what)
    references = [one.reference for one in holds if one.cause == Cause.BREAK and one.reference]
    found = Break.objects.filter(pk__in=references, state=BreakState.OPEN).first()
    if found is not None:
        raise errors.HoldNotOver(f"{found} is open.", break_id=str(found.pk), code=found.code)
    return min(runs, key=lambda run: run.as_of)


def _payload(
    scope: Scope, holds: Sequence[Hold], *, reconciled: Mapping[str, str], explanation: str
) -> Mapping[str, Any]:
    """Return what both persons sign: which holds end, after which reconciliation, and why.

    The reconciliation is the one that the first person saw; there may be a newer one by the time
    the second confirms, and it is then asked, too.
    """
    return {
        "gate": gates.name_of(scope),
        "scope": scope.kind,
        "scope_id": str(scope.subject_id),
        "holds": [
            {
                "hold": str(hold.pk),
                "effect": hold.effect,
                "cause": hold.cause,
                "reason": hold.reason,
                "placed_at": hold.placed_at,
                "placed_by": hold.placed_by,
            }
            for hold in holds
        ],
        "reconciled": dict(reconciled),
        "explanation": explanation,
    }
