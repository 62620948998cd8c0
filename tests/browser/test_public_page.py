"""What a stranger sees."""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal

import pytest

from issuer.primary_market.states import IssuanceState
from tests.browser.visitors import Visitor
from tests.browser.world import World, reconciled, with_break
from tests.make import primary_market

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


class TestPublicPage:
    def test_shows_every_token_at_every_width(
        self, visitors: Callable[[], Visitor], small_world: World, at: datetime
    ) -> None:
        apple, tesla, _ = small_world.markets
        for market, quantity in ((apple, "600"), (tesla, "1250.5")):
            primary_market.issuance(
                market, state=IssuanceState.COMPLETED, quantity=Decimal(quantity), at=at
            )
        run = reconciled(small_world, at=at)
        with_break(run, tesla.token, at=at)
        stranger = visitors()

        stranger.open("/")

        assert "Every AAPLx is backed by 1.0033 shares" in stranger.page.inner_text("main")
        stranger.take_pictures("public")
        assert stranger.fits()
