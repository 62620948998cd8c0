"""Gates for tests."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from issuer.approvals import services as approvals
from issuer.approvals.models import Proposal
from issuer.foundation import actors
from issuer.gate.models import Cause, GateState, Hold, Resumption, Scope, ScopeKind
from issuer.gate.services import RESUME
from issuer.people.roles import Role
from tests.make import people

BEFORE = datetime(2026, 11, 1, tzinfo=UTC)


def hold(
    kind: ScopeKind,
    subject_id: UUID,
    *,
    effect: GateState = GateState.HALTED,
    cause: Cause = Cause.BREAK,
    reference: UUID | None = None,
) -> Hold:
    """Return a hold in force on the gate of a program, token, network or custodian."""
    scope, _ = Scope.objects.get_or_create(kind=kind, subject_id=subject_id)
    return Hold.objects.create(
        scope=scope,
        effect=effect,
        cause=cause,
        reason="The books and the chain differ.",
        reference=reference,
        placed_by=str(actors.system("make")),
        placed_at=BEFORE,
    )


def agreed(scope: Scope) -> Proposal:
    """Return that two persons agreed to resume under a gate, whatever holds it."""
    maker, checker = (people.staff_actor(Role.APPROVER) for _ in range(2))
    payload = {"gate": str(scope.pk)}
    proposal = approvals.propose(
        action=RESUME, subject=scope, payload=payload, actor=maker, at=BEFORE
    )
    return approvals.confirm(proposal.pk, payload=payload, actor=checker, at=BEFORE)


def resumption(scope: Scope, **columns: Any) -> Resumption:
    """Return that two persons resumed an hour after all holds were placed; it ends none."""
    proposal = agreed(scope)
    later = BEFORE + timedelta(hours=1)
    defaults = {
        "run_id": scope.pk,
        "reconciled_as_of": later,
        "explanation": "The difference was explained.",
        "proposed_by": proposal.proposer,
        "confirmed_by": proposal.approval.approver,
        "resumed_at": later,
    }
    return Resumption.objects.create(scope=scope, proposal=proposal, **defaults | columns)
