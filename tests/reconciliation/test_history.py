from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import product
from uuid import UUID

import pytest
from pytest_django import DjangoAssertNumQueries, Settings

from issuer.foundation import actors
from issuer.foundation.charts import Band
from issuer.gate import services as gate
from issuer.gate.models import Cause, GateState, Hold, ScopeKind
from issuer.instruments.models import Token
from issuer.parties.models import Program
from issuer.reconciliation.history import Low, Span, history_of
from issuer.reconciliation.models import Run, TokenResult
from issuer.reserves.cover import CoverStatus
from tests.make import instruments, parties

pytestmark = pytest.mark.django_db

SYSTEM = actors.system("tests")
A_DAY = 24 * 60
A_SOURCE = "A source is silent."


def run_at(at: datetime, program: Program) -> Run:
    """Record that `program` was reconciled at `at`."""
    return Run.objects.create(program=program, as_of=at, started_by="SYSTEM:tests", recorded_at=at)


def found(token: Token, cover_bps: int | None, *, at: datetime, run: Run | None = None) -> None:
    """Record that a reconciliation at `at` found the token so covered; None is nothing owed."""
    TokenResult.objects.create(
        run=run or run_at(at, token.program),
        token=token,
        status=CoverStatus.COVERED,
        owed_shares=Decimal(0),
        held_shares=Decimal(1),
        surplus_shares=Decimal(1),
        headroom=Decimal(1),
        cover_bps=cover_bps,
    )


