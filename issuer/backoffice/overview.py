"""What Today shows: is everything covered, may tokens be issued, and what is under way."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Final
from uuid import UUID

from django.db.models import Min, Q

from issuer.attestation.models import Attestation
from issuer.attestation.states import AttestationState
from issuer.backoffice import desk
from issuer.backoffice.desk import Task
from issuer.backoffice.flows import Flow, flows
from issuer.backoffice.gates import NamedHold, named
from issuer.backoffice.navigation import record_url
from issuer.custody.models import SettlementInstruction
from issuer.custody.states import InstructionState
from issuer.foundation.charts import LineChart, line_chart
from issuer.gate.models import GateState, Hold, ScopeKind
from issuer.gate.selectors import tightest
from issuer.instruments.models import Token
from issuer.people.models import User
from issuer.reconciliation.history import FULL_COVER_BPS, standing_since
from issuer.reconciliation.models import Break, Run, TokenResult
from issuer.reconciliation.states import BreakState, Severity
from issuer.reserves.cover import SEVERITY, Cover, CoverStatus
from issuer.reserves.gates import holds_on
from issuer.reserves.selectors import covers_of

#: How far back the little lines go.
TREND_REACH: Final = timedelta(hours=24)
TREND_WIDTH, TREND_HEIGHT = 96, 20


@dataclass(frozen=True, slots=True)
class TokenToday:
    """One token now.

    `since` is the first reconciliation that gave the answer which is given now, if it is a bad one
    and a reconciliation has given it already. `lowest_bps` is since the last attestation; None
    without one.
    """

    token: Token
    cover: Cover
    since: datetime | None
    gate: GateState
    trend: LineChart | None
    lowest_bps: int | None

    @property
    def missing(self) -> Decimal | None:
        """The shares that are owed, and not there even with those in transit; None if not short."""
        if self.cover.status != CoverStatus.SHORT or self.cover.surplus is None:
            return None
        return -(self.cover.surplus + self.cover.disclosed)

    @property
    def url(self) -> str:
        """Where the token is shown."""
        return record_url(Token._meta.label_lower, self.token.pk)


@dataclass(frozen=True, slots=True)
class BreakToday:
    """An open break, and where it is worked on."""

    found: Break
    url: str


@dataclass(frozen=True, slots=True)
class Today:
    """Everything on the index page, for one user."""

    at: datetime
    tokens: tuple[TokenToday, ...]
    reconciled_at: datetime | None
    holds: tuple[NamedHold, ...]
    mine: tuple[Task, ...]
    others: tuple[Task, ...]
    breaks: tuple[BreakToday, ...]
    flows: tuple[Flow, ...]
    next_settlement: date | None

    @property
    def status(self) -> CoverStatus:
        """The worst of the tokens; UNKNOWN if there are none."""
        statuses = (row.cover.status for row in self.tokens)
        return max(statuses, key=SEVERITY.index, default=CoverStatus.UNKNOWN)

    @property
    def gate(self) -> GateState:
        """How far the programs are open; the tightest hold on one decides."""
        on_programs = (row.hold for row in self.holds if row.hold.scope.kind == ScopeKind.PROGRAM)
        return tightest(GateState(hold.effect) for hold in on_programs)

    @property
    def alarms(self) -> tuple[TokenToday, ...]:
        """The tokens that are short, or of which nobody can tell."""
        bad = {CoverStatus.SHORT, CoverStatus.UNKNOWN}
        return tuple(row for row in self.tokens if row.cover.status in bad)

    @property
    def halts(self) -> tuple[NamedHold, ...]:
        """The holds that let nothing through at all."""
        return tuple(row for row in self.holds if row.hold.effect == GateState.HALTED)

    @property
    def lowest_now_bps(self) -> int | None:
        """The cover of the token that has least, of those that are known."""
        return _lowest(row.cover.ratio_bps for row in self.tokens)

    @property
    def lowest_since_bps(self) -> int | None:
        """The lowest cover of any token since its last attestation."""
        return _lowest(row.lowest_bps for row in self.tokens)


def today(user: User, *, at: datetime) -> Today:
    """Return what `user` sees at `at`, by as many queries for one token as for all."""
    tokens = list(Token.objects.select_related("program").order_by("symbol"))
    covers = covers_of(tokens, at=at)
    holds = holds_on(tokens)
    trends = _trends(at)
    lowest = _lowest_since_attestation()
    since = standing_since({token_id: cover.status for token_id, cover in covers.items()})
    mine, others = desk.split(desk.tasks(at=at), user)
    newest_run = Run.objects.order_by("-as_of").first()
    receipts = SettlementInstruction.objects.filter(
        state=InstructionState.INSTRUCTED, settlement_date__gte=at.date()
    )
    return Today(
        at=at,
        tokens=tuple(
            TokenToday(
                token=token,
                cover=covers[token.pk],
                since=since.get(token.pk),
                gate=tightest(GateState(hold.effect) for hold in holds[token.pk]),
                trend=trends.get(token.pk),
                lowest_bps=lowest.get(token.pk),
            )
            for token in tokens
        ),
        reconciled_at=None if newest_run is None else newest_run.as_of,
        holds=tuple(
            named(
                Hold.objects.filter(released_at=None)
                .select_related("scope")
                .order_by("placed_at", "id")
            )
        ),
        mine=tuple(mine),
        others=tuple(others),
        breaks=tuple(_open_breaks()),
        flows=tuple(flows()),
        next_settlement=receipts.aggregate(day=Min("settlement_date"))["day"],
    )


def _trends(at: datetime) -> dict[UUID, LineChart | None]:
    """Return the line of each token's cover over the last reconciliations."""
    results = TokenResult.objects.filter(run__as_of__gt=at - TREND_REACH, run__as_of__lte=at)
    points: dict[UUID, list[tuple[int, int | None]]] = defaultdict(list)
    rows = results.order_by("run__as_of").values_list("token_id", "run__as_of", "cover_bps")
    for token_id, as_of, cover_bps in rows:
        points[token_id].append((int(as_of.timestamp()), cover_bps))
    return {
        token_id: line_chart(line, width=TREND_WIDTH, height=TREND_HEIGHT, guide=FULL_COVER_BPS)
        for token_id, line in points.items()
    }


def _lowest_since_attestation() -> dict[UUID, int | None]:
    """Return the lowest cover of each token in reconciliations since its last attestation."""
    since = Q(pk=None)
    current = Attestation.objects.filter(state=AttestationState.PUBLISHED).order_by()
    for program_id, as_of in current.values_list("program_id", "as_of"):
        since |= Q(run__program=program_id, run__as_of__gte=as_of)
    results = TokenResult.objects.filter(since).order_by().values_list("token_id")
    return dict(results.annotate(low=Min("cover_bps")))


def _open_breaks() -> Iterable[BreakToday]:
    """Return the open breaks, the gravest first, of those the oldest."""
    found = Break.objects.filter(state=BreakState.OPEN).select_related("token")
    gravest_first = Severity.values
    for one in sorted(found, key=lambda row: (gravest_first.index(row.severity), row.opened_at)):
        yield BreakToday(one, record_url(Break._meta.label_lower, one.pk))


def _lowest(figures: Iterable[int | None]) -> int | None:
    known: Sequence[int] = [figure for figure in figures if figure is not None]
    return min(known, default=None)
