"""What each role sees and does."""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal

import pytest

from issuer.attestation import services as attestations
from issuer.attestation.models import Attestation
from issuer.foundation import actors
from issuer.gate.models import GateState, ScopeKind
from issuer.primary_market.models import IssuanceRequest
from issuer.primary_market.states import IssuanceState
from tests.browser.visitors import Visitor
from tests.browser.world import World, reconciled, with_break
from tests.make import attestation, gate, primary_market, reconciliation
from tests.make.people import PASSWORD

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

Visitors = Callable[[], Visitor]


def funded(world: World, *, at: datetime) -> IssuanceRequest:
    """Return a request for 600.5 AAPLx that waits to be proposed."""
    return primary_market.issuance(
        world.markets[0],
        state=IssuanceState.FUNDED,
        quantity=Decimal("600.5"),
        client_reference="K-1042",
        at=at,
    )


def logged_in(visitors: Visitors, username: str) -> Visitor:
    visitor = visitors()
    visitor.log_in(username, PASSWORD)
    return visitor


class TestToday:
    def test_has_for_each_role_what_waits_for_it(
        self, visitors: Visitors, small_world: World, at: datetime
    ) -> None:
        apple, tesla, nvidia = small_world.markets
        primary_market.issuance(apple, state=IssuanceState.COMPLETED, quantity=Decimal(1200), at=at)
        primary_market.issuance(nvidia, quantity=Decimal(40), client_reference="K-1044", at=at)
        funded(small_world, at=at)
        with_break(reconciled(small_world, at=at), tesla.token, at=at)
        gate.hold(ScopeKind.TOKEN, tesla.token.pk, effect=GateState.REDEEM_ONLY)

        for username, waiting in (
            ("operations", 3),
            ("approver", 2),
            ("compliance", 0),
            ("auditor", 0),
        ):
            visitor = logged_in(visitors, username)

            assert f"Waits for you ({waiting})" in visitor.text()
            assert visitor.fits()
            visitor.take_pictures(f"today-{username}")


class TestApproval:
    def test_takes_two_persons(self, visitors: Visitors, small_world: World, at: datetime) -> None:
        request = funded(small_world, at=at)

        officer = logged_in(visitors, "operations")
        officer.page.get_by_role("link", name="Propose issuance").click()
        officer.take_pictures("request-funded")
        assert officer.fits()
        officer.page.get_by_role("button", name="Propose for approval").click()
        assert "Propose for approval: done." in officer.text()
        assert officer.page.get_by_role("button", name="Confirm and sign").is_disabled()
        assert "This takes the role of approver." in officer.text()

        approver = logged_in(visitors, "approver")
        approver.page.get_by_role("link", name="Confirm issuance").click()
        approver.take_pictures("request-to-confirm")
        approver.page.get_by_role("button", name="Confirm and sign").click()
        assert "Confirm and sign: done." in approver.text()
        approver.take_pictures("request-approved")
        request.refresh_from_db()
        assert request.state == IssuanceState.APPROVED

    def test_refuses_the_person_who_proposed(
        self, visitors: Visitors, small_world: World, at: datetime
    ) -> None:
        request = funded(small_world, at=at)

        approver = logged_in(visitors, "approver")
        approver.page.get_by_role("link", name="Propose issuance").click()
        approver.page.get_by_role("button", name="Propose for approval").click()

        assert approver.page.get_by_role("button", name="Confirm and sign").is_disabled()
        assert "You proposed this; another person has to confirm it." in approver.text()
        approver.take_pictures("request-same-person")
        request.refresh_from_db()
        assert request.state == IssuanceState.FUNDED

    def test_is_reached_by_keyboard_alone(
        self, visitors: Visitors, small_world: World, at: datetime
    ) -> None:
        request = funded(small_world, at=at)
        officer = logged_in(visitors, "operations")

        officer.tab_to("Propose issuance")
        officer.page.keyboard.press("Enter")
        officer.page.wait_for_url("**/issuancerequest/**")
        officer.tab_to("Propose for approval", role="BUTTON")
        officer.page.keyboard.press("Enter")
        officer.page.get_by_text("Propose for approval: done.").wait_for()

        request.refresh_from_db()
        assert request.state == IssuanceState.FUNDED
        assert officer.page.get_by_text("A second officer confirms it.").is_visible()


class TestCompliance:
    def test_freezes_with_a_reason(
        self, visitors: Visitors, small_world: World, at: datetime
    ) -> None:
        request = funded(small_world, at=at)

        officer = logged_in(visitors, "compliance")
        officer.open(f"/admin/primary_market/issuancerequest/{request.pk}/change/")
        officer.page.get_by_text("Freeze", exact=True).first.click()
        officer.page.get_by_label("Reason").fill("A sanctions list names a director.")
        officer.take_pictures("request-freeze")
        officer.page.get_by_role("button", name="Freeze").click()

        assert "The request is frozen: A sanctions list names a director." in officer.text()


class TestAttestation:
    def test_is_proposed_confirmed_and_read_by_a_stranger(
        self, visitors: Visitors, small_world: World, at: datetime
    ) -> None:
        primary_market.issuance(
            small_world.markets[0], state=IssuanceState.COMPLETED, quantity=Decimal(600), at=at
        )
        reconciliation.run(small_world.program, at=at)

        officer = logged_in(visitors, "operations")
        officer.page.get_by_role("link", name="Propose attestation").click()
        officer.take_pictures("attestations")
        officer.open("/admin/attestation/attestation/add/")
        officer.page.get_by_label("Program").select_option(label=str(small_world.program))
        officer.take_pictures("attestation-propose")
        officer.page.get_by_role("button", name="Propose attestation").click()
        officer.take_pictures("attestation-frozen")

        approver = logged_in(visitors, "approver")
        approver.page.get_by_role("link", name="Confirm attestation").click()
        approver.page.get_by_role("link", name="Confirm", exact=True).click()
        approver.take_pictures("attestation-confirm")
        approver.page.get_by_role("button", name="Confirm", exact=True).click()

        statement = Attestation.objects.get()
        files = attestations.assemble(statement, signer=attestation.SIGNER)
        system = actors.system("tests")
        attestations.sign(statement.pk, files=files, actor=system, at=at)
        attestations.publish(statement.pk, actor=system, at=at)

        stranger = visitors()
        stranger.open("/")
        stranger.take_pictures("public-attested")
        address = stranger.page.get_by_role("link", name="PDF").get_attribute("href")
        pdf = stranger.page.request.get(f"{stranger.address}{address}")
        assert pdf.body() == files["statement.pdf"]


class TestOwnLogin:
    def test_sets_up_a_second_factor(self, visitors: Visitors, small_world: World) -> None:
        visitors().take_pictures_of("/admin/", "login")
        auditor = logged_in(visitors, "auditor")

        auditor.open("/accounts/2fa/")
        auditor.take_pictures("second-factor")
        assert auditor.fits()
        auditor.open("/accounts/2fa/totp/activate/")
        auditor.take_pictures("second-factor-totp")
        auditor.open("/accounts/password/change/")
        auditor.take_pictures("password")
        auditor.open("/admin/ledger/account/")
        auditor.take_pictures("list")
        auditor.open("/nowhere/")
        auditor.take_pictures("not-found")

        assert "Nothing is here" in auditor.text()
