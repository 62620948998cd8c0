"""Custody and reconciliation as staff see them."""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal

import pytest
from playwright.sync_api import FilePayload

from issuer.custody.models import Statement
from issuer.primary_market.states import IssuanceState
from issuer.reconciliation.models import Break
from tests.browser.visitors import Visitor
from tests.browser.world import World
from tests.make import custody, primary_market, reconciliation, reserves
from tests.make.people import PASSWORD

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

Visitors = Callable[[], Visitor]


class TestDroppingAStatement:
    def test_is_looked_at_before_it_is_taken_in(
        self, visitors: Visitors, small_world: World, at: datetime
    ) -> None:
        market = small_world.markets[0]
        primary_market.issuance(market, state=IssuanceState.ACCEPTED, at=at)
        account = market.account
        before = account.custodian.statements.get()
        raw = custody.statement_file(
            account.custodian,
            [custody.line(account, custody.booked(account) + 600)],
            as_of_date=at.date(),
            supersedes=before.reference,
        )
        officer = visitors()
        officer.log_in(small_world.operations.username, PASSWORD)
        page = officer.page

        def drop(name: str, content: bytes) -> None:
            officer.open("/admin/custody/statement/add/")
            page.get_by_role("combobox", name="Custodian").select_option(str(account.custodian.pk))
            file = FilePayload(name=name, mimeType="text/csv", buffer=content)
            page.locator("input[type=file]").set_input_files(file)
            page.get_by_role("button", name="Look at the file").click()

        officer.take_pictures_of("/admin/custody/statement/add/", "drop")
        drop("cut-off.csv", raw[:-9])
        page.get_by_text("A part of the statement is missing").wait_for()
        officer.take_pictures("drop-refused")
        drop("statement.csv", raw)
        page.get_by_text("Not taken in yet").wait_for()
        assert officer.fits()
        officer.take_pictures("drop-preview")
        assert Statement.objects.filter(custodian=account.custodian).count() == 1

        page.get_by_role("button", name="Take it in").click()

        page.wait_for_url("**/change/")
        assert custody.booked(account) == Decimal(602)
        officer.take_pictures("statement")
        officer.take_pictures_of("/admin/custody/settlementinstruction/", "instructions")
        officer.take_pictures_of("/admin/custody/position/", "positions")


class TestReconciliation:
    def test_is_written_line_by_line_with_breaks_above(
        self, visitors: Visitors, small_world: World, at: datetime
    ) -> None:
        apple, tesla, _ = small_world.markets
        primary_market.issuance(apple, state=IssuanceState.FUNDED, at=at)
        primary_market.issuance(apple, state=IssuanceState.ACCEPTED, quantity=Decimal(40), at=at)
        reserves.supply(tesla.deployment, Decimal("7.000000000000000001"), at=at)
        run = reconciliation.run(small_world.program, at=at)
        auditor = visitors()
        auditor.log_in(small_world.auditor.username, PASSWORD)

        auditor.open(f"/admin/reconciliation/run/{run.pk}/change/")

        assert "Tokens: chain against register" in auditor.text()
        assert "SUP-OVER" in auditor.text()
        auditor.take_pictures("reconciliation")
        assert auditor.fits()
        auditor.take_pictures_of("/admin/reconciliation/run/", "runs")
        auditor.take_pictures_of("/admin/reconciliation/break/", "breaks")
        found = Break.objects.filter(code="SUP-OVER").get()
        auditor.take_pictures_of(f"/admin/reconciliation/break/{found.pk}/change/", "break")
