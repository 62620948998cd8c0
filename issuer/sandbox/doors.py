"""The doors as those outside use them: the partner's API client, and a browser without a window."""

from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any, Final, Self
from urllib.parse import urljoin

import httpx

_TIMEOUT_SECONDS: Final = 30


class DoorStuck(Exception):
    """A door did not behave as the one who knocks expects."""


class PartnerDoor:
    """A partner's client of the API, with its key."""

    def __init__(self, base_url: str, key: str) -> None:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._client = httpx.Client(
            base_url=f"{base_url}/api/v1/", headers=headers, timeout=_TIMEOUT_SECONDS
        )

    def get(self, path: str) -> dict[str, Any]:
        """Return the document at `path`.

        Raises:
            DoorStuck: if the answer is anything else than one.
        """
        return self._document(self._client.get(path), httpx.codes.OK)

    def post(self, path: str, body: dict[str, Any], *, key: str | None) -> httpx.Response:
        """Send `body` under an Idempotency-Key, or without one, and return whatever comes back."""
        headers = {} if key is None else {"Idempotency-Key": key}
        return self._client.post(path, json=body, headers=headers)

    def created(self, path: str, body: dict[str, Any], *, key: str) -> dict[str, Any]:
        """Send `body` and return what was made of it.

        Raises:
            DoorStuck: if nothing was.
        """
        return self._document(self.post(path, body, key=key), httpx.codes.CREATED)

    def refused(self, path: str, body: dict[str, Any], *, key: str | None, code: str) -> str:
        """Send `body`, which is to be refused with `code`, and return the reason given.

        Raises:
            DoorStuck: if it was taken, or refused for another reason.
        """
        answer = self.post(path, body, key=key)
        problem = answer.json()
        if answer.is_success or problem.get("code") != code:
            raise DoorStuck(f"{path} answered {answer.status_code} {problem}, not {code}.")
        pointed = "; ".join(f"{e['pointer']} {e['detail']}" for e in problem.get("errors", ()))
        return f"{answer.status_code} {code}: {pointed or problem['detail']}"

    def download(self, url: str) -> bytes:
        """Return the file at `url`.

        Raises:
            DoorStuck: if there is none.
        """
        answer = self._client.get(url)
        if answer.status_code != httpx.codes.OK:
            raise DoorStuck(f"{url} answered {answer.status_code}.")
        return answer.content

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_reason: object) -> None:
        self._client.close()

    @staticmethod
    def _document(answer: httpx.Response, status: int) -> dict[str, Any]:
        if answer.status_code != status:
            raise DoorStuck(f"{answer.url} answered {answer.status_code}: {answer.text[:500]}")
        document: dict[str, Any] = answer.json()
        return document


@dataclass
class Form:
    """A form of a page: where it goes, what it holds, and the buttons that send it."""

    action: str
    fields: dict[str, str] = field(default_factory=dict)
    buttons: list[tuple[str, str, bool]] = field(default_factory=list)


class Page(HTMLParser):
    """Reads the forms and messages of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self.messages: list[str] = []
        self._open = False
        self._message_depth = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        if self._message_depth and tag not in {"br", "img", "input", "hr"}:
            self._message_depth += 1
        elif "data-message" in attributes:
            self._message_depth = 1
            self.messages.append("")
        if tag == "form":
            self._open = True
            self.forms.append(Form(attributes.get("action", "")))
        elif self._open and tag == "input" and attributes.get("type") not in {"submit", "file"}:
            if attributes.get("type") not in {"checkbox", "radio"} or "checked" in attributes:
                self.forms[-1].fields[attributes.get("name", "")] = attributes.get("value", "")
        elif self._open and tag == "button":
            button = attributes.get("name", ""), attributes.get("value", "")
            self.forms[-1].buttons.append((*button, "disabled" in attributes))

    def handle_endtag(self, tag: str) -> None:
        if self._message_depth:
            self._message_depth -= 1
        if tag == "form":
            self._open = False

    def handle_data(self, data: str) -> None:
        if self._message_depth:
            self.messages[-1] = " ".join(f"{self.messages[-1]} {data}".split())


def read_page(html: str) -> Page:
    """Return the forms and messages of a page."""
    page = Page()
    page.feed(html)
    return page


class StaffDoor:
    """The pages, as one member of staff uses them after logging in."""

    def __init__(self, base_url: str, username: str, password: str) -> None:
        self._client = httpx.Client(
            base_url=base_url, timeout=_TIMEOUT_SECONDS, follow_redirects=True
        )
        page = self._read(self._client.get("/accounts/login/"))
        form = next(form for form in page.forms if "password" in form.fields)
        answer = self._send("/accounts/login/", form, login=username, password=password)
        if "sessionid" not in self._client.cookies:
            raise DoorStuck(f"{username} could not log in: {answer.status_code}.")

    def press(self, path: str, button: str, **fields: str) -> str:
        """Open the page at `path`, fill in the form with that button, and press it.

        Returns what the page then says. `button` is "name" or "name=value".

        Raises:
            DoorStuck: if there is no such button, or it cannot be pressed.
        """
        page = self._read(self._client.get(path))
        name, _, value = button.partition("=")
        for form in page.forms:
            for its_name, its_value, disabled in form.buttons:
                if (its_name, its_value) == (name, value):
                    if disabled:
                        raise DoorStuck(f"{button} on {path} cannot be pressed.")
                    answer = self._send(path, form, **{name: value}, **fields)
                    return " ".join(self._read(answer).messages)
        raise DoorStuck(f"There is no {button} on {path}.")

    def press_even_so(self, path: str, button: str, **fields: str) -> str:
        """Send what the button would, though it may be out of reach; return what the page says."""
        page = self._read(self._client.get(path))
        token = next(form for form in page.forms if "csrfmiddlewaretoken" in form.fields)
        bare = Form("", {"csrfmiddlewaretoken": token.fields["csrfmiddlewaretoken"]})
        name, _, value = button.partition("=")
        return " ".join(self._read(self._send(path, bare, **{name: value}, **fields)).messages)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_reason: object) -> None:
        self._client.close()

    def _send(self, path: str, form: Form, **fields: str) -> httpx.Response:
        url = urljoin(path, form.action)
        return self._client.post(url, data=form.fields | fields, headers={"Referer": url})

    @staticmethod
    def _read(answer: httpx.Response) -> Page:
        if not answer.is_success:
            raise DoorStuck(f"{answer.url} answered {answer.status_code}.")
        return read_page(answer.text)