def not_known(token: Token, *, at: datetime, run: Run | None = None) -> None:
    """Record that a reconciliation at `at` could not tell."""
    TokenResult.objects.create(
        run=run or run_at(at, token.program),
        token=token,
        status=CoverStatus.UNKNOWN,
        reasons=[A_SOURCE],
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

    def test_has_the_lowest_of_each_day_from_the_third_day_on(
        self, at: datetime, settings: Settings
    ) -> None:
        settings.RECONCILIATION_DUE_MINUTES = A_DAY
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

    def test_breaks_where_there_was_no_answer_at_some_time_of_a_period(self, at: datetime) -> None:
        token = instruments.token()
        found(token, 10_100, at=at - timedelta(hours=2))
        found(token, 10_200, at=at - timedelta(hours=1))
        not_known(token, at=at - timedelta(minutes=30))
        found(token, 10_300, at=at)

        history = history_of([token], at=at)

        assert [low for _, (low,) in history.rows] == [
            Low(10_300, known=True),
            Low(10_200, known=True, partly=True),
            Low(10_100, known=True),
        ]
        (line,) = history.tokens
        assert line.chart is not None
        assert line.chart.segments == ("0,43 140,22",)
        assert line.chart.dots == ((280, 0),)

    def test_breaks_where_no_reconciliation_was_made(self, at: datetime) -> None:
        token = instruments.token()
        found(token, 10_100, at=at - timedelta(hours=5))
        found(token, 10_200, at=at)

        history = history_of([token], at=at)

        assert [(start.hour, low) for start, (low,) in history.rows] == [
            (15, Low(10_200, known=True)),
            (11, Low(None, known=False)),
            (10, Low(10_100, known=True)),
        ]
        (line,) = history.tokens
        assert line.chart is not None
        assert line.chart.segments == ()
        assert line.chart.dots == ((0, 32), (280, 0))

    def test_a_day_is_partly_known_if_an_hour_of_it_is_not(self, at: datetime) -> None:
        token = instruments.token()
        for days in (2, 1):
            found(token, 10_010, at=at - timedelta(days=days))
        not_known(token, at=at - timedelta(hours=3))
        found(token, 10_030, at=at)

        history = history_of([token], at=at)

        assert history.unit == "day"
        assert history.rows[0][1] == (Low(10_030, known=True, partly=True),)

    def test_reaches_back_thirty_days(self, at: datetime) -> None:
        token = instruments.token()
        found(token, 10_000, at=at - timedelta(days=30))
        found(token, 10_001, at=at + timedelta(seconds=1))

        assert history_of([token], at=at).rows == ()


class TestSpans:
    def hold(
        self,
        kind: ScopeKind,
        subject_id: UUID,
        effect: GateState = GateState.HALTED,
        *,
        at: datetime,
    ) -> Hold:
        return gate.place_hold(
            kind=kind,
            subject_id=subject_id,
            effect=effect,
            cause=Cause.WINDOW,
            reason=f"Told at {at:%H:%M}.",
            actor=SYSTEM,
            at=at,
        )

    def test_are_the_holds_of_the_time_newest_first(self, at: datetime) -> None:
        deployment = instruments.deployment()
        token = deployment.token
        for hours in (2, 1, 0):
            found(token, 10_100, at=at - timedelta(hours=hours))
        self.hold(
            ScopeKind.NETWORK,
            deployment.network_id,
            GateState.REDEEM_ONLY,
            at=at - timedelta(hours=1),
        )
        over = self.hold(ScopeKind.TOKEN, token.pk, at=at - timedelta(minutes=90))
        Hold.objects.filter(pk=over.pk).update(
            released_at=at - timedelta(minutes=30), released_by=str(SYSTEM)
        )

        history = history_of([token], at=at)

        assert history.spans == (
            Span(
                f"Network {deployment.network.name}",
                "REDEEM_ONLY",
                at - timedelta(hours=1),
                None,
                "Told at 14:00.",
            ),
            Span(
                f"Token {token.symbol}",
                "HALTED",
                at - timedelta(minutes=90),
                at - timedelta(minutes=30),
                "Told at 13:30.",
            ),
        )
        assert [span.label for span in history.spans] == ["Redeem only", "Halted"]
        (line,) = history.tokens
        assert line.chart is not None
        # Two hours are 280 pixels.
        assert line.chart.bands == (Band("HALTED", 70, 140), Band("REDEEM_ONLY", 140, 140))

    def test_are_when_there_was_no_answer_and_why(self, at: datetime) -> None:
        token = instruments.token()
        found(token, 10_100, at=at - timedelta(minutes=90))
        for minutes in (60, 45):
            not_known(token, at=at - timedelta(minutes=minutes))
        found(token, 10_100, at=at - timedelta(minutes=30))
        not_known(token, at=at - timedelta(minutes=15))

        history = history_of([token], at=at)

        what = f"Cover of {token.symbol}"
        assert history.spans == (
            Span(what, "UNKNOWN", at - timedelta(minutes=15), None, "A source is silent."),
            Span(
                what,
                "UNKNOWN",
                at - timedelta(minutes=60),
                at - timedelta(minutes=30),
                "A source is silent.",
            ),
        )
        assert history.spans[0].label == "Unknown"

    def test_go_back_to_where_it_began_that_there_was_no_answer(
        self, at: datetime, settings: Settings
    ) -> None:
        settings.RECONCILIATION_DUE_MINUTES = 20 * A_DAY
        token, answered = instruments.token(symbol="AAAx"), instruments.token(symbol="BBBx")
        found(token, 10_100, at=at - timedelta(days=46))
        for days in (45, 31, 29, 12):
            not_known(token, at=at - timedelta(days=days))
        not_known(answered, at=at - timedelta(days=40))
        found(answered, 10_100, at=at - timedelta(days=22))
        found(answered, 10_100, at=at - timedelta(days=2))

        history = history_of([token, answered], at=at)

        assert history.spans == (
            Span(
                "Cover of BBBx",
                "UNKNOWN",
                at - timedelta(days=40),
                at - timedelta(days=22),
                A_SOURCE,
            ),
            Span("Cover of AAAx", "UNKNOWN", at - timedelta(days=45), None, A_SOURCE),
        )

    def test_are_when_no_reconciliation_came_after_the_last(self, at: datetime) -> None:
        program = parties.program()
        tokens = [instruments.token(program=program) for _ in range(2)]
        for hours, token in product((4, 3), tokens):
            found(token, 10_100, at=at - timedelta(hours=hours))

        history = history_of(tokens, at=at)

        (span,) = history.spans
        assert span == Span(
            f"Program {program.name}",
            "UNKNOWN",
            at - timedelta(hours=2),
            None,
            "Not reconciled since 2026-11-20 12:00:00Z.",
        )
        assert [(start.hour, set(lows)) for start, lows in history.rows] == [
            (13, {Low(None, known=False)}),
            (12, {Low(10_100, known=True)}),
            (11, {Low(10_100, known=True)}),
        ]
        for line in history.tokens:
            assert line.chart is not None
            assert line.chart.bands == (Band("UNKNOWN", 140, 140),)

    def test_are_when_a_reconciliation_came_late(self, at: datetime) -> None:
        token = instruments.token()
        found(token, 10_100, at=at - timedelta(minutes=150))
        found(token, 10_200, at=at - timedelta(minutes=15))

        history = history_of([token], at=at)

        (span,) = history.spans
        assert (span.kind, span.since, span.until) == (
            *("UNKNOWN", at - timedelta(minutes=90), at - timedelta(minutes=15)),
        )
        assert [(start.hour, low) for start, (low,) in history.rows] == [
            (14, Low(10_200, known=True, partly=True)),
            (13, Low(None, known=False)),
            (12, Low(10_100, known=True)),
        ]

    def test_are_not_while_the_next_reconciliation_is_not_due(self, at: datetime) -> None:
        token = instruments.token()
        for minutes in (120, 60):
            found(token, 10_100, at=at - timedelta(minutes=minutes))

        history = history_of([token], at=at)

        assert history.spans == ()
        assert [start.hour for start, _ in history.rows] == [14, 13]

    def test_tell_of_a_stop_before_the_time(self, at: datetime) -> None:
        token = instruments.token()
        found(token, 10_100, at=at - timedelta(days=40))

        (span,) = history_of([token], at=at).spans

        assert (span.since, span.until) == (at - timedelta(days=40) + timedelta(hours=1), None)
        assert span.why == "Not reconciled since 2026-10-11 15:00:00Z."

    def test_cost_as_many_queries_for_many_tokens_as_for_one(
        self, at: datetime, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        program = parties.program()
        tokens = [instruments.token(program=program) for _ in range(5)]
        silent, answered = (run_at(at - timedelta(days=days), program) for days in (31, 29))
        for token in tokens:
            not_known(token, at=silent.as_of, run=silent)
            found(token, 10_100, at=answered.as_of, run=answered)

        for some in (tokens[:1], tokens):
            with django_assert_num_queries(7):  # two ask since when it was not known before
                history_of(some, at=at)

    def test_name_a_hold_of_two_tokens_once(self, at: datetime) -> None:
        program = parties.program()
        tokens = [instruments.token(program=program) for _ in range(2)]
        self.hold(ScopeKind.PROGRAM, program.pk, at=at - timedelta(hours=1))

        (span,) = history_of(tokens, at=at).spans

        assert span.what == f"Program {program.name}"

    def test_are_none_where_nothing_was_shut(self, at: datetime) -> None:
        assert history_of([instruments.token()], at=at).spans == ()
