"""Somebody at a browser."""

from pathlib import Path
from typing import Final

from playwright.sync_api import Page

NARROW: Final = 360
WIDE: Final = 1400


class Visitor:
    """Somebody at a browser of their own."""

    def __init__(self, page: Page, address: str, pictures: Path) -> None:
        self.page = page
        self._address = address
        self._pictures = pictures

    def open(self, path: str) -> None:
        self.page.goto(f"{self._address}{path}")

    def log_in(self, username: str, password: str) -> None:
        self.open("/admin/")
        self.page.get_by_label("Username").fill(username)
        self.page.get_by_label("Password", exact=True).fill(password)
        self.page.get_by_role("button", name="Log in", exact=True).click()

    def take_pictures(self, name: str) -> None:
        """Picture the whole page, narrow and wide, light and dark."""
        for scheme in ("light", "dark"):
            self.page.emulate_media(color_scheme=scheme)
            self.page.wait_for_timeout(300)  # the admin follows the scheme by a script
            for width in (NARROW, WIDE):
                self.page.set_viewport_size({"width": width, "height": 900})
                self.page.screenshot(
                    path=self._pictures / f"{name}-{scheme}-{width}.png", full_page=True
                )

    def fits(self) -> bool:
        """Say whether nothing on the page is wider than a narrow screen."""
        self.page.set_viewport_size({"width": NARROW, "height": 900})
        width: int = self.page.evaluate("document.documentElement.scrollWidth")
        return width <= NARROW
