from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from issuer.foundation.charts import line_chart
from issuer.foundation.templatetags import charts, screens


class TestQuantity:
    @pytest.mark.parametrize(
        ("value", "shown"),
        [
            ("1250.500000000000000000", "1,250.5"),
            ("0", "0"),
            ("-1234567.25", "-1,234,567.25"),
            ("-0.5", "-0.5"),
            ("1.1234567", "1.123456…"),
        ],
    )
    def test_sets_thousands_apart_and_cuts_without_rounding(self, value: str, shown: str) -> None:
        assert f">{shown}</data>" in screens.quantity(Decimal(value))

    def test_keeps_every_decimal_in_its_title_and_its_value(self) -> None:
        written = screens.quantity(Decimal("1234.123456789012345678"))

        assert 'value="1234.123456789012345678" title="1,234.123456789012345678"' in written

    def test_says_that_it_is_not_known(self) -> None:
        assert screens.quantity(None) == '<span class="not-known">not known</span>'


class TestExact:
    def test_writes_every_digit(self) -> None:
        written = screens.exact(Decimal("-1234.000000000000000001"))

        assert written == (
            '<data class="figure" value="-1234.000000000000000001">-1,234.000000000000000001</data>'
        )

    def test_says_that_it_is_not_known(self) -> None:
        assert screens.exact(None) == '<span class="not-known">not known</span>'


class TestPercent:
    def test_writes_basis_points_with_two_decimals(self) -> None:
        expected = '<data class="figure" value="10051">100.51 %</data>'
        assert screens.percent(10_051) == expected
        assert screens.percent_text(9_905) == "99.05"
        assert screens.percent_text(1_234_567) == "12,345.67"

    def test_says_that_it_is_not_known(self) -> None:
        assert "not known" in screens.percent(None)


class TestUtc:
    def test_writes_any_time_in_utc(self) -> None:
        eastern = datetime.fromisoformat("2026-11-20T10:00:00.9-05:00")

        assert screens.utc(eastern) == (
            '<time datetime="2026-11-20T15:00:00Z" '
            'title="Friday, 20 November 2026, 15:00:00 UTC">2026-11-20 15:00:00Z</time>'
        )

    def test_writes_a_day_as_a_day(self) -> None:
        written = screens.utc(date(2026, 11, 20))

        assert written == '<time datetime="2026-11-20">2026-11-20</time>'

    def test_says_that_it_is_not_known(self) -> None:
        assert "not known" in screens.utc(None)


class TestAge:
    @pytest.mark.parametrize(
        ("seconds", "written"),
        [
            (59, "59 s ago"),
            (240, "4 min ago"),
            (26 * 3600, "1 d ago"),
            (7200, "2 h ago"),
            (-60, "in 1 min"),
        ],
    )
    def test_is_written_in_its_largest_unit(self, seconds: int, written: str) -> None:
        now = datetime(2026, 11, 20, tzinfo=UTC)

        assert screens.age(now - timedelta(seconds=seconds), now) == written


class TestAddress:
    def test_shortens_and_copies_in_full(self) -> None:
        value = "0xd8eE25D7d4fCc702CAb53b15A03C35db688a41d3"

        written = screens.address(value, "https://explorer.example/address/1")

        assert f'<code title="{value}">0xd8eE25…8a41d3</code>' in written
        assert f'data-copy="{value}" hidden' in written
        assert '<a href="https://explorer.example/address/1"' in written

    def test_leaves_what_is_short_as_it_is(self) -> None:
        assert screens.shortened("ST-12") == "ST-12"
        assert screens.words("settlement_instruction") == "settlement instruction"


class TestPill:
    @pytest.mark.parametrize(
        ("state", "tone", "sign"),
        [
            ("COVERED", "good", "✓"),
            ("REDEEM_ONLY", "waiting", "◔"),
            ("SHORT", "bad", "✕"),
            ("UNKNOWN", "unknown", "?"),
            ("CANCELLED", "neutral", "–"),
        ],
    )
    def test_says_a_state_by_word_sign_and_color(self, state: str, tone: str, sign: str) -> None:
        written = screens.pill(state, "A word")

        assert f'class="pill pill-{tone}"' in written
        assert f"{sign}</span> A word" in written

    def test_escapes_what_it_is_given(self) -> None:
        assert "<b>" not in screens.pill("COVERED", "<b>")


class TestLineChart:
    def test_draws_lines_dots_and_guide(self) -> None:
        chart = line_chart([(0, 1), (1, 2), (2, None), (3, 1)], width=30, height=10, guide=1)
        assert chart is not None

        drawn = charts.line_chart(chart)

        assert '<polyline points="0,10 10,0"/>' in drawn
        assert '<circle cx="30" cy="10" r="2"/>' in drawn
        assert '<line class="guide" x1="0" x2="30" y1="10" y2="10"/>' in drawn

    def test_draws_no_guide_that_is_not_there(self) -> None:
        chart = line_chart([(0, 1), (1, 2)], width=30, height=10)
        assert chart is not None

        assert "guide" not in charts.line_chart(chart)
