"""Statements that the issuer knows to be too good, because a newer reconciliation found worse."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import transaction

from issuer.attestation import errors, selectors, standing
from issuer.attestation.models import REASON_LENGTH, Attestation
from issuer.attestation.services._steps import lock, take
from issuer.attestation.standing import Standing
from issuer.attestation.states import AttestationKind, AttestationState, AttestationStep
from issuer.events import services as events
from issuer.foundation.actors import Actor
from issuer.foundation.quantities import to_text
from issuer.reconciliation import selectors as reconciliation
from issuer.reconciliation.models import Run


@dataclass(frozen=True, slots=True)
class Worse:
    """What a newer reconciliation found to be worse than a statement says, by token, in words."""

    run: Run
    tokens: dict[str, str]

    def __str__(self) -> str:
        found = "; ".join(f"{symbol}: {what}" for symbol, what in self.tokens.items())
        return f"The reconciliation of {self.run.as_of:%Y-%m-%d %H:%M:%SZ} found worse. {found}."


def worse_since(attestation: Attestation) -> Worse | None:
    """Return what the newest reconciliation found to be worse than the statement says, if it did.

    The statement of an event is never too good by this: it goes out, and the next one after it.
    One that could not be published holds up nothing worse than itself.
    """
    run = reconciliation.newest_run(attestation.program)
    goes_out = (
        attestation.kind == AttestationKind.EVENT and attestation.publishing_failed_at is None
    )
    if goes_out or run is None or run.as_of <= attestation.as_of:
        return None
    said = standing.stated(selectors.content_of(attestation))
    found = standing.found(run)
    worse = {
        symbol: _difference(said[symbol], found[symbol])
        for symbol in sorted(said.keys() & found.keys())
        if found[symbol].worse_than(said[symbol])
    }
    return Worse(run, worse) if worse else None


def require_not_overtaken(attestation: Attestation) -> None:
    """Refuse to let a statement out while the issuer knows of something worse than it says.

    Raises:
        StatementOvertaken: if the newest reconciliation found such a thing.
    """
    if (worse := worse_since(attestation)) is not None:
        detail = f"{worse} Decline {attestation}, and propose another from it."
        raise errors.StatementOvertaken(
            detail, run=str(worse.run.pk), tokens=", ".join(worse.tokens)
        )


@transaction.atomic
def decline_overtaken(attestation_id: UUID, *, actor: Actor, at: datetime) -> bool:
    """Decline a statement that waits for its signature, if the issuer knows it to be too good.

    Its number is free again, so that what got worse is stated first; staff are told. Returns
    whether it was declined.
    """
    attestation = lock(attestation_id)
    if attestation.state != AttestationState.REVIEWED:
        return False
    if (worse := worse_since(attestation)) is None:
        return False
    reason = str(worse)[:REASON_LENGTH]
    take(AttestationStep.OVERTAKE, attestation, actor=actor, at=at, reason=reason)
    events.record(
        "attestation.overtaken",
        subject=attestation,
        at=at,
        program=attestation.program.code,
        sequence=str(attestation.sequence),
        kind=attestation.kind,
        reason=reason,
    )
    return True


def _difference(said: Standing, found: Standing) -> str:
    """Say how a token stands now, and how the statement says it stood."""
    if found.status != said.status:
        return f"{found.status.label}, not {said.status.label}"
    if found.lacking != said.lacking:
        return f"short by {to_text(found.lacking)} shares, not by {to_text(said.lacking)}"
    shut = sorted(
        f"{gate.label} on {chain}"
        for chain, gate in found.gates.items()
        if gate != said.gates.get(chain, gate)
    )
    return ", ".join(shut)
