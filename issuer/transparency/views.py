"""The public pages: read by anybody, without login, scripts or traces."""

import functools
import hashlib
from collections.abc import Callable
from typing import Any, Final

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.utils.cache import get_conditional_response
from django.utils.http import quote_etag
from django.views.decorators.http import require_safe

from issuer.attestation import selectors as attestations
from issuer.attestation.models import Attestation, Exhibit
from issuer.attestation.package import verify_offline
from issuer.attestation.packaging import enclosed
from issuer.foundation import clock
from issuer.transparency.reserves import public_reserves, published_attestations

#: Nothing but our own style and pictures: the page runs no script, and calls nobody.
CONTENT_SECURITY_POLICY: Final = (
    "default-src 'none'; style-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
#: How long a reader may keep what changes; seconds.
PAGE_AGE: Final = 15
#: How long a reader may keep what never does.
FILE_AGE: Final = 365 * 24 * 3600

View = Callable[..., HttpResponse]


def public(*, max_age: int) -> Callable[[View], Callable[..., HttpResponseBase]]:
    """Make a view answer anybody, to be kept `max_age` seconds, and not again if unchanged."""

    def decorate(view: View) -> Callable[..., HttpResponseBase]:
        @require_safe
        @functools.wraps(view)
        def wrapper(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            response = view(request, *args, **kwargs)
            etag = quote_etag(hashlib.sha256(response.content).hexdigest())
            response["ETag"] = etag
            response["Cache-Control"] = f"public, max-age={max_age}"
            response["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
            response["Access-Control-Allow-Origin"] = "*"
            return get_conditional_response(request, etag=etag, response=response) or response

        return wrapper

    return decorate


@public(max_age=PAGE_AGE)
def reserves(request: HttpRequest) -> HttpResponse:
    """The proof of reserves, in words and figures."""
    page = public_reserves(at=clock.now())
    return render(request, "transparency/reserves.html", {"page": page})


@public(max_age=PAGE_AGE)
def attestation(request: HttpRequest, program: str, sequence: int) -> HttpResponse:
    """One statement: what it says in short, what became of it, its files and how to check it."""
    found = _published(program, sequence)
    context = {
        "attestation": found,
        "document": attestations.content_of(found),
        "successor": found.successors.filter(state__in=attestations.OUT).first(),
        "files": found.exhibits.defer("content").order_by("name"),
        "at": clock.now(),
    }
    return render(request, "transparency/attestation.html", context)


@public(max_age=FILE_AGE)
def exhibit(_request: HttpRequest, program: str, sequence: int, name: str) -> HttpResponse:
    """One file of a published package, byte for byte."""
    attestation = _published(program, sequence)
    file = get_object_or_404(Exhibit, attestation=attestation, name=name)
    return _file(bytes(file.content), media_type=file.media_type, name=name)


@public(max_age=FILE_AGE)
def package(_request: HttpRequest, program: str, sequence: int) -> HttpResponse:
    """A published package as one ZIP file."""
    attestation = _published(program, sequence)
    name = f"{attestations.folder_name(attestation)}.zip"
    content = attestations.package_zip(attestation)
    response = _file(content, media_type="application/zip", name=name)
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


@public(max_age=PAGE_AGE)
def keys(_request: HttpRequest) -> HttpResponse:
    """The public keys of the issuer's statements, as the checker reads them."""
    return _file(attestations.keys_file(), media_type="application/json", name="keys.json")


@public(max_age=PAGE_AGE)
def schema(_request: HttpRequest) -> HttpResponse:
    """The JSON Schema of statements."""
    content = enclosed(verify_offline.SCHEMA)
    return _file(content, media_type="application/schema+json", name=verify_offline.SCHEMA)


@public(max_age=PAGE_AGE)
def checker(_request: HttpRequest) -> HttpResponse:
    """The checker, to be read and kept by whoever will use it."""
    content = enclosed("verify_offline.py")
    return _file(content, media_type="text/plain; charset=utf-8", name="verify_offline.py")


def _published(program: str, sequence: int) -> Attestation:
    return get_object_or_404(published_attestations(), program__code=program, sequence=sequence)


def _file(content: bytes, *, media_type: str, name: str) -> HttpResponse:
    response = HttpResponse(content, content_type=media_type)
    response["Content-Disposition"] = f'inline; filename="{name}"'
    return response
