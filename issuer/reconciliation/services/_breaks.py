"""Breaks: opened and cleared by runs, and the grave ones closed by two persons."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.db import transaction

from issuer.approvals import selectors as proposals
from issuer.approvals import services as approvals
from issuer.approvals.models import Proposal
from issuer.audit import services as audit
from issuer.foundation.actors import Actor
from issuer.foundation.quantities import to_text
from issuer.foundation.transactions import require_transaction
from issuer.instruments.models import Token
from issuer.reconciliation import errors, selectors
from issuer.reconciliation.findings import (
    CLOSED_BY_PERSONS_ONLY,
    Finding,
    findings_of,
    judged,
)
from issuer.reconciliation.legs import FoundToken
from issuer.reconciliation.models import Break, Run
from issuer.reconciliation.states import BreakCode, BreakState, BreakStep

CLOSE: Final = "break.close"

#: Token, code and subject: what makes two findings the same break.
_Cause = tuple[UUID, str, str]


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
def confirm_close_break(break_id: UUID, *, actor: Actor, at: datetime) -> Break:
    """Close a break as another person proposed it.

    Raises:
        BreakMissing: if there is no such break.
        IllegalTransition: if it is not open.
        BreakStillSeen: if the newest run still finds the difference, or could not look.
        CloseNotProposed: if nobody has proposed it.
        PersonRequired: if `actor` is nobody's login.
        SamePerson: if `actor` is the person who proposed it.
        ProposalChanged: if the break is not what it was when it was proposed.
    """
    found = _lock(break_id)
    _require_closable(found)
    proposal = _proposal(found)
    explanation: str = proposal.payload["explanation"]
    payload = _payload(found, explanation)
    approvals.confirm(proposal.pk, payload=payload, actor=actor, at=at)
    return _take(BreakStep.CLOSE, found, actor=actor, at=at, ended_at=at, explanation=explanation)


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


def record_findings(
    run: Run, found: Sequence[FoundToken], *, actor: Actor, at: datetime
) -> tuple[int, int]:
    """Open, refresh and clear the breaks of a run's tokens; return how many opened and cleared.

    A break clears when the run could have seen it and did not, unless only persons may close it.
    """
    require_transaction()
    tokens = {one.figures.token.pk: one.figures.token for one in found}
    rows = (
        Break.objects.select_for_update(of=("self",))
        .select_related("token")
        .filter(token__in=tokens, state=BreakState.OPEN)
    )
    open_breaks: dict[_Cause, Break] = {
        (row.token_id, row.code, row.subject): row for row in rows.order_by("pk")
    }
    opened = 0
    for one in found:
        token = one.figures.token
        for finding in findings_of(one):
            row = open_breaks.pop((token.pk, finding.code, finding.subject), None)
            if row is None:
                _open(token, finding, run, actor=actor, at=at)
                opened += 1
            else:
                _see_again(row, finding, run, actor=actor, at=at)
    judged_codes = {one.figures.token.pk: judged(one) for one in found}
    cleared = 0
    for row in open_breaks.values():
        code = BreakCode(row.code)
        if code in judged_codes[row.token_id] and code not in CLOSED_BY_PERSONS_ONLY:
            _take(BreakStep.CLEAR, row, actor=actor, at=at, ended_at=at, ended_run=run)
            cleared += 1
    return opened, cleared


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


def _open(token: Token, finding: Finding, run: Run, *, actor: Actor, at: datetime) -> None:
    row = Break.objects.create(
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
    _record("open", row, actor=actor, at=at, severity=finding.severity.value)


def _see_again(row: Break, finding: Finding, run: Run, *, actor: Actor, at: datetime) -> None:
    if row.severity != finding.severity:
        _record("regrade", row, actor=actor, at=at, severity=finding.severity.value)
    row.severity = finding.severity
    row.quantity = finding.quantity
    row.detail = finding.detail
    row.last_seen_run = run
    row.last_seen_at = at
    row.save(update_fields=["severity", "quantity", "detail", "last_seen_run", "last_seen_at"])


def _take(step: BreakStep, row: Break, *, actor: Actor, at: datetime, **columns: Any) -> Break:
    """Take a step with a locked break: the only writer of `state`."""
    require_transaction()
    step.value.check(BreakState(row.state))
    row.state = step.value.destination
    for name, value in columns.items():
        setattr(row, name, value)
    row.save(update_fields=["state", *columns])
    if step is BreakStep.CLEAR:
        reason = "A later run does not find the difference."
        approvals.void_open(subject=row, action=CLOSE, reason=reason, actor=actor, at=at)
    _record(step.name.lower(), row, actor=actor, at=at)
    return row


def _record(verb: str, row: Break, *, actor: Actor, at: datetime, **facts: str) -> None:
    audit.record(
        f"break.{verb}",
        subject=row,
        actor=actor,
        at=at,
        token=row.token.symbol,
        code=row.code,
        quantity="" if row.quantity is None else to_text(row.quantity),
        **facts,
    )
