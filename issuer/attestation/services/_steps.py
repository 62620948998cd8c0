"""The one writer of a statement's state, and what each step needs."""

from datetime import datetime
from typing import Any
from uuid import UUID

from issuer.attestation import errors
from issuer.attestation.models import Attestation, AttestationTransition
from issuer.attestation.package import verify_offline
from issuer.attestation.states import AttestationState, AttestationStep
from issuer.audit import services as audit
from issuer.foundation.actors import Actor
from issuer.foundation.transactions import require_transaction


def require_passed(report: verify_offline.Report) -> None:
    """Refuse a statement in which the checker found anything.

    Raises:
        StatementInconsistent: if it did.
    """
    if report.failed:
        failures = [line.strip() for line in report.lines() if line.startswith("      ")]
        raise errors.StatementInconsistent("; ".join(failures[:5]), failures=str(len(failures)))


def lock(attestation_id: UUID) -> Attestation:
    """Return a statement, locked until the transaction ends."""
    locked = Attestation.objects.select_for_update(of=("self",))
    return locked.select_related("program").get(pk=attestation_id)


def take(
    step: AttestationStep,
    attestation: Attestation,
    *,
    actor: Actor,
    at: datetime,
    reason: str = "",
    **columns: Any,
) -> Attestation:
    """Take a step with a locked attestation, and set the columns that its new state requires.

    The only writer of `state`. `reason` says why, where it is declined.
    """
    require_transaction()
    origin = AttestationState(attestation.state)
    step.value.check(origin)
    attestation.state = step.value.destination
    for name, value in columns.items():
        setattr(attestation, name, value)
    attestation.save(update_fields=["state", *columns])
    AttestationTransition.objects.create(
        attestation=attestation,
        step=step.name,
        origin=origin,
        destination=attestation.state,
        actor=str(actor),
        occurred_at=at,
        reason=reason,
    )
    facts = {"sha256": attestation.sha256} if attestation.sha256 else {}
    if reason:
        facts["reason"] = reason
    audit.record(
        f"attestation.{step.name.lower()}", subject=attestation, actor=actor, at=at, **facts
    )
    return attestation
