"""Refusals as the outside reads them: RFC 9457 problem details.

The only place that knows status codes of refusals.
"""

import importlib
from collections.abc import Iterator, Mapping
from functools import cache
from http import HTTPStatus
from importlib.util import find_spec
from typing import Any, Final

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.views import defaults
from psycopg import errors as psycopg_errors
from rest_framework import exceptions, views
from rest_framework.response import Response

from issuer.api.errors import (
    Busy,
    ParameterError,
    TooLarge,
    Unauthenticated,
    Unreadable,
)
from issuer.foundation import errors

CONTENT_TYPE: Final = "application/problem+json"
API_ROOT: Final = "/api/"

STATUS_OF_KIND: Final[Mapping[type[errors.DomainError], HTTPStatus]] = {
    Unreadable: HTTPStatus.BAD_REQUEST,
    Unauthenticated: HTTPStatus.UNAUTHORIZED,
    errors.Forbidden: HTTPStatus.FORBIDDEN,
    errors.Missing: HTTPStatus.NOT_FOUND,
    errors.Conflict: HTTPStatus.CONFLICT,
    TooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    errors.Rejected: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.Unavailable: HTTPStatus.SERVICE_UNAVAILABLE,
}
#: How long a client should wait before it asks again for what is unavailable now.
RETRY_AFTER_SECONDS: Final = 5

#: What the protocol itself refuses: code by the type that the framework raises.
_OF_PROTOCOL: Final[Mapping[type[Exception], tuple[str, HTTPStatus, str]]] = {
    exceptions.ValidationError: (
        "invalid-request",
        HTTPStatus.BAD_REQUEST,
        "The request is not valid",
    ),
    exceptions.ParseError: (
        "malformed-json",
        HTTPStatus.BAD_REQUEST,
        "The body is not well-formed JSON",
    ),
    Http404: ("not-found", HTTPStatus.NOT_FOUND, "There is nothing at this address"),
    exceptions.NotFound: ("not-found", HTTPStatus.NOT_FOUND, "There is nothing at this address"),
    exceptions.MethodNotAllowed: (
        "method-not-allowed",
        HTTPStatus.METHOD_NOT_ALLOWED,
        "The address does not know this method",
    ),
    exceptions.NotAcceptable: (
        "not-acceptable",
        HTTPStatus.NOT_ACCEPTABLE,
        "There is no answer of the type asked for",
    ),
    exceptions.UnsupportedMediaType: (
        "unsupported-media-type",
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        "The body is not of type application/json",
    ),
}
INTERNAL_ERROR: Final = ("internal-error", "Something went wrong on our side")


def to_problem_response(exc: Exception, _context: Mapping[str, Any]) -> Response | None:
    """Translate an anticipated failure; return None for the rest, which stays a 500."""
    if isinstance(exc.__cause__, psycopg_errors.LockNotAvailable):
        exc = Busy("Another request holds what this one needs; nothing was changed.")
    if isinstance(exc, errors.DomainError):
        views.set_rollback()
        return _refusal(exc)
    known = next((kind for kind in _OF_PROTOCOL if isinstance(exc, kind)), None)
    if known is None:
        return None
    views.set_rollback()
    return _protocol_problem(exc, *_OF_PROTOCOL[known])


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer for an address that no view serves: a problem under the API, else a page."""
    if not request.path.startswith(API_ROOT):
        return defaults.page_not_found(request, exception)
    code, status, title = _OF_PROTOCOL[Http404]
    return _plain(body(status, code, title, f"No resource is at {request.path}."), status)


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer for a bug: a problem under the API, else a page; neither tells what broke."""
    if not request.path.startswith(API_ROOT):
        return defaults.server_error(request)
    code, title = INTERNAL_ERROR
    status = HTTPStatus.INTERNAL_SERVER_ERROR
    return _plain(body(status, code, title, "We have been told, and look into it."), status)


def status_of(refusal: type[errors.DomainError]) -> HTTPStatus:
    """Return the status that stands for a refusal."""
    return next(status for kind, status in STATUS_OF_KIND.items() if issubclass(refusal, kind))


@cache
def catalog() -> Mapping[str, tuple[HTTPStatus, str]]:
    """Return status and title of every code that may stand in a problem."""
    for room in settings.ROOMS:
        name = f"issuer.{room}.errors"
        if find_spec(name) is not None:
            importlib.import_module(name)
    found = {one.code: (status_of(one), one.title) for one in _refusals(errors.DomainError)}
    found |= {code: (status, title) for code, status, title in _OF_PROTOCOL.values()}
    code, title = INTERNAL_ERROR
    return dict(sorted((found | {code: (HTTPStatus.INTERNAL_SERVER_ERROR, title)}).items()))


def address_of(code: str) -> str:
    """Return where a code is explained, which is also the `type` of its problems."""
    return f"{settings.PUBLIC_URL}/problems/{code}"


def body(status: HTTPStatus, code: str, title: str, detail: str, **extra: Any) -> dict[str, Any]:
    """Return a problem details object (RFC 9457)."""
    return {
        "type": address_of(code),
        "title": title,
        "status": status.value,
        "detail": detail,
        "code": code,
        **extra,
    }


def _refusals(kind: type[errors.DomainError]) -> Iterator[type[errors.DomainError]]:
    for refusal in kind.__subclasses__():
        if "code" in vars(refusal):
            yield refusal
        yield from _refusals(refusal)


def _refusal(refusal: errors.DomainError) -> Response:
    status = status_of(type(refusal))
    problem = body(status, refusal.code, refusal.title, refusal.detail, facts=refusal.facts)
    response = Response(problem, status=status.value, content_type=CONTENT_TYPE)
    if status == HTTPStatus.UNAUTHORIZED:
        response["WWW-Authenticate"] = "Bearer"
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        response["Retry-After"] = str(RETRY_AFTER_SECONDS)
    return response


def _protocol_problem(exc: Exception, code: str, status: HTTPStatus, title: str) -> Response:
    if isinstance(exc, exceptions.ValidationError):
        detail = "See `errors`: each says where in the request, and what."
        found = _parameters(exc.detail) if isinstance(exc, ParameterError) else _places(exc.detail)
        problem = body(status, code, title, detail, errors=list(found))
    else:
        problem = body(status, code, title, str(getattr(exc, "detail", "") or title))
    return Response(problem, status=status.value, content_type=CONTENT_TYPE)


def _parameters(detail: Any) -> Iterator[dict[str, str]]:
    """Yield which query parameter and what for each message."""
    for name, messages in detail.items():
        for message in messages:
            yield {"parameter": name, "detail": str(message), "code": message.code}


def _places(detail: Any, pointer: str = "") -> Iterator[dict[str, str]]:
    """Yield where and what for each message in a tree of the framework's error details."""
    match detail:
        case Mapping():
            for key, child in detail.items():
                step = "" if key == "non_field_errors" else f"/{_escaped(str(key))}"
                yield from _places(child, pointer + step)
        case list() | tuple():
            for message in detail:
                yield {"pointer": f"#{pointer}", "detail": str(message), "code": message.code}


def _escaped(key: str) -> str:
    """Return `key` as a step of a JSON Pointer (RFC 6901); half a character shows as `?`."""
    text = key.encode(errors="replace").decode()
    return text.replace("~", "~0").replace("/", "~1")


def _plain(problem: dict[str, Any], status: HTTPStatus) -> JsonResponse:
    return JsonResponse(problem, status=status.value, content_type=CONTENT_TYPE)
