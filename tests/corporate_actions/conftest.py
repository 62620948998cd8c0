"""What these tests stand on."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.corporate_actions.backed import Backed


@pytest.fixture
def backed(at: datetime) -> Backed:
    """602 shares for 600 tokens on two chains; for tests with the database."""
    from tests.corporate_actions import backed  # needs models, so not before Django is set up

    return backed.backed_at(at)
