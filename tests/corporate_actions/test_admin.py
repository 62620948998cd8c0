"""Splits as staff see them: each act is a page and a form."""

from datetime import datetime, timedelta

import pytest
from django.test import Client
from django.urls import reverse

from issuer.chain.states import ActState
from issuer.corporate_actions import selectors
from issuer.corporate_actions.models import StockSplit
from issuer.corporate_actions.states import SplitState
from issuer.people.roles import Role
from tests.corporate_actions.backed import Backed
from tests.make import chain_acts, people

pytestmark = pytest.mark.django_db


def logged_in(role: Role) -> Client:
    client = Client()
    client.force_login(people.user(role))
    return client


def act(client: Client, stock_split: StockSplit, name: str, **asked: str) -> str:
    """Open the page of an act, send its form as it came with what is asked; return the answer."""
    page = reverse(
        "admin:corporate_actions_stocksplit_act", kwargs={"object_id": stock_split.pk, "name": name}
    )
    shown = client.get(page)
    form = shown.context["form"]
    answer = client.post(page, {**form.initial, **asked}, follow=True)
    stock_split.refresh_from_db()
    return answer.content.decode()


class TestStockSplitAdmin:
    @pytest.fixture
    def stock_split(self, backed: Backed, market_clock: datetime) -> StockSplit:
        time = (market_clock + timedelta(hours=1)).isoformat()
        logged_in(Role.OPERATIONS_OFFICER).post(
            reverse("admin:corporate_actions_stocksplit_add"),
            {
                "token": str(backed.token.pk),
                "shares_after": "4",
                "shares_before": "1",
                "effective_at": time,
                "window_seconds": "900",
                "source": "Press release.",
            },
        )
        return StockSplit.objects.get()

    def test_takes_a_split_from_one_person_to_another_and_back(
        self, stock_split: StockSplit
    ) -> None:
        officer, approver = logged_in(Role.OPERATIONS_OFFICER), logged_in(Role.APPROVER)

        assert "Done: propose to go ahead" in act(officer, stock_split, "propose")
        assert "Done: confirm" in act(approver, stock_split, "confirm")
        assert stock_split.state == SplitState.CONFIRMED
        told = act(officer, stock_split, "propose-cancellation", reason="Called off.")
        assert "Done: propose to cancel" in told
        assert "Done: confirm the cancellation" in act(
            approver, stock_split, "confirm-cancellation"
        )
        assert stock_split.state == SplitState.CANCELLING

    def test_declines_and_withdraws(self, stock_split: StockSplit) -> None:
        officer, approver = logged_in(Role.OPERATIONS_OFFICER), logged_in(Role.APPROVER)
        act(officer, stock_split, "propose")

        assert "Done: decline" in act(approver, stock_split, "decline", reason="Wrong day.")
        assert "Done: withdraw" in act(officer, stock_split, "withdraw", reason="A rumor.")

        assert stock_split.state == SplitState.CANCELLED

    def test_shows_what_is_signed_and_an_auditor_nothing_to_press(
        self, stock_split: StockSplit
    ) -> None:
        act(logged_in(Role.OPERATIONS_OFFICER), stock_split, "propose")
        confirm = reverse(
            "admin:corporate_actions_stocksplit_act",
            kwargs={"object_id": stock_split.pk, "name": "confirm"},
        )
        change = reverse("admin:corporate_actions_stocksplit_change", args=[stock_split.pk])
        auditor = logged_in(Role.AUDITOR)

        shown = logged_in(Role.APPROVER).get(confirm).content.decode()

        assert "4 shares per token" in shown
        assert auditor.get(confirm).status_code == 403
        looked_at = auditor.get(change).content.decode()
        assert "4:1" in looked_at
        assert "/acts/" not in looked_at

    def test_is_where_its_contract_acts_are_decided_on(self, stock_split: StockSplit) -> None:
        act(logged_in(Role.OPERATIONS_OFFICER), stock_split, "propose")
        part = selectors.acts(stock_split).first()
        assert part is not None
        approver = logged_in(Role.APPROVER)

        page = reverse("admin:chain_contractact_change", args=[part.pk])
        shown = approver.get(page).content.decode()

        here = reverse("admin:corporate_actions_stocksplit_change", args=[stock_split.pk])
        assert f'<a href="{here}">stock split, {stock_split}</a>' in shown
        assert "/acts/" not in shown
        refused = approver.post(
            reverse("admin:chain_contractact_act", args=[part.pk, "confirm"]),
            {"payload_hash": chain_acts.hash_of(part)},
        )
        assert "decided on with what it is a part of" in refused.content.decode()
        part.refresh_from_db()
        assert part.state == ActState.PROPOSED
        today = approver.get(reverse("admin:index")).content.decode()
        assert "Confirm split" in today
        assert "Confirm contract act" not in today

    @pytest.mark.parametrize("time", ["tomorrow", "2026-11-21T09:00:00"])
    def test_asks_for_a_time_with_its_zone(
        self, time: str, backed: Backed, market_clock: datetime
    ) -> None:
        answer = logged_in(Role.OPERATIONS_OFFICER).post(
            reverse("admin:corporate_actions_stocksplit_add"),
            {"token": str(backed.token.pk), "effective_at": time},
        )

        assert "2027-01-04T14:30:00Z" in answer.content.decode()
        assert not StockSplit.objects.exists()
