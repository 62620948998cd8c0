"""Writes are carried out at most once per participant and Idempotency-Key."""

import hashlib
import json
import re
from collections.abc import Callable
from functools import wraps
from typing import Any, Final

from django.db import transaction
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from issuer.api.authentication import caller_of
from issuer.api.errors import IdempotencyKeyMissing, IdempotencyKeyReused
from issuer.api.models import ServedRequest
from issuer.foundation import clock

HEADER: Final = "Idempotency-Key"
REPLAYED: Final = "Idempotent-Replayed"
_FORM: Final = re.compile(r"[!-~]{1,128}")

Handler = Callable[..., Response]


def idempotent(handler: Handler) -> Handler:
    """Carry `handler` out at most once per participant and Idempotency-Key.

    The key and all that `handler` writes are committed together. Of two requests that arrive at
    once, the second waits in PostgreSQL for the first and then repeats its answer; a request that
    is refused leaves no key behind.
    """

    @wraps(handler)
    def wrapper(view: Any, request: Request, *args: Any, **kwargs: Any) -> Response:
        key = request.headers.get(HEADER, "")
        if not _FORM.fullmatch(key):
            raise IdempotencyKeyMissing(
                f"Send {HEADER}: 1 to 128 printable ASCII characters that stand for this request."
            )
        fingerprint = _fingerprint(request)
        with transaction.atomic():
            served, first = ServedRequest.objects.get_or_create(
                participant=caller_of(request).participant,
                idempotency_key=key,
                defaults={"fingerprint": fingerprint, "served_at": clock.now()},
            )
            if first:
                response = handler(view, request, *args, **kwargs)
                served.status = response.status_code
                served.body = JSONRenderer().render(response.data).decode()
                served.save(update_fields=["status", "body"])
                return response
        if served.fingerprint != fingerprint:
            raise IdempotencyKeyReused("Another request was sent under this key; use a new one.")
        return Response(json.loads(served.body), status=served.status, headers={REPLAYED: "true"})

    return wrapper


def _fingerprint(request: Request) -> str:
    digest = hashlib.sha256(f"{request.method} {request.get_full_path()}\n".encode())
    digest.update(request.body)
    return digest.hexdigest()
