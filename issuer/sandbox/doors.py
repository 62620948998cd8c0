"""The doors as those outside use them: the partner's API client, and a browser without a window."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any, Final, Self
from urllib.parse import urljoin

import httpx

_TIMEOUT_SECONDS: Final = 30
_LOGIN: Final = "/accounts/login/"
_CSRF_FIELD: Final = "csrfmiddlewaretoken"


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

    def find(self, path: str) -> dict[str, Any] | None:
        """Return the document at `path`, or None while the house says that it is unavailable.

        Raises:
            DoorStuck: if the answer is anything else.
        """
        answer = self._client.get(path)
        if answer.status_code == httpx.codes.SERVICE_UNAVAILABLE:
            return None
        return self._document(answer, httpx.codes.OK)

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
    """A form of a page: where it goes, and what it holds before anybody fills it in."""

    action: str
    fields: dict[str, str] = field(default_factory=dict)


class Page(HTMLParser):
    """The forms of a page, and the messages that tell what became of the last one sent."""

    _MESSAGE_STYLES: Final = frozenset({"errornote", "bg-green-100"})
    _VOID: Final = frozenset({"br", "hr", "img", "input", "link", "meta"})

    def __init__(self, html: str) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self.messages: list[str] = []
        self._in_form = False
        self._message_depth = 0
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        if self._message_depth:
            self._message_depth += tag not in self._VOID
        elif self._MESSAGE_STYLES & set(attributes.get("class", "").split()):
            self._message_depth = 1
            self.messages.append("")
        if tag == "form":
            self._in_form = True
            self.forms.append(Form(attributes.get("action", "")))
        elif tag == "input" and self._in_form and _is_sent(attributes):
            self.forms[-1].fields[attributes["name"]] = attributes.get("value", "")

    def handle_endtag(self, tag: str) -> None:
        if self._message_depth:
            self._message_depth -= 1
        if tag == "form":
            self._in_form = False

    def handle_data(self, data: str) -> None:
        if self._message_depth:
            self.messages[-1] = " ".join(f"{self.messages[-1]} {data}".split())


class StaffDoor:
    """The pages, as one member of staff uses them after logging in."""

    def __init__(self, base_url: str, username: str, password: str) -> None:
        self._client = httpx.Client(
            base_url=base_url, timeout=_TIMEOUT_SECONDS, follow_redirects=True
        )
        self.send(_LOGIN, _LOGIN, login=username, password=password)
        if "sessionid" not in self._client.cookies:
            raise DoorStuck(f"{username} could not log in.")

    def send(self, path: str, action: str = "", **fields: str | list[str]) -> str:
        """Open the page at `path`, fill in its form that goes to `action`, and send it.

        Returns what the page then says.

        Raises:
            DoorStuck: if a page is not to be had, or has no such form.
        """
        for form in self._page(path).forms:
            if form.action == action and _CSRF_FIELD in form.fields:
                return self._post(urljoin(path, action), form.fields | fields)
        raise DoorStuck(f"There is no form for {action or 'itself'} on {path}.")

    def send_even_so(self, path: str, action: str, **fields: str) -> str:
        """Send to `action` though the page at `path` offers no such form; return what it says."""
        form = next(form for form in self._page(path).forms if _CSRF_FIELD in form.fields)
        return self._post(action, {_CSRF_FIELD: form.fields[_CSRF_FIELD]} | fields)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_reason: object) -> None:
        self._client.close()

    def _page(self, path: str) -> Page:
        return self._read(self._client.get(path))

    def _post(self, path: str, fields: Mapping[str, str | list[str]]) -> str:
        answer = self._client.post(path, data=fields, headers={"Referer": path})
        return " ".join(self._read(answer).messages)

    @staticmethod
    def _read(answer: httpx.Response) -> Page:
        if not answer.is_success:
            raise DoorStuck(f"{answer.url} answered {answer.status_code}.")
        return Page(answer.text)


def _is_sent(attributes: dict[str, str]) -> bool:
    """Say whether a browser would send this input as it stands."""
    kind = attributes.get("type", "text")
    if "name" not in attributes or kind in {"submit", "file", "button"}:
        return False
    return kind not in {"checkbox", "radio"} or "checked" in attributes
