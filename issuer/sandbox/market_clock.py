"""The demo world's clock: ahead of the world's by an offset that every process reads.

It only ever moves forward, for books and chains do not run backwards.
"""

from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Final

from django.conf import settings

from issuer.foundation import calendars, clock

#: The New York session is open at this time of day (UTC), summer and winter.
OPEN_AT: Final = time(15, 0, tzinfo=UTC)
#: By this time of day the session is over and the custodian has sent its statement.
STATEMENTS_SENT_AT: Final = time(22, 0, tzinfo=UTC)


class ClockRunsForward(Exception):
    """Somebody tried to move the clock back."""


def advance_to(moment: datetime) -> None:
    """Set the clock to `moment`; it goes on from there.

    Raises:
        ClockRunsForward: if `moment` has passed.
    """
    present = clock.now()
    if moment < present:
        raise ClockRunsForward(f"It is {present:%Y-%m-%d %H:%M}Z; the clock cannot go back.")
    ahead = moment - datetime.now(UTC)
    _write(ahead)


def first_story_day() -> date:
    """Return the next day on whose session the story can begin."""
    day = datetime.now(UTC).date()
    while not calendars.is_session(day) or datetime.combine(day, OPEN_AT) < datetime.now(UTC):
        day += timedelta(days=1)
    return day


def reset() -> None:
    """Let the clock show the world's time again, for a world that is built anew."""
    _write(timedelta())


def _write(ahead: timedelta) -> None:
    assert settings.CLOCK_OFFSET_FILE is not None  # outside the sandbox there is no such clock
    path = Path(settings.CLOCK_OFFSET_FILE)
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".new")
    fresh.write_text(str(ahead // timedelta(microseconds=1)), encoding="ascii")
    fresh.replace(path)  # readers see the old text or the new, never half of one
