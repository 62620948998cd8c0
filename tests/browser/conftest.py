"""A real browser against a live server, and pictures of what it shows.

Pictures go into the directory that `SCREENSHOTS` names, or into the test's own.
"""

import os
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.browser.visitors import WIDE, Visitor

if TYPE_CHECKING:
    from tests.browser.world import World

_ARGUMENTS = (
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Debian's chromium; started once."""
    with pytest.MonkeyPatch.context() as patch, sync_playwright() as playwright:
        # Playwright's synchronous interface runs a loop of its own in this thread, which Django
        # takes for asynchronous code that calls the database.
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
        chromium = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=list(_ARGUMENTS)
        )
        yield chromium
        chromium.close()


@pytest.fixture
def small_world(market_clock: datetime) -> "World":
    """The world that the server shows."""
    from tests.browser.world import world  # it needs models, and this file is read before them

    return world(at=market_clock)


@pytest.fixture
def visitors(browser: Browser, live_server: Any, tmp_path: Path) -> Iterator[Any]:
    """Makes visitors, each with cookies of their own."""
    pictures = Path(os.environ.get("SCREENSHOTS") or tmp_path)
    pictures.mkdir(parents=True, exist_ok=True)
    contexts = []

    def visitor() -> Visitor:
        context = browser.new_context(viewport={"width": WIDE, "height": 900})
        contexts.append(context)
        return Visitor(context.new_page(), live_server.url, pictures)

    yield visitor
    for context in contexts:
        context.close()
