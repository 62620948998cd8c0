"""What the tests of the machine room stand on."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.operations.directories import open_to_others


@pytest.fixture
def open_directory() -> Iterator[Path]:
    """A directory that the database's account may enter."""
    with open_to_others() as directory:
        yield directory
