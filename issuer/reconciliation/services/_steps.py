"""The steps of breaks: what each writes, tells and lets go, for one as for many."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from issuer.audit import services as audit
from issuer.events import services as events
from issuer.foundation.actors import Actor
from issuer.foundation.quantities import to_text
from issuer.foundation.transactions import require_transaction
from issuer.gate import services as gate
from issuer.reconciliation.gate_effects import GATE_EFFECTS
from issuer.reconciliation.models import Break
from issuer.reconciliation.states import BreakCode, BreakState, BreakStep, Severity

_TOLD_AS = {BreakStep.CLEAR: "break.cleared", BreakStep.CLOSE: "break.closed"}


def take(
    step: BreakStep, rows: Sequence[Break], *, actor: Actor, at: datetime, **columns: Any
) -> None:
    """Take a step with locked breaks: the only writer of `state`.

    What a critical break holds shut stays so until two persons resume; what others do ends with
    them.
    """
    require_transaction()
    for row in rows:
        step.value.check(BreakState(row.state))
        row.state = step.value.destination
        for name, value in columns.items():
            setattr(row, name, value)
    written = {"state": step.value.destination, **columns}
    Break.objects.filter(pk__in=[row.pk for row in rows]).update(**written)
    audit.record_each(
        f"break.{step.name.lower()}",
        [(row, audited(row)) for row in rows],
        actor=actor,
        at=at,
    )
    events.record_each(_TOLD_AS[step], [(row, told(row)) for row in rows], at=at)
    passing = [row for row in rows if row.severity != Severity.CRITICAL]
    for cause in sorted({effect.cause for effect in GATE_EFFECTS.values()}):
        codes = {code for code, effect in GATE_EFFECTS.items() if effect.cause == cause}
        over = [row.pk for row in passing if BreakCode(row.code) in codes]
        gate.release_holds(over, cause=cause, actor=actor, at=at)


def audited(row: Break) -> dict[str, str]:
    """Return what the trail says of a break."""
    return {
        "token": row.token.symbol,
        "code": row.code,
        "quantity": "" if row.quantity is None else to_text(row.quantity),
    }


def told(row: Break) -> dict[str, str]:
    """Return what others are told of a break."""
    return {
        **audited(row),
        "severity": row.severity,
        "unit": row.unit,
        "subject": row.subject,
        "detail": row.detail,
    }
