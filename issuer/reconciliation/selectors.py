"""Questions about runs and breaks."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Final
from uuid import UUID

from django.db.models import (
    Case,
    IntegerField,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Value,
    When,
)

from issuer.chain.models import ChainEvent
from issuer.chain.states import EventKind, IntentState
from issuer.custody.states import InstructionState
from issuer.gate.models import Scope, ScopeKind
from issuer.instruments.models import Token
from issuer.parties.models import Program
from issuer.primary_market.models import IssuanceRequest, RedemptionRequest
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
    BreakCode.CHN_UNK: "A1",
}
#: The books are always known: whatever no line shows, any run can tell to be gone.
_ALWAYS_KNOWN: Final = "A9"


def newest_run(program: Program) -> Run | None:
    """Return the newest run of `program`."""
    return program.runs.order_by("-as_of", "-id").first()


def newest_runs(programs: Iterable[UUID]) -> list[Run]:
    """Return the newest run of each of `programs`, by their ids, that has one."""
    runs = Run.objects.filter(program__in=programs).select_related("program")
    return list(runs.order_by("program_id", "-as_of", "-id").distinct("program_id"))


def tokens_under(scope: Scope) -> QuerySet[Token]:
    """Return the tokens whose minting a gate shuts."""
    match ScopeKind(scope.kind):
        case ScopeKind.PROGRAM:
            under = Q(program=scope.subject_id)
        case ScopeKind.TOKEN:
            under = Q(pk=scope.subject_id)
        case ScopeKind.NETWORK:
            under = Q(deployments__network=scope.subject_id)
        case ScopeKind.CUSTODIAN:
            under = Q(custody_accounts__custodian=scope.subject_id)
    return Token.objects.filter(under).order_by("symbol").distinct()


def programs_under(scope: Scope) -> set[UUID]:
    """Return the programs whose tokens a gate shuts; that of a program, if it has none, too."""
    programs = set(tokens_under(scope).order_by().values_list("program_id", flat=True))
    return programs | ({scope.subject_id} if scope.kind == ScopeKind.PROGRAM else set())


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


def with_gone_since(breaks: QuerySet[Break]) -> QuerySet[Break]:
    """Add `gone_since` to open breaks: the first run that could have found it again and did not.

    None while the newest run that could look still finds it, and for breaks that have ended.
    """
    lines = Line.objects.filter(
        result__token=OuterRef("token"),
        result__run__as_of__gt=OuterRef("last_seen_at"),
        code=OuterRef("shown_by"),
        quantity__isnull=False,
    )
    first = lines.order_by("result__run__as_of").values("result__run__as_of")[:1]
    shown_by = Case(
        *(When(code=code, then=Value(line)) for code, line in _SHOWN_BY.items()),
        default=Value(_ALWAYS_KNOWN),
    )
    gone = Case(When(state=BreakState.OPEN, then=Subquery(first)), default=None)
    return breaks.annotate(shown_by=shown_by).annotate(gone_since=gone)


def _could_find(run: Run, break_: Break) -> bool:
    """Say whether `run` knew the line that would show the break: silence does not mean gone."""
    shown_by = _SHOWN_BY.get(BreakCode(break_.code), _ALWAYS_KNOWN)
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


def burned_not_delivered(tokens: Sequence[Token]) -> QuerySet[RedemptionRequest]:
    """Return the redemptions whose burn is booked and whose shares nobody was told to deliver."""
    return (
        RedemptionRequest.objects.filter(
            token__in=tokens, burn_intent__state=IntentState.BOOKED, instruction=None
        )
        .select_related("burn_intent__event", "deployment__network")
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
