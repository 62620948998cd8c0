"""What the tests of this room stand on; all of them have a database."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from issuer.foundation import clock

if TYPE_CHECKING:
    from tests.make.api import Partner
    from tests.make.primary_market import Market


@pytest.fixture
def market() -> Market:
    """One participant, one token, one network, as of now, for the door asks the clock."""
    from tests.make import primary_market  # needs models, so not before Django is set up

    return primary_market.market(at=clock.now())


@pytest.fixture
def door(market: Market) -> Partner:
    """The participant of the market, with a key for everything."""
    from tests.make import api

    return api.Partner(api.key(market.participant, at=clock.now())[1])


@pytest.fixture
def anybody() -> Partner:
    """Somebody without a key."""
    from tests.make import api

    return api.Partner()
