"""Cover over time: the lowest of each hour or day, for a chart and for the table behind it."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, TypeAlias
from uuid import UUID

from django.db.models import Count, Max, Min, Q
from django.db.models.functions import TruncHour

from issuer.foundation.charts import LineChart, line_chart
from issuer.instruments.models import Token
from issuer.reconciliation.models import TokenResult
from issuer.reserves.cover import CoverStatus

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

    `known` says whether there was an answer at any time of the period.
    """

    bps: int | None
    known: bool


#: What there is of a token in a period without a reconciliation.
NOTHING_FOUND: Final = Low(None, known=False)
Lows: TypeAlias = dict[UUID, Low]


@dataclass(frozen=True, slots=True)
class TokenHistory:
    """The line of one token; None if there is no percentage in all the time."""

    token: Token
    chart: LineChart | None


@dataclass(frozen=True, slots=True)
class History:
    """The lowest cover of each period; `rows` are newest first, with a column per token."""

    unit: str
    tokens: tuple[TokenHistory, ...]
    rows: tuple[tuple[datetime, tuple[Low, ...]], ...]


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
        .annotate(low=Min("cover_bps"), known=Count("pk", ~Q(status=CoverStatus.UNKNOWN)))
        .order_by("hour")
    )
    hours: dict[datetime, Lows] = defaultdict(dict)
    for hour, token_id, low, known in found:
        hours[hour][token_id] = Low(low, known > 0)
    daily = len({hour.date() for hour in hours}) >= DAYS_FOR_DAILY_POINTS
    periods = _by_day(hours) if daily else hours
    return History(
        unit="day" if daily else "hour",
        tokens=tuple(
            TokenHistory(token, _chart(token, periods, width, height)) for token in tokens
        ),
        rows=tuple(
            (start, tuple(periods[start].get(token.pk, NOTHING_FOUND) for token in tokens))
            for start in sorted(periods, reverse=True)
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


def _by_day(hours: Mapping[datetime, Lows]) -> dict[datetime, Lows]:
    days: dict[datetime, Lows] = defaultdict(dict)
    for hour, lows in hours.items():
        day = days[hour.replace(hour=0)]
        for token_id, low in lows.items():
            before = day.get(token_id, NOTHING_FOUND)
            figures = [bps for bps in (before.bps, low.bps) if bps is not None]
            day[token_id] = Low(min(figures, default=None), before.known or low.known)
    return days


def _chart(
    token: Token, periods: Mapping[datetime, Lows], width: int, height: int
) -> LineChart | None:
    points = [
        (int(start.timestamp()), periods[start].get(token.pk, NOTHING_FOUND).bps)
        for start in sorted(periods)
    ]
    return line_chart(points, width=width, height=height, guide=FULL_COVER_BPS)
