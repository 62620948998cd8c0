"""The demo world's clock moves for every process at once, and never back."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pytest_django import Settings

from issuer.foundation import calendars, clock
from issuer.sandbox import market_clock


@pytest.fixture(autouse=True)
def own_clock(settings: Settings, tmp_path: Path) -> None:
    settings.CLOCK_OFFSET_FILE = tmp_path / "sandbox" / "clock-offset"


class TestAdvanceTo:
    def test_sets_the_clock_which_then_goes_on(self) -> None:
        moment = datetime.now(UTC) + timedelta(days=3)

        market_clock.advance_to(moment)

        first, second = clock.now(), clock.now()
        assert moment <= first <= second < moment + timedelta(minutes=1)

    def test_refuses_to_go_back(self) -> None:
        market_clock.advance_to(datetime.now(UTC) + timedelta(days=3))

        with pytest.raises(market_clock.ClockRunsForward):
            market_clock.advance_to(datetime.now(UTC) + timedelta(days=2))

        assert clock.offset() > timedelta(days=2, hours=23)


class TestReset:
    def test_shows_the_worlds_time_again(self) -> None:
        market_clock.advance_to(datetime.now(UTC) + timedelta(days=3))

        market_clock.reset()

        assert clock.offset() == timedelta()


class TestFirstStoryDay:
    def test_is_a_session_whose_opening_is_still_to_come(self) -> None:
        day = market_clock.first_story_day()

        assert calendars.is_session(day)
        assert datetime.combine(day, market_clock.OPEN_AT) >= datetime.now(UTC)
