from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from issuer.instruments.models import Token
from issuer.reconciliation.history import Low, history_of
from issuer.reconciliation.models import Run, TokenResult
from issuer.reserves.cover import CoverStatus
from tests.make import instruments

pytestmark = pytest.mark.django_db


def found(token: Token, cover_bps: int | None, *, at: datetime) -> None:
    """Record that a reconciliation at `at` found the token so covered; None is nothing owed."""
    run = Run.objects.create(
        program=token.program, as_of=at, started_by="SYSTEM:tests", recorded_at=at
    )
    TokenResult.objects.create(
        run=run,
        token=token,
        status=CoverStatus.COVERED,
        owed_shares=Decimal(0),
        held_shares=Decimal(1),
        surplus_shares=Decimal(1),
        headroom=Decimal(1),
        cover_bps=cover_bps,
    )


def not_known(token: Token, *, at: datetime) -> None:
    """Record that a reconciliation at `at` could not tell."""
    run = Run.objects.create(
        program=token.program, as_of=at, started_by="SYSTEM:tests", recorded_at=at
    )
    TokenResult.objects.create(
        run=run, token=token, status=CoverStatus.UNKNOWN, reasons=["A source is silent."]
    )


class TestHistoryOf:
    def test_has_the_lowest_of_each_hour_newest_first(self, at: datetime) -> None:
        token = instruments.token()
        found(token, 10_040, at=at - timedelta(minutes=70))
        found(token, 10_051, at=at - timedelta(minutes=10))
        found(token, 10_049, at=at - timedelta(minutes=5))

        history = history_of([token], at=at)

        assert history.unit == "hour"
        assert history.rows == (
            (datetime(2026, 11, 20, 14, tzinfo=UTC), (Low(10_049, known=True),)),
            (datetime(2026, 11, 20, 13, tzinfo=UTC), (Low(10_040, known=True),)),
        )

    def test_has_the_lowest_of_each_day_from_the_third_day_on(self, at: datetime) -> None:
        token = instruments.token()
        found(token, 10_010, at=at - timedelta(days=2))
        found(token, 10_020, at=at - timedelta(days=1))
        found(token, 10_030, at=at - timedelta(hours=3))
        found(token, None, at=at - timedelta(hours=2))
        found(token, 10_025, at=at)

        history = history_of([token], at=at)

        assert history.unit == "day"
        assert [(start.day, lows) for start, lows in history.rows] == [
            (20, (Low(10_025, known=True),)),
            (19, (Low(10_020, known=True),)),
            (18, (Low(10_010, known=True),)),
        ]

    def test_tells_nothing_owed_from_not_known(self, at: datetime) -> None:
        owed_nothing, silent = instruments.token(symbol="AAAx"), instruments.token(symbol="BBBx")
        found(owed_nothing, None, at=at)
        not_known(silent, at=at)

        history = history_of([owed_nothing, silent], at=at)

        ((_, lows),) = history.rows
        assert lows == (Low(None, known=True), Low(None, known=False))
        assert [line.chart for line in history.tokens] == [None, None]

    def test_has_a_gap_where_a_token_was_not_reconciled(self, at: datetime) -> None:
        early, late = instruments.token(symbol="AAAx"), instruments.token(symbol="BBBx")
        found(early, 10_001, at=at - timedelta(hours=1))
        found(late, 10_002, at=at)

        history = history_of([early, late], at=at)

        assert [lows for _, lows in history.rows] == [
            (Low(None, known=False), Low(10_002, known=True)),
            (Low(10_001, known=True), Low(None, known=False)),
        ]

    def test_draws_a_line_against_full_cover(self, at: datetime) -> None:
        token = instruments.token()
        found(token, 10_100, at=at - timedelta(hours=1))
        found(token, 10_200, at=at)

        (line,) = history_of([token], at=at).tokens

        assert line.chart is not None
        assert line.chart.segments == ("0,32 280,0",)
        assert line.chart.guide == 64

    def test_reaches_back_thirty_days(self, at: datetime) -> None:
        token = instruments.token()
        found(token, 10_000, at=at - timedelta(days=30))
        found(token, 10_001, at=at + timedelta(seconds=1))

        assert history_of([token], at=at).rows == ()
