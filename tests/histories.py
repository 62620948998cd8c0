"""How many random histories are tried: a few with every test run, many by `make soak`."""

import os
from collections.abc import Callable
from typing import Any, Final

import pytest
from hypothesis import settings

SOAKING: Final = os.environ.get("HISTORIES") == "soak"
#: So many times more, when there is an hour.
_FACTOR: Final = 20


def tried(examples: int) -> Callable[[Any], Any]:
    """Try `examples` of a property whose examples take long, or many more when soaking."""

    def mark(test: Any) -> Any:
        limited = settings(max_examples=examples * (_FACTOR if SOAKING else 1), deadline=None)
        return pytest.mark.history(limited(test))

    return mark
