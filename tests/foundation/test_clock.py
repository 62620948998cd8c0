from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pytest_django import Settings

from issuer.foundation import clock


class TestNow:
    def test_is_aware_and_in_utc(self, settings: Settings) -> None:
        settings.CLOCK_OFFSET_FILE = None
        before = datetime.now(UTC)

        now = clock.now()

        assert now.tzinfo is UTC
        assert before <= now <= datetime.now(UTC)

    def test_runs_ahead_in_the_sandbox(self, settings: Settings, tmp_path: Path) -> None:
        settings.CLOCK_OFFSET_FILE = tmp_path / "clock-offset"
        settings.CLOCK_OFFSET_FILE.write_text(str(3 * 86_400 * 10**6))
        before = datetime.now(UTC)

        now = clock.now()

        assert before <= now - timedelta(days=3) <= datetime.now(UTC)


class TestOffset:
    def test_is_nothing_in_production(self, settings: Settings) -> None:
        settings.CLOCK_OFFSET_FILE = None

        assert clock.offset() == timedelta()

    def test_is_nothing_before_the_sandbox_moves_its_clock(
        self, settings: Settings, tmp_path: Path
    ) -> None:
        settings.CLOCK_OFFSET_FILE = tmp_path / "clock-offset"

        assert clock.offset() == timedelta()

    @pytest.mark.parametrize("text", ["", "soon", "1.5"])
    def test_does_not_guess_what_a_broken_file_means(
        self, text: str, settings: Settings, tmp_path: Path
    ) -> None:
        settings.CLOCK_OFFSET_FILE = tmp_path / "clock-offset"
        settings.CLOCK_OFFSET_FILE.write_text(text)

        with pytest.raises(ValueError, match="invalid literal"):
            clock.offset()
