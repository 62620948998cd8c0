"""What each role sees and does."""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal

import pytest

from issuer.gate.models import GateState, ScopeKind
from issuer.primary_market.states import IssuanceState
from tests.browser.visitors import Visitor
from tests.browser.world import World, reconciled, with_break
from tests.make import gate, primary_market
from tests.make.people import PASSWORD

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


class TestApproval:
    def test_takes_two_persons(
        self, visitors: Callable[[], Visitor], small_world: World, at: datetime
    ) -> None:
        apple, tesla, nvidia = small_world.markets
        primary_market.issuance(apple, state=IssuanceState.COMPLETED, quantity=Decimal(1200), at=at)
        primary_market.issuance(nvidia, quantity=Decimal(40), client_reference="K-1044", at=at)
        funded = primary_market.issuance(
            apple,
            state=IssuanceState.FUNDED,
            quantity=Decimal("600.5"),
            client_reference="K-1042",
            at=at,
        )
        run = reconciled(small_world, at=at)
        with_break(run, tesla.token, at=at)
        gate.hold(ScopeKind.TOKEN, tesla.token.pk, effect=GateState.REDEEM_ONLY)

        officer = visitors()
        officer.open("/admin/")
        officer.take_pictures("login")
        officer.log_in("operations", PASSWORD)
        assert "Waits for you (3)" in officer.page.inner_text("main, #main")
        officer.take_pictures("today-operations")
        assert officer.fits()
        officer.page.get_by_role("link", name="Propose issuance").click()
        officer.take_pictures("request-funded")
        assert officer.fits()
        officer.page.get_by_role("button", name="Propose for approval").click()
        officer.take_pictures("request-proposed")
        assert "You proposed this" not in officer.page.inner_text("#main")

        approver = visitors()
        approver.open("/admin/")
        approver.log_in("approver", PASSWORD)
        approver.page.get_by_role("link", name="Confirm issuance").click()
        approver.take_pictures("request-to-confirm")
        approver.page.get_by_role("button", name="Confirm and sign").click()
        approver.take_pictures("request-approved")

        funded.refresh_from_db()
        assert funded.state == IssuanceState.APPROVED
