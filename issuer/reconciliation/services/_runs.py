"""Reconciling a program: read everything as of one instant, compare, write down what was found."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.db import connection, transaction

from issuer.audit import services as audit
from issuer.chain.models import ChainEvent
from issuer.foundation.actors import Actor
from issuer.foundation.quantities import to_text
from issuer.foundation.transactions import one_snapshot
from issuer.instruments import selectors as instruments
from issuer.parties.models import Program
from issuer.primary_market.models import IssuanceRequest, RedemptionRequest
from issuer.reconciliation import errors, selectors
from issuer.reconciliation.findings import unmatched_subject
from issuer.reconciliation.legs import LINES, TOTALS, FoundToken, reconcile_token
from issuer.reconciliation.models import Item, Line, Run, TokenResult
from issuer.reconciliation.services._findings import record_findings
from issuer.reconciliation.trust import Trust, trust_now
from issuer.reserves import selectors as reserves
from issuer.reserves.figures import TokenFigures

_BATCH: Final = 1000


def reconcile(program: Program, *, actor: Actor, at: datetime) -> Run:
    """Compare books, custodians and chains for every token of `program`, as of `at`.

    Everything is read in one snapshot of the database, so that a booking between two reads is no
    difference, and then written in one transaction. One run of a program goes on at a time.

    Raises:
        RunUnderWay: if another run of the program is going on.
        RunOutdated: if a run as of a later time is there.
        CalendarUnknown: if the market calendar does not reach `at`.
    """
    with _alone(program):
        newest = selectors.newest_run(program)
        if newest is not None and newest.as_of > at:
            raise errors.RunOutdated(f"The newest run is {newest}.", run=str(newest.pk))
        with one_snapshot():
            found = _read(program, at)
            trust = trust_now()
        return _write(program, found, trust, actor=actor, at=at)


def _read(program: Program, at: datetime) -> list[FoundToken]:
    tokens = list(instruments.tokens_of(program))
    closed = selectors.closed_mints(tokens)
    unmatched: dict[UUID, list[ChainEvent]] = defaultdict(list)
    for event in selectors.unmatched_mints(tokens):
        token_id = event.deployment.token_id
        if (token_id, unmatched_subject(event)) not in closed:
            unmatched[token_id].append(event)
    paid: dict[UUID, list[IssuanceRequest]] = defaultdict(list)
    for request in selectors.paid_not_minted(tokens):
        paid[request.token_id].append(request)
    undelivered: dict[UUID, list[RedemptionRequest]] = defaultdict(list)
    for redemption in selectors.burned_not_delivered(tokens):
        undelivered[redemption.token_id].append(redemption)
    figures = reserves.figures_of(tokens, at=at)
    return [
        reconcile_token(
            figures[token.pk],
            paid=paid[token.pk],
            undelivered=undelivered[token.pk],
            unmatched=unmatched[token.pk],
        )
        for token in tokens
    ]


@transaction.atomic
def _write(
    program: Program,
    found: Sequence[FoundToken],
    trust: Trust,
    *,
    actor: Actor,
    at: datetime,
) -> Run:
    run = Run.objects.create(program=program, as_of=at, started_by=str(actor), recorded_at=at)
    results = [_result(run, one) for one in found]
    TokenResult.objects.bulk_create(results, batch_size=_BATCH)
    lines, items = [], []
    for one, result in zip(found, results, strict=True):
        for line, listed in _lines(one, result):
            lines.append(line)
            items += listed
    Line.objects.bulk_create(lines, batch_size=_BATCH)
    Item.objects.bulk_create(items, batch_size=_BATCH)
    opened, cleared = record_findings(run, found, trust=trust, actor=actor, at=at)
    audit.record(
        "reconciliation.run",
        subject=run,
        actor=actor,
        at=at,
        program=program.code,
        tokens=str(len(results)),
        breaks_opened=str(opened),
        breaks_cleared=str(cleared),
    )
    return run


def _result(run: Run, found: FoundToken) -> TokenResult:
    cover = found.cover
    return TokenResult(
        run=run,
        token=found.figures.token,
        status=cover.status,
        owed_shares=cover.owed,
        held_shares=cover.held,
        disclosed_shares=found.quantity("C6"),
        surplus_shares=cover.surplus,
        cover_bps=cover.ratio_bps,
        headroom=cover.headroom,
        reasons=list(cover.reasons),
        evidence=_evidence(found.figures),
    )


def _lines(found: FoundToken, result: TokenResult) -> Iterator[tuple[Line, list[Item]]]:
    for position, (code, (unit, label)) in enumerate(LINES.items(), start=1):
        one = found.lines[code]
        line = Line(
            result=result,
            code=code,
            label=label,
            unit=unit,
            quantity=one.quantity,
            total=code in TOTALS,
            position=position,
        )
        yield (
            line,
            [
                Item(
                    line=line,
                    reference=item.reference,
                    kind=item.kind,
                    quantity=item.quantity,
                    since=item.since,
                    due_by=item.due_by,
                    network=item.network,
                    transaction_hash=item.transaction_hash,
                    evidence_sha256=item.evidence_sha256,
                )
                for item in one.items
            ],
        )


def _evidence(figures: TokenFigures) -> dict[str, Any]:
    """Return what the figures rest on, by ids and hashes, and why a source gives none."""
    return {
        "statements": [
            {
                "id": str(one.statement.pk),
                "custodian": one.account.custodian.code,
                "as_of_date": one.statement.as_of_date.isoformat(),
                "sha256": one.statement.sha256,
            }
            for one in figures.accounts
            if one.statement is not None
        ],
        "blocks": [
            {
                "snapshot": str(one.snapshot.pk),
                "network": one.deployment.network.caip2,
                "number": str(one.snapshot.block_number),
                "hash": one.snapshot.block_hash,
            }
            for one in figures.deployments
            if one.snapshot is not None
        ],
        "silent": {
            **{str(one.deployment.pk): one.reason for one in figures.deployments if one.reason},
            **{str(one.account.pk): one.reason for one in figures.accounts if one.reason},
        },
        "leaving": {
            str(one.account.pk): to_text(one.leaving)
            for one in figures.accounts
            if one.leaving is not None
        },
        "books": {
            "tokens_outstanding": to_text(figures.outstanding),
            "shares_owed_on_tokens": to_text(figures.owed_on_tokens),
            "shares_paid_not_minted": to_text(figures.paid_not_minted),
            "shares_burned_not_delivered": to_text(figures.burned_not_delivered),
            "shares_own": to_text(figures.own),
            "shares_reserved": to_text(figures.reserved),
        },
    }


@contextmanager
def _alone(program: Program) -> Iterator[None]:
    """Let nobody else reconcile `program`; not even where its rows cannot be seen yet.

    The lock is the session's, for the run has more than one transaction; inside a transaction of
    the caller it is that transaction's.
    """
    key = f"reconciliation of {program.pk}"
    kind = "xact_lock" if connection.in_atomic_block else "lock"
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT pg_try_advisory_{kind}(hashtextextended(%s, 0))", [key])
        if cursor.fetchone() != (True,):
            raise errors.RunUnderWay(f"{program} is being reconciled at this moment.")
    try:
        yield
    finally:
        if kind == "lock":
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(hashtextextended(%s, 0))", [key])
