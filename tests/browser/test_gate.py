"""A halt by one button, what it looks like, and going on by two persons."""

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from issuer.foundation import clock
from issuer.gate.models import Hold
from issuer.primary_market.states import IssuanceState, RedemptionState
from issuer.reconciliation.models import Break
from issuer.reconciliation.states import BreakState
from tests.browser.visitors import Visitor
from tests.browser.world import World
from tests.make import primary_market, reconciliation, redemptions, reserves
from tests.make.people import PASSWORD

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

Visitors = Callable[[], Visitor]


def logged_in(visitors: Visitors, username: str) -> Visitor:
    visitor = visitors()
    visitor.log_in(username, PASSWORD)
    return visitor


class TestHalt:
    def test_is_one_click_and_a_reason_and_turns_today_red(
        self, visitors: Visitors, small_world: World, at: datetime
    ) -> None:
        primary_market.issuance(small_world.markets[0], state=IssuanceState.COMPLETED, at=at)

        officer = logged_in(visitors, "compliance")
        officer.tab_to("Halt…")
        officer.page.keyboard.press("Enter")
        officer.page.wait_for_url("**/gate/hold/add/")
        officer.take_pictures("halt")
        assert officer.fits()
        officer.page.get_by_label("Reason").fill("A mint that nobody asked for.")
        officer.page.get_by_role("button", name="Halt", exact=True).click()
        officer.page.get_by_text("Done: halt").wait_for()

        officer.open("/admin/")
        assert "A mint that nobody asked for." in officer.page.inner_text(".bo-alarm")
        officer.take_pictures("today-halted")
        assert officer.fits()
        hold = Hold.objects.get()
        assert (hold.effect, hold.released_at) == ("HALTED", None)

    def test_is_not_there_for_an_auditor(self, visitors: Visitors, small_world: World) -> None:
        auditor = logged_in(visitors, "auditor")

        assert auditor.page.get_by_role("link", name="Halt…").count() == 0
        assert auditor.page.locator("main form[method=post], .bo form").count() == 0


class TestGoingOn:
    def test_takes_two_to_close_a_break_and_two_to_resume(
        self, visitors: Visitors, small_world: World, at: datetime
    ) -> None:
        market = small_world.markets[0]
        reserves.supply(market.deployment, Decimal(7), at=at)
        reconciliation.run(small_world.program, at=at)
        officer = logged_in(visitors, "operations")
        assert "shares are owed and not held" in officer.page.inner_text(".bo-alarm")
        officer.take_pictures("today-short")
        assert officer.fits()
        page = f"/admin/instruments/token/{market.token.pk}/change/"
        officer.take_pictures_of(page, "token-short")
        assert officer.fits()

        later = clock.now()
        reserves.supply(market.deployment, Decimal(0), at=later)
        reconciliation.run(small_world.program, at=later + timedelta(seconds=1))
        approver = logged_in(visitors, "approver")
        officer.take_pictures_of("/admin/reconciliation/break/", "break-desk")
        breaks = Break.objects.filter(state=BreakState.OPEN, token=market.token)
        for found in list(breaks):
            act = f"/admin/reconciliation/break/{found.pk}/acts"
            officer.open(f"{act}/propose/")
            officer.page.get_by_role("textbox").last.fill("Tokens were sent back.")
            officer.page.get_by_role("button", name="Propose to close").click()
            officer.page.get_by_text("Done: propose to close").wait_for()
            approver.open(f"{act}/confirm/")
            approver.page.get_by_role("button", name="Confirm that it is closed").click()
            approver.page.get_by_text("Done: confirm that it is closed").wait_for()
        assert not breaks.all().exists()

        officer.take_pictures_of("/admin/gate/scope/", "gates")
        officer.page.locator("#content").get_by_role("link", name=str(market.token)).first.click()
        officer.page.get_by_role("link", name="Propose to resume").click()
        officer.page.get_by_role("textbox").last.fill("Tokens were sent back; books agree.")
        officer.page.get_by_role("button", name="Propose to resume").click()
        officer.page.get_by_text("Done: propose to resume").wait_for()

        approver.open("/admin/")
        approver.page.get_by_role("link", name="Confirm to resume").first.click()
        approver.page.get_by_role("link", name="Confirm and resume").click()
        approver.take_pictures("resume-confirm")
        approver.page.get_by_role("button", name="Confirm and resume").click()
        approver.page.get_by_text("Done: confirm and resume").wait_for()

        assert not Hold.objects.filter(released_at=None, scope__subject_id=market.token.pk).exists()


class TestRedemption:
    def test_is_approved_by_two(self, visitors: Visitors, small_world: World, at: datetime) -> None:
        market = small_world.markets[0]
        primary_market.issuance(market, state=IssuanceState.COMPLETED, quantity=Decimal(600), at=at)
        redemptions.redeemable(market.deployment)
        request = redemptions.redemption(
            market, state=RedemptionState.RECEIVED, client_reference="R-7", at=at
        )
        stray = redemptions.deposit(market, Decimal(10), sender=redemptions.stranger(), at=at)

        officer = logged_in(visitors, "operations")
        officer.take_pictures_of("/admin/primary_market/deposit/", "deposits")
        assert officer.fits()
        officer.take_pictures_of(f"/admin/primary_market/deposit/{stray.pk}/change/", "deposit")
        assert officer.fits()
        officer.open("/admin/")
        officer.page.get_by_role("link", name="Propose redemption").click()
        officer.take_pictures("redemption-received")
        assert officer.fits()
        officer.page.get_by_role("button", name="Propose for approval").click()

        approver = logged_in(visitors, "approver")
        approver.page.get_by_role("link", name="Confirm redemption").click()
        approver.take_pictures("redemption-to-confirm")
        assert approver.fits()
        approver.page.get_by_role("button", name="Confirm and sign").click()
        approver.page.get_by_text("Confirm and sign: done.").wait_for()

        request.refresh_from_db()
        assert request.state == RedemptionState.APPROVED


class TestToken:
    def test_shows_all_of_it_at_every_width(
        self, visitors: Visitors, small_world: World, at: datetime
    ) -> None:
        market = small_world.markets[0]
        primary_market.issuance(
            market, state=IssuanceState.COMPLETED, quantity=Decimal("600.5"), at=at
        )
        for hours in (5, 4, 3, 2, 1, 0):
            reconciliation.run(small_world.program, at=at - timedelta(hours=hours))

        auditor = logged_in(visitors, "auditor")
        auditor.page.locator(".bo-cover").get_by_role("link", name=str(market.token)).click()
        auditor.take_pictures("token")

        assert auditor.fits()
        assert auditor.page.locator("main form[method=post], .bo form").count() == 0
