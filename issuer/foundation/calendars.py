"""Sessions and settlement days of the US market.

Settlement is T+1 (SEC Rule 15c6-1, since 2024-05-28) over NYSE sessions, without the days on
which exchanges are open but banks and the Federal Reserve are not: Columbus Day and Veterans Day
(FINRA notices 95-77, 99-83, 88-82: "open for trading ... not a settlement date").
"""

from datetime import date, timedelta
from functools import cache
from pathlib import Path
from typing import Final

from issuer.foundation.errors import Unavailable

SETTLEMENT_CYCLE_DAYS: Final = 1
#: The days for which the closures are known.
FIRST_DAY: Final = date(2007, 1, 1)
LAST_DAY: Final = date(2030, 12, 31)
_CLOSURES: Final = Path(__file__).with_name("nyse_closures.txt")
_MONDAY, _SATURDAY = 0, 5
_OCTOBER, _NOVEMBER = 10, 11


class CalendarUnknown(Unavailable):
    """The calendar does not reach the day asked for."""

    code = "calendar-unknown"
    title = "The market calendar does not reach that day"


def is_session(day: date) -> bool:
    """Say whether the New York Stock Exchange trades on `day`.

    Raises:
        CalendarUnknown: if the calendar does not reach `day`.
    """
    if not FIRST_DAY <= day <= LAST_DAY:
        raise CalendarUnknown(f"The calendar runs from {FIRST_DAY} to {LAST_DAY}, not to {day}.")
    return day.weekday() < _SATURDAY and day not in _closures()


def is_settlement_day(day: date) -> bool:
    """Say whether trades of US shares settle on `day`.

    Raises:
        CalendarUnknown: if the calendar does not reach `day`.
    """
    return is_session(day) and not _banks_closed(day)


def settlement_date(trade_date: date) -> date:
    """Return the day on which a trade of `trade_date` settles.

    A trade on a day without session counts as done on the next one.

    Raises:
        CalendarUnknown: if the calendar does not reach that far.
    """
    day = trade_date
    while not is_session(day):
        day += timedelta(days=1)
    for _ in range(SETTLEMENT_CYCLE_DAYS):
        day = next_settlement_day(day)
    return day


def next_settlement_day(day: date) -> date:
    """Return the first settlement day after `day`.

    Raises:
        CalendarUnknown: if the calendar does not reach that far.
    """
    day += timedelta(days=1)
    while not is_settlement_day(day):
        day += timedelta(days=1)
    return day


def last_session(day: date) -> date:
    """Return the newest session on or before `day`.

    Raises:
        CalendarUnknown: if the calendar does not reach that far.
    """
    while not is_session(day):
        day -= timedelta(days=1)
    return day


@cache
def _closures() -> frozenset[date]:
    lines = _CLOSURES.read_text(encoding="ascii").splitlines()
    return frozenset(date.fromisoformat(line) for line in lines if not line.startswith("#"))


def _banks_closed(day: date) -> bool:
    """Say whether `day` is Columbus Day (second Monday of October) or Veterans Day.

    A Veterans Day on a Sunday is kept on the Monday; one on a Saturday is not moved.
    """
    columbus = day.month == _OCTOBER and day.weekday() == _MONDAY and 8 <= day.day <= 14
    eleventh = day.month == _NOVEMBER and day.day == 11
    twelfth_for_sunday = day.month == _NOVEMBER and day.day == 12 and day.weekday() == _MONDAY
    return columbus or eleventh or twelfth_for_sunday
