"""Redemptions, from outside."""

from decimal import Decimal

import pytest
from pytest_django import DjangoAssertNumQueries

from issuer.foundation import clock
from issuer.gate.models import GateState, ScopeKind
from issuer.primary_market.models import RedemptionRequest
from issuer.primary_market.states import RedemptionState, ReturnState
from tests.make import gate, redemptions
from tests.make.api import Partner, problem
from tests.make.primary_market import Market
from tests.make.redemptions import redemption

pytestmark = pytest.mark.django_db

_S = RedemptionState


@pytest.fixture
def market() -> Market:
    """A participant who holds 600 tokens and can return them, as of now."""
    return redemptions.market(at=clock.now())


def body_for(market: Market, **members: str) -> dict[str, str]:
    return {
        "token": market.token.symbol,
        "network": market.deployment.network.caip2,
        "wallet": market.wallet.address,
        "quantity": "100",
        "client_reference": "back-1",
    } | members


class TestRequestRedemption:
    def test_answers_with_where_to_send_what_until_when(
        self, market: Market, door: Partner
    ) -> None:
        response = door.post("redemptions", body_for(market))

        assert response.status_code == 201
        shown = response.json()
        request = RedemptionRequest.objects.get()
        assert shown["deposit_address"] == redemptions.BURNER.address
        assert shown["network"] == market.deployment.network.caip2
        amounts = ("quantity", "minimum", "received", "shares", "multiplier")
        assert [shown[name] for name in amounts] == ["100", "1", "0", "100", "1"]
        assert shown["expires_at"].startswith(request.expires_at.date().isoformat())
        sides = ("state", "business", "custody", "chain")
        assert [shown[name] for name in sides] == ["REQUESTED", "created", "none", "none"]
        assert [one["code"] for one in shown["requirements"]] == ["acceptance"]

    @pytest.mark.parametrize(
        ("members", "status", "code"),
        [
            ({"token": "MSFTx"}, 422, "token-unknown"),
            ({"network": "eip155:1"}, 422, "token-not-on-network"),
            ({"wallet": "0x0000000000000000000000000000000000000001"}, 422, "wallet-not-bound"),
            ({"quantity": "0"}, 422, "quantity-malformed"),
            ({"quantity": "0.5"}, 422, "redemption-below-minimum"),
            ({"quantity": f"600.{'1' * 19}"}, 422, "quantity-too-fine"),
        ],
    )
    def test_refuses_and_writes_nothing(
        self, market: Market, door: Partner, members: dict[str, str], status: int, code: str
    ) -> None:
        assert problem(door.post("redemptions", body_for(market, **members))) == (status, code)
        assert not RedemptionRequest.objects.exists()

    def test_refuses_while_halted_and_not_while_only_redemption_is_open(
        self, market: Market, door: Partner
    ) -> None:
        gate.hold(ScopeKind.TOKEN, market.token.pk, effect=GateState.REDEEM_ONLY)
        assert door.post("redemptions", body_for(market)).status_code == 201
        gate.hold(ScopeKind.PROGRAM, market.token.program_id, effect=GateState.HALTED)

        response = door.post("redemptions", body_for(market, client_reference="back-2"))

        assert problem(response) == (409, "reserve-gate-closed")
        assert response.json()["facts"]["scope"] == "PROGRAM"


class TestRedemptions:
    def test_shows_deposits_burn_and_delivery_of_a_completed_request(
        self, market: Market, door: Partner
    ) -> None:
        request = redemption(market, state=_S.COMPLETED, at=clock.now())

        shown = door.get(f"redemptions/{request.pk}").json()

        sides = ("business", "custody", "chain", "received")
        assert [shown[name] for name in sides] == ["completed", "settled", "finalized", "100"]
        [came] = shown["deposits"]
        assert (came["quantity"], came["counted"], came["state"]) == ("100", "100", "MATCHED")
        event = request.burn_intent.event if request.burn_intent else None
        assert event is not None
        assert shown["burn"]["transaction_hash"] == event.transaction_hash
        assert (shown["delivery"]["shares"], shown["requirements"]) == ("100", [])

    def test_shows_what_went_back(self, market: Market, door: Partner) -> None:
        request = redemption(market, state=_S.AWAITING_TOKENS, at=clock.now())
        came = redemptions.deposit(market, Decimal(110), at=clock.now())
        needed = door.get(f"redemptions/{request.pk}").json()["requirements"]
        assert [one["code"] for one in needed] == ["proposal", "return-approval"]
        back = redemptions.a_return(came, state=ReturnState.RETURNED, at=clock.now())

        shown = door.get(f"redemptions/{request.pk}").json()

        [deposit] = shown["deposits"]
        [returned] = deposit["returns"]
        assert (returned["quantity"], returned["state"]) == ("10", "RETURNED")
        assert back.intent is not None
        assert returned["transaction_hash"] == back.intent.attempts.get().transaction_hash

    def test_what_is_somebody_elses_is_not_there(self, door: Partner) -> None:
        other = redemption(redemptions.market(at=clock.now()), at=clock.now())

        assert problem(door.get(f"redemptions/{other.pk}")) == (404, "redemption-missing")
        cancelled = door.post(f"redemptions/{other.pk}/cancel")
        assert problem(cancelled) == (404, "redemption-missing")
        assert door.get("redemptions").json()["results"] == []

    def test_cancels_and_filters(self, market: Market, door: Partner) -> None:
        request = redemption(market, at=clock.now())
        redemption(market, state=_S.AWAITING_TOKENS, at=clock.now())

        response = door.post(f"redemptions/{request.pk}/cancel")

        assert (response.status_code, response.json()["business"]) == (200, "cancelled")
        again = door.post(f"redemptions/{request.pk}/cancel")
        assert problem(again) == (409, "illegal-transition")
        [shown] = door.get("redemptions?state=CANCELLED").json()["results"]
        assert shown["id"] == str(request.pk)
        assert problem(door.get("redemptions?state=DONE")) == (400, "invalid-request")

    def test_lists_with_as_many_queries_for_one_as_for_many(
        self, market: Market, door: Partner, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        redemption(market, state=_S.RECEIVED, at=clock.now())
        with django_assert_num_queries(4):
            door.get("redemptions")
        for _ in range(3):
            redemption(market, state=_S.RECEIVED, at=clock.now())

        with django_assert_num_queries(4):
            assert len(door.get("redemptions").json()["results"]) == 4
