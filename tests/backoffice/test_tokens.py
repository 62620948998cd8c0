from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from django.test import Client

from issuer.foundation.identifiers import uuid7
from issuer.gate.models import GateState, ScopeKind
from issuer.instruments.models import Token
from issuer.people.roles import Role
from issuer.reconciliation.states import BreakCode
from tests.backoffice.clients import client_of, text_of
from tests.make import chain, custody, gate, instruments, people, reconciliation, reserves

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("market_clock")]


def text_of_token(token: Token, *, role: Role = Role.AUDITOR) -> str:
    return text_of(client_of(people.user(role)), f"/admin/instruments/token/{token.pk}/change/")


class TestPage:
    def test_shows_what_the_cover_is_made_of(self, at: datetime) -> None:
        token, deployment, account = reserves.backed_token(Decimal(602), at=at)
        reserves.supply(deployment, Decimal(600), at=at)

        page = text_of_token(token)

        assert ">Covered</span>" in page.replace("</span> Covered", ">Covered")
        assert "100.33 %" in page
        assert deployment.address in page
        assert account.reference in page
        assert "bo-alarm" not in page

    def test_shows_what_is_excluded_from_supply_and_why(self, at: datetime) -> None:
        token, deployment, _ = reserves.backed_token(Decimal(602), at=at)
        treasury = instruments.controlled_address(network_=deployment.network)
        chain.snapshot(
            deployment,
            total_supply_base_units=600 * 10**18,
            controlled={treasury.address: 40 * 10**18},
            taken_at=at,
        )

        page = text_of_token(token)

        assert treasury.address in page
        assert f"Treasury: {treasury.reason}" in page

    def test_says_why_a_figure_is_missing_and_is_red(self, at: datetime) -> None:
        token, deployment, _ = reserves.backed_token(at=at)
        chain.trouble(deployment.network)

        page = text_of_token(token)

        assert "bo-panel bo-alarm" in page
        assert f"{deployment.network.name} has not been read" in page
        assert "not known" in page

    def test_says_since_when_it_is_short(self, at: datetime) -> None:
        token, deployment, _ = reserves.backed_token(Decimal(600), at=at)
        reserves.supply(deployment, Decimal(605), at=at)
        reconciliation.run(token.program, at=at)

        page = text_of_token(token)

        assert "bo-panel bo-alarm" in page
        assert "so since the reconciliation of" in page

    def test_draws_cover_over_time_with_its_table(self, at: datetime) -> None:
        token, deployment, _ = reserves.backed_token(Decimal(602), at=at)
        reserves.supply(deployment, Decimal(600), at=at)
        for hours in (2, 1, 0):
            reconciliation.run(token.program, at=at - timedelta(hours=hours))

        page = text_of_token(token)

        assert '<svg class="chart" viewBox="0 0 720 160"' in page
        assert "100.00 % to 100.33 %" in page
        assert page.count('<td class="number"><data class="figure" value="10033">') == 3

    def test_shows_multipliers_past_in_force_and_scheduled(self, at: datetime) -> None:
        deployment = instruments.deployment(multiplier_=None)
        day = timedelta(days=1)
        for value, start, end in (
            ("1", at - 9 * day, at - day),
            ("1.0051", at - day, at + day),
            ("4.0204", at + day, None),
        ):
            instruments.multiplier(deployment, Decimal(value), start=start, end=end)

        page = text_of_token(deployment.token)

        standing = [page.index(word) for word in (">scheduled<", ">in force<", ">over<")]
        assert standing == sorted(standing)
        assert "4.0204" in page

    def test_lists_what_holds_its_gate_and_its_open_breaks(self, at: datetime) -> None:
        token, deployment, _ = reserves.backed_token(at=at)
        gate.hold(ScopeKind.NETWORK, deployment.network_id, effect=GateState.REDEEM_ONLY)
        found = reconciliation.break_(token, code=BreakCode.SUP_OVER)

        page = text_of_token(token)

        assert f">{deployment.network.name}</a>" in page
        assert f"/admin/reconciliation/break/{found.pk}/change/" in page

    def test_says_where_to_begin_when_there_is_nothing(self) -> None:
        page = text_of_token(instruments.token())

        for words in (
            "The token has no contract yet.",
            "The token has no custody account yet.",
            "No reconciliation has been made",
            "Books, custodians and chains agree.",
            "No contract, no multiplier.",
        ):
            assert words in page

    def test_says_that_a_custodian_is_silent(self, at: datetime) -> None:
        account = custody.account()

        page = text_of_token(account.token)

        assert account.reference in page
        assert '<span class="bo-faint">none</span>' in page

    def test_offers_its_acts_to_whoever_may_take_them(self) -> None:
        token = instruments.token()
        act = f"/admin/instruments/token/{token.pk}/acts/suspend-issuance/"

        assert act in text_of_token(token, role=Role.ADMINISTRATOR)
        assert act not in text_of_token(token, role=Role.APPROVER)

    def test_is_for_staff_who_may_look(self) -> None:
        token = instruments.token()
        address = f"/admin/instruments/token/{token.pk}/change/"

        assert client_of(people.user()).get(address).status_code == 403
        assert Client().get(address).status_code == 302
        nowhere = f"/admin/instruments/token/{uuid7()}/change/"
        assert client_of(people.user(Role.AUDITOR)).get(nowhere).status_code == 404

    @pytest.mark.parametrize("role", list(Role))
    def test_opens_for_every_role(self, at: datetime, role: Role) -> None:
        token, _, _ = reserves.backed_token(at=at)

        assert token.symbol in text_of_token(token, role=role)
