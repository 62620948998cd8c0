"""Somebody at a browser."""

from pathlib import Path
from typing import Final

from playwright.sync_api import Page

NARROW: Final = 360
WIDE: Final = 1400
#: More stops than any page has before what one looks for.
STOPS_MAX: Final = 200


class Visitor:
    """Somebody at a browser of their own."""

    def __init__(self, page: Page, address: str, pictures: Path) -> None:
        self.page = page
        self.address = address
        self._pictures = pictures

    def open(self, path: str) -> None:
        self.page.goto(f"{self.address}{path}")

    def log_in(self, username: str, password: str) -> None:
        self.open("/admin/")
        self.page.get_by_label("Username").fill(username)
        self.page.get_by_label("Password", exact=True).fill(password)
        self.page.get_by_role("button", name="Log in", exact=True).click()

    def text(self) -> str:
        """Return what the page says."""
        return self.page.inner_text("body")

    def tab_to(self, words: str, *, role: str = "A") -> None:
        """Go from stop to stop by the keyboard until the link or button that says `words`."""
        for _ in range(STOPS_MAX):
            self.page.keyboard.press("Tab")
            found: str = self.page.evaluate(
                "document.activeElement.tagName + ' ' + document.activeElement.textContent.trim()"
            )
            if found == f"{role} {words}":
                return
        message = f"No stop says {words}."
        raise AssertionError(message)

    def take_pictures_of(self, path: str, name: str) -> None:
        self.open(path)
        self.take_pictures(name)

    def take_pictures(self, name: str) -> None:
        """Picture the whole page, narrow and wide, light and dark."""
        for scheme in ("dark", "light"):
            self.page.emulate_media(color_scheme=scheme)
            # The admin asks for the scheme when it is loaded only, and loading empties forms.
            self.page.evaluate(
                "dark => document.documentElement.classList.toggle('dark', dark)", scheme == "dark"
            )
            for width in (NARROW, WIDE):
                self.page.set_viewport_size({"width": width, "height": 900})
                self.page.screenshot(
                    path=self._pictures / f"{name}-{scheme}-{width}.png", full_page=True
                )

    def fits(self) -> bool:
        """Say whether nothing on the page is wider than a narrow screen."""
        self.page.set_viewport_size({"width": NARROW, "height": 900})
        width: int = self.page.evaluate("document.documentElement.scrollWidth")
        self.page.set_viewport_size({"width": WIDE, "height": 900})
        return width <= NARROW
