"""Questions about runs and breaks."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Final
from uuid import UUID

from django.db.models import Case, IntegerField, QuerySet, Value, When

from issuer.chain.models import ChainEvent
from issuer.chain.states import EventKind
from issuer.custody.states import InstructionState
from issuer.instruments.models import Token
from issuer.parties.models import Program
from issuer.primary_market.models import IssuanceRequest
from issuer.primary_market.states import IssuanceState
from issuer.reconciliation.models import Break, Line, Run
from issuer.reconciliation.states import BreakCode, BreakState, Severity

#: For ordering: the gravest first.
BY_SEVERITY: Final = Case(
    *(When(severity=severity, then=Value(rank)) for rank, severity in enumerate(Severity)),
    output_field=IntegerField(),
)

#: The line in which a break shows; those of silent sources show in any run.
_SHOWN_BY: Final[Mapping[BreakCode, str]] = {
    BreakCode.SUP_OVER: "A10",
    BreakCode.SUP_UNDER: "A10",
    BreakCode.CUS_SHORT: "B11",
    BreakCode.CUS_LONG: "B11",
    BreakCode.BAK_SHORT: "C8",
    BreakCode.BAK_SETTLED: "C8",
}


def newest_run(program: Program) -> Run | None:
    """Return the newest run of `program`."""
    return program.runs.order_by("-as_of", "-id").first()


def lines_of(run: Run) -> QuerySet[Line]:
    """Return the lines of a run with their items, by token and in the order of the statement."""
    lines = Line.objects.filter(result__run=run).select_related("result__token")
    return lines.prefetch_related("items").order_by("result__token__symbol", "position")


def open_breaks(program: Program | None = None) -> QuerySet[Break]:
    """Return the breaks that are open, the gravest first and of those the oldest."""
    breaks = Break.objects.filter(state=BreakState.OPEN)
    if program is not None:
        breaks = breaks.filter(token__program=program)
    return breaks.select_related("token").order_by(BY_SEVERITY, "opened_at", "id")


def breaks_at(run: Run) -> Mapping[UUID, list[Break]]:
    """Return the breaks that were open when a run was done with it, by token."""
    breaks = (
        Break.objects.filter(token__results__run=run, opened_at__lte=run.as_of)
        .exclude(ended_at__lte=run.as_of)
        .order_by(BY_SEVERITY, "opened_at", "id")
    )
    by_token: Mapping[UUID, list[Break]] = defaultdict(list)
    for found in breaks:
        by_token[found.token_id].append(found)
    return by_token


def still_seen(break_: Break) -> bool:
    """Say whether the newest run finds the difference, or cannot tell that it is gone.

    A mint that nobody approved stays in the chain for ever; whether it is dealt with, persons say.
    """
    if break_.code == BreakCode.UNA_MINT:
        return False
    newest = newest_run(break_.token.program)
    assert newest is not None, "a run found the break"
    return newest.pk == break_.last_seen_run_id or not _could_find(newest, break_)


def _could_find(run: Run, break_: Break) -> bool:
    """Say whether `run` knew the line that would show the break: silence does not mean gone."""
    shown_by = _SHOWN_BY.get(BreakCode(break_.code))
    if shown_by is None:
        return True
    lines = Line.objects.filter(result__run=run, result__token=break_.token, code=shown_by)
    return lines.filter(quantity__isnull=False).exists()


def paid_not_minted(tokens: Sequence[Token]) -> QuerySet[IssuanceRequest]:
    """Return the requests whose shares have settled and whose tokens are not booked."""
    return (
        IssuanceRequest.objects.filter(
            token__in=tokens, instruction__state=InstructionState.SETTLED
        )
        .exclude(state=IssuanceState.COMPLETED)
        .select_related("instruction__evidence", "deployment__network")
        .defer("instruction__evidence__raw")
        .order_by("requested_at", "id")
    )


def unmatched_mints(tokens: Sequence[Token]) -> QuerySet[ChainEvent]:
    """Return the final mints of `tokens` that no intent of ours explains."""
    return (
        ChainEvent.objects.filter(deployment__token__in=tokens, kind=EventKind.MINT, intent=None)
        .select_related("deployment__network")
        .order_by("block_number", "log_index")
    )


def closed_mints(tokens: Sequence[Token]) -> set[tuple[UUID, str]]:
    """Return token and subject of the unapproved mints that two persons dealt with."""
    breaks = Break.objects.filter(
        token__in=tokens, code=BreakCode.UNA_MINT, state=BreakState.CLOSED
    )
    return set(breaks.order_by().values_list("token_id", "subject"))
