"""What a stranger sees."""

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from issuer.foundation import actors
from issuer.gate import services as gate
from issuer.gate.models import Cause, GateState, ScopeKind
from issuer.primary_market.states import IssuanceState
from tests.browser.visitors import Visitor
from tests.browser.world import World, reconciled, with_break
from tests.make import primary_market
from tests.reconciliation.test_history import not_known

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

    def test_marks_in_cover_over_time_what_was_shut_and_what_was_not_known(
        self, visitors: Callable[[], Visitor], small_world: World, at: datetime
    ) -> None:
        apple, tesla, _ = small_world.markets
        for market in (apple, tesla):
            primary_market.issuance(market, state=IssuanceState.COMPLETED, at=at)
        reconciled(small_world, at=at)
        for token, effect, hours in (
            (apple.token, GateState.HALTED, 9),
            (tesla.token, GateState.REDEEM_ONLY, 20),
        ):
            gate.place_hold(
                kind=ScopeKind.TOKEN,
                subject_id=token.pk,
                effect=effect,
                cause=Cause.WINDOW,
                reason="A split takes effect.",
                actor=actors.system("tests"),
                at=at - timedelta(hours=hours),
            )
        not_known(apple.token, at=at - timedelta(minutes=750))
        stranger = visitors()

        stranger.open("/#history")

        bands = stranger.page.locator("#history .band")
        assert [band.get_attribute("class") for band in bands.all()] == [
            "band halted",
            "band unknown",
            "band redeem_only",
        ]
        spans = stranger.page.locator("#spans").inner_text()
        assert f"Token {apple.token.symbol}" in spans
        assert "Redeem only" in spans
        assert f"Cover of {apple.token.symbol}" in spans
        stranger.take_pictures("public-history")
        assert stranger.fits()
