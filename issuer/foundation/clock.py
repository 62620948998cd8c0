"""The only clock. Doors ask it; the domain is told the time.

In the sandbox the market clock runs ahead of the world's by an offset that stands in a file, so
that every process sees a settlement day pass at once. Production has no such file: `settings`
refuses one outside the sandbox.
"""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from django.conf import settings


def now() -> datetime:
    """Return the present time, aware, in UTC."""
    return datetime.now(UTC) + offset()


def offset() -> timedelta:
    """Return by how much the sandbox's clock is ahead of the world's; zero in production."""
    if settings.CLOCK_OFFSET_FILE is None:
        return timedelta()
    try:
        text = Path(settings.CLOCK_OFFSET_FILE).read_text()
    except FileNotFoundError:
        return timedelta()
    return timedelta(microseconds=int(text))
