"""What the tests of the machine room stand on."""

from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from django.db import transaction

from tests.operations.directories import open_to_others

if TYPE_CHECKING:
    from issuer.events.models import Event


@pytest.fixture
def open_directory() -> Iterator[Path]:
    """A directory that the database's account may enter."""
    with open_to_others() as directory:
        yield directory


@pytest.fixture
def happen(at: datetime) -> "Callable[..., Event]":
    """Record an event in a transaction of its own; a hold on a gate unless another is named."""
    from issuer.events import services as events  # needs models, so not before Django is set up
    from tests.make.people import person

    def happen(event_type: str = "gate.hold_placed", **data: str) -> "Event":
        subject = person()
        with transaction.atomic():
            return events.record(event_type, subject=subject, at=at, **data)

    return happen
