"""Breaks as runs find them: opened, seen again, cleared; and the gates that they hold shut."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from issuer.approvals import services as approvals
from issuer.approvals.selectors import open_proposals
from issuer.audit import services as audit
from issuer.events import services as events
from issuer.foundation.actors import Actor
from issuer.foundation.transactions import require_transaction
from issuer.gate import services as gate
from issuer.instruments.models import Token
from issuer.reconciliation.findings import CLOSED_BY_PERSONS_ONLY, Finding, findings_of, judged
from issuer.reconciliation.gate_effects import hold_for
from issuer.reconciliation.legs import FoundToken
from issuer.reconciliation.models import Break, Run
from issuer.reconciliation.services._breaks import CLOSE
from issuer.reconciliation.services._steps import audited, take, told
from issuer.reconciliation.states import BreakCode, BreakState, BreakStep
from issuer.reconciliation.trust import Trust

#: Token, code and subject: what makes two findings the same break.
_Cause = tuple[UUID, str, str]


def record_findings(
    run: Run,
    found: Sequence[FoundToken],
    *,
    trust: Trust,
    actor: Actor,
    at: datetime,
) -> tuple[int, int]:
    """Open, refresh and clear the breaks of a run's tokens; return how many opened and cleared.

    A break clears when the run could have seen it and did not, unless only persons may close it.
    What opens shuts its gate in the same transaction: it waits for approvals under way, and none
    that comes later gets through. `trust` is in whom, as of the same instant.
    """
    require_transaction()
    tokens = [one.figures.token.pk for one in found]
    rows = (
        Break.objects.select_for_update(of=("self",))
        .select_related("token")
        .filter(token__in=tokens, state=BreakState.OPEN)
    )
    open_breaks: dict[_Cause, Break] = {
        (row.token_id, row.code, row.subject): row for row in rows.order_by("pk")
    }
    new: list[tuple[Token, Finding]] = []
    seen: list[tuple[Break, Finding]] = []
    for one in found:
        token = one.figures.token
        for finding in findings_of(one, trust=trust):
            row = open_breaks.pop((token.pk, finding.code, finding.subject), None)
            if row is None:
                new.append((token, finding))
            else:
                seen.append((row, finding))
    _see_again(seen, run, actor=actor, at=at)
    judged_codes = {one.figures.token.pk: judged(one) for one in found}
    gone = [row for row in open_breaks.values() if _clears(row, judged_codes[row.token_id])]
    _clear(gone, run, actor=actor, at=at)
    _open(new, run, actor=actor, at=at)
    return len(new), len(gone)


def _clears(row: Break, judged_codes: frozenset[BreakCode]) -> bool:
    code = BreakCode(row.code)
    return code in judged_codes and code not in CLOSED_BY_PERSONS_ONLY


def _open(new: Sequence[tuple[Token, Finding]], run: Run, *, actor: Actor, at: datetime) -> None:
    rows = Break.objects.bulk_create(
        Break(
            token=token,
            code=finding.code,
            severity=finding.severity,
            subject=finding.subject,
            quantity=finding.quantity,
            unit=finding.unit,
            detail=finding.detail,
            opened_run=run,
            opened_at=at,
            last_seen_run=run,
            last_seen_at=at,
        )
        for token, finding in new
    )
    done = [(row, {**audited(row), "severity": row.severity}) for row in rows]
    audit.record_each("break.open", done, actor=actor, at=at)
    events.record_each("break.opened", [(row, told(row)) for row in rows], at=at)
    holds = [hold for row in rows if (hold := hold_for(row)) is not None]
    if holds:
        gate.place_holds(holds, actor=actor, at=at)


def _see_again(
    seen: Sequence[tuple[Break, Finding]], run: Run, *, actor: Actor, at: datetime
) -> None:
    """Write down that breaks are still there, and what of them has changed."""
    changed: list[Break] = []
    regraded: list[tuple[Break, str]] = []
    for row, finding in seen:
        if row.severity != finding.severity:
            facts = {**audited(row), "severity": finding.severity.value}
            audit.record("break.regrade", subject=row, actor=actor, at=at, **facts)
            regraded.append((row, row.severity))
        if (row.severity, row.quantity, row.unit, row.detail) != (
            finding.severity,
            finding.quantity,
            finding.unit,
            finding.detail,
        ):
            row.severity, row.detail = finding.severity, finding.detail
            row.quantity, row.unit = finding.quantity, finding.unit
            changed.append(row)
    Break.objects.bulk_update(changed, ["severity", "quantity", "unit", "detail"], batch_size=500)
    graded = [(row, {**told(row), "severity_before": before}) for row, before in regraded]
    events.record_each("break.regraded", graded, at=at)
    Break.objects.filter(pk__in=[row.pk for row, _ in seen]).update(
        last_seen_run=run, last_seen_at=at
    )


def _clear(gone: Sequence[Break], run: Run, *, actor: Actor, at: datetime) -> None:
    """End breaks that a run no longer finds, and void what is proposed for them."""
    take(BreakStep.CLEAR, gone, actor=actor, at=at, ended_at=at, ended_run=run)
    by_id = {row.pk: row for row in gone}
    proposed = open_proposals().filter(action=CLOSE, subject_id__in=by_id)
    reason = "A later run does not find the difference."
    for subject_id in sorted(proposed.values_list("subject_id", flat=True)):
        row = by_id[subject_id]
        approvals.void_open(subject=row, action=CLOSE, reason=reason, actor=actor, at=at)
