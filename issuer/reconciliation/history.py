"""Cover over time: the lowest of each hour or day, for a chart and for the tables behind it.

Beside it stand the times at which a token was held shut, or at which there was no answer.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Final, TypeAlias
from uuid import UUID

from django.db.models import Count, F, Max, Min, Q, Window
from django.db.models.functions import Lag, TruncHour

from issuer.foundation.charts import LineChart, Point, line_chart
from issuer.gate.models import GateState, ScopeKind
from issuer.gate.selectors import scope_names
from issuer.instruments.models import Token
from issuer.reconciliation.models import TokenResult
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

    Without `until` it is so still.
    """

    what: str
    kind: str
    since: datetime
    until: datetime | None
    why: str

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

    The lines are drawn in boxes of `width` by `height` pixels.
    """
    found = (
        TokenResult.objects.filter(run__as_of__gt=at - REACH, run__as_of__lte=at)
        .annotate(hour=TruncHour("run__as_of", tzinfo=UTC))
        .values_list("hour", "token_id")
        .annotate(
            low=Min("cover_bps"),
            known=Count("pk", ~Q(status=CoverStatus.UNKNOWN)),
            unknown=Count("pk", Q(status=CoverStatus.UNKNOWN)),
        )
        .order_by("hour")
    )
    hours: dict[datetime, Lows] = defaultdict(dict)
    for hour, token_id, low, known, unknown in found:
        hours[hour][token_id] = Low(low, known > 0, known > 0 and unknown > 0)
    daily = len({hour.date() for hour in hours}) >= DAYS_FOR_DAILY_POINTS
    periods = _with_gaps(_by_day(hours) if daily else hours, timedelta(hours=24 if daily else 1))
    spans = _spans(tokens, at)
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


def standing_since(statuses: Mapping[UUID, CoverStatus]) -> dict[UUID, datetime]:
    """Return from which reconciliation on each token that is not covered has been as it is.

    `statuses` is what is found now, by token; one that no reconciliation has found yet is left out.
    """
    present = {
        token_id: status for token_id, status in statuses.items() if status != CoverStatus.COVERED
    }
    otherwise: dict[UUID, datetime] = {}
    seen = TokenResult.objects.filter(token__in=present).order_by()
    for token_id, status, last in seen.values_list("token_id", "status").annotate(
        last=Max("run__as_of")
    ):
        if status != present[token_id]:
            otherwise[token_id] = max(last, otherwise.get(token_id, last))
    unbroken = Q(pk=None)
    for token_id in present:
        after = otherwise.get(token_id)
        unbroken |= Q(token_id=token_id) & (Q() if after is None else Q(run__as_of__gt=after))
    starts = TokenResult.objects.filter(unbroken).order_by().values_list("token_id")
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
            day[token_id] = Low(
                min(figures, default=None),
                before.known or low.known,
                before.partly or low.partly or before.known != low.known,
            )
    return days


def _with_gaps(periods: Mapping[datetime, Lows], length: timedelta) -> dict[datetime, Lows]:
    """Return `periods` with an empty one wherever reconciliations were missing between two."""
    whole = dict(periods)
    for start, following in pairwise(sorted(periods)):
        if following - start > length:
            whole[start + length] = {}
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


def _unknown_spans(tokens: Sequence[Token], at: datetime) -> Iterator[tuple[UUID, Span]]:
    """Yield when there was no answer: from the reconciliation that had none until one that had."""
    symbols = {token.pk: token.symbol for token in tokens}
    changed = (
        TokenResult.objects.filter(token__in=symbols, run__as_of__gt=at - REACH, run__as_of__lte=at)
        .annotate(
            before=Window(Lag("status"), partition_by=F("token_id"), order_by=["run__as_of", "pk"])
        )
        .filter(Q(before__isnull=True) | ~Q(before=F("status")))
        .order_by("token_id", "run__as_of")
    )
    begun: dict[UUID, tuple[datetime, list[str]]] = {}
    for token_id, status, as_of, reasons in changed.values_list(
        "token_id", "status", "run__as_of", "reasons"
    ):
        if status == CoverStatus.UNKNOWN:
            begun[token_id] = as_of, reasons
        elif token_id in begun:
            since, why = begun.pop(token_id)
            what = f"Cover of {symbols[token_id]}"
            yield token_id, Span(what, CoverStatus.UNKNOWN.value, since, as_of, " ".join(why))
    for token_id, (since, why) in begun.items():
        what = f"Cover of {symbols[token_id]}"
        yield token_id, Span(what, CoverStatus.UNKNOWN.value, since, None, " ".join(why))


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
