"""Sessions and settlement days, against an independent calendar and against known cases."""

import warnings
from datetime import date, timedelta

import pytest

from issuer.foundation import calendars


class TestIsSession:
    def test_agrees_with_an_independent_calendar_on_every_day(self) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of pandas, about itself
            import exchange_calendars

            first, last = calendars.FIRST_DAY, calendars.LAST_DAY
            calendar = exchange_calendars.get_calendar("XNYS", start=str(first), end=str(last))
            sessions = {stamp.date() for stamp in calendar.sessions}
        days = [first + timedelta(days=n) for n in range((last - first).days + 1)]

        assert [day for day in days if calendars.is_session(day) != (day in sessions)] == []

    @pytest.mark.parametrize("day", [date(2006, 12, 29), date(2031, 1, 2)])
    def test_does_not_guess_beyond_what_is_known(self, day: date) -> None:
        with pytest.raises(calendars.CalendarUnknown):
            calendars.is_session(day)


class TestSettlementDate:
    @pytest.mark.parametrize(
        ("trade_date", "settles"),
        [
            pytest.param(date(2026, 10, 9), date(2026, 10, 13), id="over Columbus Day"),
            pytest.param(date(2026, 10, 12), date(2026, 10, 13), id="on Columbus Day"),
            pytest.param(date(2026, 11, 10), date(2026, 11, 12), id="over Veterans Day"),
            pytest.param(date(2026, 11, 11), date(2026, 11, 12), id="on Veterans Day"),
            pytest.param(date(2026, 11, 25), date(2026, 11, 27), id="over Thanksgiving"),
            pytest.param(date(2026, 11, 27), date(2026, 11, 30), id="on an early close"),
            pytest.param(date(2026, 12, 24), date(2026, 12, 28), id="over Christmas"),
            pytest.param(date(2027, 6, 17), date(2027, 6, 21), id="over Juneteenth"),
            pytest.param(date(2026, 11, 21), date(2026, 11, 24), id="on a Saturday"),
        ],
    )
    def test_is_the_next_settlement_day(self, trade_date: date, settles: date) -> None:
        assert calendars.settlement_date(trade_date) == settles


class TestIsSettlementDay:
    def test_keeps_a_veterans_day_that_falls_on_a_sunday_on_the_monday(self) -> None:
        assert date(2029, 11, 11).weekday() == 6
        assert calendars.is_session(date(2029, 11, 12))
        assert not calendars.is_settlement_day(date(2029, 11, 12))

    def test_does_not_move_a_veterans_day_that_falls_on_a_saturday(self) -> None:
        assert date(2028, 11, 11).weekday() == 5
        assert calendars.is_settlement_day(date(2028, 11, 10))


class TestLastSession:
    def test_goes_back_over_a_weekend(self) -> None:
        assert calendars.last_session(date(2026, 11, 22)) == date(2026, 11, 20)

    def test_is_the_day_itself_if_it_has_a_session(self) -> None:
        assert calendars.last_session(date(2026, 11, 20)) == date(2026, 11, 20)
