"""Reading bodies."""

from collections.abc import Mapping
from typing import IO, Any

from rest_framework import exceptions, parsers


class JsonParser(parsers.JSONParser):
    """Reads JSON; what is nested deeper than any reader goes is refused like what is no JSON."""

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        """Return what the body says.

        Raises:
            ParseError: if it is no JSON that can be read.
        """
        try:
            return super().parse(stream, media_type, parser_context)
        except RecursionError as exc:
            raise exceptions.ParseError("JSON parse error - Nested too deeply") from exc
