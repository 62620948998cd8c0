"""Gates for tests."""

from datetime import UTC, datetime
from uuid import UUID

from issuer.foundation import actors
from issuer.gate.models import Cause, GateState, Hold, Scope, ScopeKind

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
