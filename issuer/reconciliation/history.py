"""Cover over time: the lowest of each hour or day, for a chart and for the tables behind it.

Beside it stand the times at which a token was held shut, or at which there was no answer. A
reconciliation speaks for as long as the next one may take, and no longer: after that it is not
known, whatever it found.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeAlias
from uuid import UUID

from django.conf import settings
from django.db.models import Count, F, Max, Min, OuterRef, Q, Subquery, Window
from django.db.models.functions import Lag, Lead, TruncHour

from issuer.foundation.charts import LineChart, Point, line_chart
from issuer.gate.models import GateState, ScopeKind
from issuer.gate.selectors import scope_names
from issuer.instruments.models import Token
from issuer.parties.models import Program
from issuer.reconciliation.models import Run, TokenResult
from issuer.reserves.cover import CoverStatus
from issuer.reserves.gates import holds_between

#: How far back the chart goes.
REACH: Final = timedelta(days=30)
#: From so many days on, a point is a day; before, it is an hour.
DAYS_FOR_DAILY_POINTS: Final = 3
#: Everything that was owed was held.
FULL_COVER_BPS: Final = 10_000
CHART_WIDTH, CHART_HEIGHT = 280, 64


@dataclass(frozen=True, slots=True)
class Low:
    """The lowest cover of a token in a period, in basis points; None if nothing was owed, too.

    `known` says whether there was an answer at any time of the period, `partly` whether there was
    none at another.
    """

    bps: int | None
    known: bool
    partly: bool = False


#: What there is of a token in a period without a reconciliation.
NOTHING_FOUND: Final = Low(None, known=False)
Lows: TypeAlias = dict[UUID, Low]


@dataclass(frozen=True, slots=True)
class Span:
    """A time at which `what` was HALTED or REDEEM_ONLY, or its cover UNKNOWN.

    It may have begun before the chart does.

    Without `until` it is so still.
    """

    what: str
    kind: str
    since: datetime
    until: datetime | None
    why: str

    def meets(self, start: datetime, end: datetime) -> bool:
        """Say whether it was so at any time from `start` until before `end`."""
        return self.since < end and (self.until is None or self.until > start)

    @property
    def label(self) -> str:
        """The state in words."""
        if self.kind == CoverStatus.UNKNOWN:
            return CoverStatus.UNKNOWN.label
        return GateState(self.kind).label


@dataclass(frozen=True, slots=True)
class TokenHistory:
    """The line of one token; None if there is no percentage in all the time."""

    token: Token
    chart: LineChart | None


@dataclass(frozen=True, slots=True)
class History:
    """The lowest cover of each period; `rows` are newest first, with a column per token.

    Of periods without a reconciliation, the first is a row. `spans` are the newest first, too.
    """

    unit: str
    tokens: tuple[TokenHistory, ...]
    rows: tuple[tuple[datetime, tuple[Low, ...]], ...]
    spans: tuple[Span, ...]


def history_of(
    tokens: Sequence[Token], *, at: datetime, width: int = CHART_WIDTH, height: int = CHART_HEIGHT
) -> History:
    """Return how the cover of each token went until `at`, from every reconciliation.

    The lines are drawn in boxes of `width` by `height` pixels. Programs come with their tokens.
    """
    found = (
        TokenResult.objects.filter(run__as_of__gt=at - REACH, run__as_of__lte=at)
        .annotate(hour=TruncHour("run__as_of", tzinfo=UTC))
        .values_list("hour", "token_id")
        .annotate(
            low=Min("cover_bps"),
            known=Count("pk", ~Q(status=CoverStatus.UNKNOWN)),
        )
        .order_by("hour")
    )
    hours: dict[datetime, Lows] = defaultdict(dict)
    for hour, token_id, low, known in found:
        hours[hour][token_id] = Low(low, known > 0)
    daily = len({hour.date() for hour in hours}) >= DAYS_FOR_DAILY_POINTS
    spans = _spans(tokens, at)
    periods = _as_known(
        _by_day(hours) if daily else hours, timedelta(hours=24 if daily else 1), spans, at
    )
    box = _Box(width, height, at)
    return History(
        unit="day" if daily else "hour",
        tokens=tuple(
            TokenHistory(token, _chart(token, periods, spans[token.pk], box)) for token in tokens
        ),
        rows=tuple(
            (start, tuple(periods[start].get(token.pk, NOTHING_FOUND) for token in tokens))
            for start in sorted(periods, reverse=True)
        ),
        spans=tuple(
            sorted(
                {span for found in spans.values() for span in found},
                key=lambda span: (span.since, span.what, span.kind, span.why),
                reverse=True,
            )
        ),
    )


def standing_since(
    statuses: Mapping[UUID, CoverStatus], *, until: datetime | None = None
) -> dict[UUID, datetime]:
    """Return from which reconciliation on each token that is not covered has been as it is.

    `statuses` is what is found now, or was `until` some time, by token; one that no reconciliation
    has found yet is left out.
    """
    present = {
        token_id: status for token_id, status in statuses.items() if status != CoverStatus.COVERED
    }
    if not present:
        return {}
    otherwise: dict[UUID, datetime] = {}
    results = TokenResult.objects.order_by()
    if until is not None:
        results = results.filter(run__as_of__lte=until)
    seen = results.filter(token__in=present)
    for token_id, status, last in seen.values_list("token_id", "status").annotate(
        last=Max("run__as_of")
    ):
        if status != present[token_id]:
            otherwise[token_id] = max(last, otherwise.get(token_id, last))
    unbroken = Q(pk=None)
    for token_id in present:
        after = otherwise.get(token_id)
        unbroken |= Q(token_id=token_id) & (Q() if after is None else Q(run__as_of__gt=after))
    starts = results.filter(unbroken).values_list("token_id")
    return dict(starts.annotate(start=Min("run__as_of")))


@dataclass(frozen=True, slots=True)
class _Box:
    """Where a line is drawn: pixels, and the time at its right end."""

    width: int
    height: int
    at: datetime


def _by_day(hours: Mapping[datetime, Lows]) -> dict[datetime, Lows]:
    days: dict[datetime, Lows] = defaultdict(dict)
    for hour, lows in hours.items():
        day = days[hour.replace(hour=0)]
        for token_id, low in lows.items():
            before = day.get(token_id, low)
            figures = [bps for bps in (before.bps, low.bps) if bps is not None]
            day[token_id] = Low(min(figures, default=None), before.known or low.known)
    return days


def _as_known(
    periods: Mapping[datetime, Lows],
    length: timedelta,
    spans: Mapping[UUID, Sequence[Span]],
    at: datetime,
) -> dict[datetime, Lows]:
    """Return `periods` as far as they were known, and an empty one wherever none was, until `at`.

    What was known at a part of a period only is known partly.
    """
    unknown = {
        token_id: [span for span in found if span.kind == CoverStatus.UNKNOWN]
        for token_id, found in spans.items()
    }
    whole: dict[datetime, Lows] = {}
    for start, lows in periods.items():
        end, empty = start + length, start + length + length
        whole[start] = {
            token_id: replace(low, partly=True)
            if low.known and any(span.meets(start, end) for span in unknown.get(token_id, ()))
            else low
            for token_id, low in lows.items()
        }
        if end <= at and end not in periods:
            silent = (span for found in unknown.values() for span in found)
            if any(span.meets(end, empty) for span in silent):
                whole[end] = {}
    return whole


def _spans(tokens: Sequence[Token], at: datetime) -> dict[UUID, list[Span]]:
    """Return by token when it was held shut, and when there was no answer."""
    spans: dict[UUID, list[Span]] = {token.pk: [] for token in tokens}
    held = holds_between(tokens, at - REACH, at)
    scopes = {
        (ScopeKind(one.scope.kind), one.scope.subject_id) for on in held.values() for one in on
    }
    names = scope_names(scopes)
    for token_id, holds in held.items():
        for hold in holds:
            scope = ScopeKind(hold.scope.kind), hold.scope.subject_id
            what = f"{scope[0].label} {names[scope]}"
            until = hold.released_at if hold.released_at and hold.released_at <= at else None
            span = Span(what, hold.effect, hold.placed_at, until, hold.reason)
            spans[token_id].append(span)
    for token_id, unknown in _unknown_spans(tokens, at):
        spans[token_id].append(unknown)
    return spans


@dataclass(frozen=True, slots=True)
class _Turn:
    """A result that changed the answer, or that was not followed by another when that was due."""

    token_id: UUID
    status: str
    reasons: list[str]
    as_of: datetime
    following: datetime | None


def _unknown_spans(tokens: Sequence[Token], at: datetime) -> Iterator[tuple[UUID, Span]]:
    """Yield when there was no answer, and when there was none any more.

    From the reconciliation that had none until one that had; and from when the next reconciliation
    was due until it was made.
    """
    by_id = {token.pk: token for token in tokens}
    due = timedelta(minutes=settings.RECONCILIATION_DUE_MINUTES)
    turns = _turns(tokens, due, at)
    unknown_before = {
        turn.token_id: CoverStatus.UNKNOWN
        for turn in turns
        if turn.as_of <= at - REACH and turn.status == CoverStatus.UNKNOWN
    }
    since_before = standing_since(unknown_before, until=at - REACH)
    begun: dict[UUID, tuple[datetime, str]] = {}
    for turn in turns:
        token = by_id[turn.token_id]
        if (turn.following or at) - turn.as_of > due:
            what = f"Program {token.program.name}"
            why = f"Not reconciled since {turn.as_of:%Y-%m-%d %H:%M:%S}Z."
            yield token.pk, _unknown(what, turn.as_of + due, turn.following, why)
        if turn.status == CoverStatus.UNKNOWN:
            first = since_before.get(token.pk, turn.as_of), " ".join(turn.reasons)
            begun.setdefault(token.pk, first)
        elif token.pk in begun:
            since, why = begun.pop(token.pk)
            yield token.pk, _unknown(f"Cover of {token.symbol}", since, turn.as_of, why)
    for token_id, (since, why) in begun.items():
        yield token_id, _unknown(f"Cover of {by_id[token_id].symbol}", since, None, why)


def _unknown(what: str, since: datetime, until: datetime | None, why: str) -> Span:
    return Span(what, CoverStatus.UNKNOWN.value, since, until, why)


def _turns(tokens: Sequence[Token], due: timedelta, at: datetime) -> list[_Turn]:
    """Return the turns of each token in order, and first what was found last before the time."""
    before_it = Run.objects.filter(program=OuterRef("pk"), as_of__lte=at - REACH)
    programs = Program.objects.filter(pk__in={token.program_id for token in tokens}).order_by()
    last_before = programs.values_list(
        Subquery(before_it.order_by("-as_of", "-pk").values("pk")[:1])
    )
    by_token: dict[str, Any] = {
        "partition_by": F("token_id"),
        "order_by": ["run__as_of", "pk"],
    }
    found = (
        TokenResult.objects.filter(
            Q(run__as_of__gt=at - REACH) | Q(run__in=last_before),
            token__in=tokens,
            run__as_of__lte=at,
        )
        .annotate(
            before=Window(Lag("status"), **by_token),
            following=Window(Lead("run__as_of"), **by_token),
        )
        .filter(
            Q(before=None)
            | ~Q(before=F("status"))
            | Q(following=None)
            | Q(following__gt=F("run__as_of") + due)
        )
        .order_by("token_id", "run__as_of", "pk")
    )
    columns = ("token_id", "status", "reasons", "run__as_of", "following")
    return [_Turn(*row) for row in found.values_list(*columns)]


def _chart(
    token: Token, periods: Mapping[datetime, Lows], spans: Iterable[Span], box: _Box
) -> LineChart | None:
    points: list[Point] = []
    for start in sorted(periods):
        low, position = periods[start].get(token.pk, NOTHING_FOUND), int(start.timestamp())
        points.append((position, low.bps))
        if low.partly:
            # The line does not go on through what was not known.
            points.append((position, None))
    return line_chart(
        points,
        width=box.width,
        height=box.height,
        guide=FULL_COVER_BPS,
        end=int(box.at.timestamp()),
        stretches=[
            (span.kind, int(span.since.timestamp()), int((span.until or box.at).timestamp()))
            for span in spans
        ],
    )
