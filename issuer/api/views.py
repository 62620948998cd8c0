"""What every resource of the interface is made of."""

import hashlib
from collections.abc import Callable
from typing import Any, Final

from django.db.models import QuerySet
from django.http import Http404
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from issuer.api import problems
from issuer.api.authentication import KeyAuthentication, ScopeOfMethod
from issuer.api.errors import ParameterError, RequestTooLarge
from issuer.api.pagination import NewestFirst
from issuer.api.parsers import JsonParser

BODY_BYTES_MAX: Final = 64 * 1024


class ApiView(APIView):
    """A resource that anybody may read."""

    authentication_classes: Any = ()
    permission_classes: Any = ()
    parser_classes: Any = (JsonParser,)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Refuse a body that is too large before it is read, and text that no column can hold.

        Raises:
            RequestTooLarge: if the body is too large.
            Http404, ParameterError: if the path or a query parameter has a NUL in it.
        """
        if int(request.META.get("CONTENT_LENGTH") or 0) > BODY_BYTES_MAX:
            raise RequestTooLarge(f"A body has at most {BODY_BYTES_MAX} bytes.")
        if any("\0" in str(part) for part in kwargs.values()):
            raise Http404
        for name, text in request.query_params.items():
            if "\0" in text:
                raise ParameterError({name: ["Must not have a NUL in it."]})
        super().initial(request, *args, **kwargs)

    def get_exception_handler(self) -> Callable[..., Any]:
        return problems.to_problem_response


class PartnerView(ApiView):
    """A resource that partners reach with a key of the right scope."""

    authentication_classes = (KeyAuthentication,)
    permission_classes = (ScopeOfMethod,)


def page_of(
    rows: QuerySet[Any], request: Request, view: APIView, *, output: Callable[[Any], Any]
) -> Response:
    """Return one page of `rows`, each as `output` shows it."""
    pages = NewestFirst()
    page = pages.paginate_queryset(rows, request, view=view) or []
    return pages.get_paginated_response([output(row) for row in page])


def unless_known(request: Request, document: Any, *, tagged: Any) -> Response:
    """Return `document`, or 304 without it if the caller has what `tagged` is the gist of.

    The tag is a weak one: documents that differ outside of `tagged` stand for the same figures.
    """
    digest = hashlib.sha256(JSONRenderer().render(tagged)).hexdigest()
    tag = f'W/"{digest[:32]}"'
    headers = {"ETag": tag, "Cache-Control": "public, no-cache"}
    known = {each.strip() for each in request.headers.get("If-None-Match", "").split(",")}
    if known & {tag, "*"}:
        return Response(status=304, headers=headers)
    return Response(document, headers=headers)
