"""Lists in pages that stay in place while new rows come: a cursor, newest first."""

import re
from typing import Final
from uuid import UUID

from drf_spectacular.utils import OpenApiParameter
from rest_framework import exceptions, serializers
from rest_framework.pagination import Cursor, CursorPagination
from rest_framework.request import Request

from issuer.api.errors import ParameterError

LIMIT_DEFAULT: Final = 50
LIMIT_MAX: Final = 200
_FORM: Final = re.compile(r"[1-9][0-9]{0,2}")


class NewestFirst(CursorPagination):
    """Pages by id, which is given in the order of time; `next` and `previous` are addresses."""

    ordering = "-id"
    page_size = LIMIT_DEFAULT
    max_page_size = LIMIT_MAX
    page_size_query_param = "limit"
    cursor_query_param = "cursor"

    def get_page_size(self, request: Request) -> int:
        """Return how many rows a page has.

        Raises:
            ParameterError: if `limit` is not a whole number from 1 to 200.
        """
        text = request.query_params.get("limit", str(LIMIT_DEFAULT))
        if not (_FORM.fullmatch(text) and int(text) <= LIMIT_MAX):
            raise ParameterError({"limit": [f"Must be a whole number from 1 to {LIMIT_MAX}."]})
        return int(text)

    def decode_cursor(self, request: Request) -> Cursor | None:
        """Return where the page begins, if the request says so.

        Raises:
            ParameterError: if `cursor` is not one that we gave.
        """
        refused = ParameterError({"cursor": ["Take it from `next` or `previous`."]})
        try:
            cursor: Cursor | None = super().decode_cursor(request)
            if cursor is not None and cursor.position is not None:
                UUID(str(cursor.position))
        except (exceptions.NotFound, ValueError) as exc:
            raise refused from exc
        return cursor


class PageOutput(serializers.Serializer):
    """A page of a list; what is listed is in `results`."""

    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)


PAGE_PARAMETERS: Final = (
    OpenApiParameter(
        "limit", int, description=f"Rows per page, 1 to {LIMIT_MAX}; {LIMIT_DEFAULT} by default."
    ),
    OpenApiParameter("cursor", str, description="Where to go on; part of `next` and `previous`."),
)
