"""Reserves as partners and the public read them: chain by chain, and through a redemption."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from issuer.custody import services as custody_services
from issuer.foundation import actors
from issuer.foundation.identifiers import uuid7
from issuer.gate.models import GateState, ScopeKind
from issuer.instruments.models import ControlledRole, Deployment, Token
from tests.make import chain, gate, instruments, reserves
from tests.make.api import Partner

pytestmark = pytest.mark.django_db

ONE = 10**18
World = tuple[Token, Deployment, Deployment]


@pytest.fixture
def world(market_clock: datetime) -> World:
    """500 tokens on one chain and 100 on another; 602 shares."""
    at = market_clock
    token, first, _ = reserves.backed_token(Decimal(602), at=at)
    second = instruments.deployment(token_=token, decimals=6)
    reserves.issue(token, Decimal(600), Decimal(600), at=at)
    reserves.supply(first, Decimal(500), at=at)
    reserves.supply(second, Decimal(100), at=at)
    return token, first, second


def shown_of(token: Token, anybody: Partner) -> dict[str, Any]:
    shown: dict[str, Any] = anybody.get(f"reserves/{token.symbol}").json()
    return shown


def figures(shown: dict[str, Any]) -> dict[str, Any]:
    names = ("status", "owed", "owed_on_tokens", "burned_not_delivered", "held", "surplus")
    return {name: shown[name] for name in names}


def by_chain(shown: dict[str, Any], name: str) -> dict[str, Any]:
    return {one["network"]: one[name] for one in shown["chains"]}


class TestChains:
    def test_have_a_supply_and_a_headroom_each(self, world: World, anybody: Partner) -> None:
        token, first, second = world

        shown = shown_of(token, anybody)

        one, other = first.network.caip2, second.network.caip2
        assert by_chain(shown, "supply") == {one: "500", other: "100"}
        assert by_chain(shown, "headroom") == {one: "1", other: "1"}
        assert (shown["headroom"], shown["surplus"]) == ("2", "2")

    def test_have_no_headroom_while_they_are_shut(self, world: World, anybody: Partner) -> None:
        token, first, second = world
        gate.hold(ScopeKind.NETWORK, second.network_id, effect=GateState.REDEEM_ONLY)

        shown = shown_of(token, anybody)
        assert by_chain(shown, "headroom") == {first.network.caip2: "2", second.network.caip2: "0"}
        assert (shown["headroom"], shown["gate"]["state"]) == ("2", "REDEEM_ONLY")

        gate.hold(ScopeKind.PROGRAM, token.program_id)
        shown = shown_of(token, anybody)
        assert set(by_chain(shown, "headroom").values()) == {"0"}
        assert (shown["headroom"], shown["gate"]["state"]) == ("0", "HALTED")

    def test_have_none_that_is_known_while_one_of_them_is_silent(
        self, world: World, anybody: Partner
    ) -> None:
        token, first, second = world
        chain.trouble(second.network)

        shown = shown_of(token, anybody)

        assert shown["status"] == "UNKNOWN"
        assert by_chain(shown, "headroom") == {
            first.network.caip2: None,
            second.network.caip2: None,
        }
        assert by_chain(shown, "supply") == {first.network.caip2: "500", second.network.caip2: None}
        assert (shown["headroom"], shown["burned_not_delivered"]) == (None, None)

    def test_name_the_issuers_own_addresses_and_why_they_do_not_count(
        self, world: World, anybody: Partner, market_clock: datetime
    ) -> None:
        token, first, _ = world
        treasury = instruments.controlled_address(network_=first.network)
        deposits = instruments.controlled_address(
            network_=first.network, role=ControlledRole.REDEMPTION
        )
        chain.snapshot(
            first,
            total_supply_base_units=540 * ONE,
            controlled={treasury.address: 40 * ONE, deposits.address: 100 * ONE},
            taken_at=market_clock,
        )

        shown = shown_of(token, anybody)

        assert by_chain(shown, "excluded")[first.network.caip2] == [
            {
                "address": treasury.address,
                "role": "TREASURY",
                "reason": "Minted ahead of demand; nobody has paid for these tokens.",
                "quantity": "40",
            }
        ]
        assert shown["owed_on_tokens"] == "600"


class TestARedemption:
    def test_is_owed_as_tokens_then_as_shares_then_not_at_all(
        self, world: World, anybody: Partner, market_clock: datetime
    ) -> None:
        token, first, _ = world
        at, account = market_clock, token.custody_accounts.get()
        reserves.burn(token, Decimal(100), Decimal(100), at=at)
        reserves.supply(first, Decimal(400), at=at)

        assert figures(shown_of(token, anybody)) == {
            "status": "COVERED",
            "owed": "600",
            "owed_on_tokens": "500",
            "burned_not_delivered": "100",
            "held": "602",
            "surplus": "2",
        }

        custody_services.instruct_delivery(
            account=account,
            request_id=uuid7(),
            quantity=Decimal(100),
            trade_date=at.date(),
            settlement_date=at.date(),
            receiving_party="A broker",
            actor=actors.system("tests"),
            at=at,
        )

        shown = shown_of(token, anybody)
        assert figures(shown) == {
            "status": "COVERED",
            "owed": "500",
            "owed_on_tokens": "500",
            "burned_not_delivered": "0",
            "held": "502",
            "surplus": "2",
        }
        [in_custody] = shown["custody"]
        names = ("settled", "pending_receipt", "encumbered", "booked", "eligible")
        assert [in_custody[name] for name in names] == ["602", "0", "100", "602", "502"]

    def test_leaves_a_thief_nowhere_to_hide(
        self, world: World, anybody: Partner, market_clock: datetime
    ) -> None:
        token, _, second = world
        reserves.supply(second, Decimal(105), at=market_clock)

        shown = shown_of(token, anybody)

        assert (shown["status"], shown["owed"], shown["surplus"]) == ("SHORT", "605", "-3")
        assert shown["headroom"] == "0"


class TestASplit:
    def test_is_shown_in_new_shares_from_its_time_on(
        self, anybody: Partner, market_clock: datetime
    ) -> None:
        """Statement, books and the newest block are still of before it."""
        earlier = market_clock - timedelta(minutes=10)
        token, deployment, _ = reserves.backed_token(Decimal(602), at=earlier)
        reserves.issue(token, Decimal(600), Decimal(600), at=earlier)
        reserves.supply(deployment, Decimal(600), at=earlier)
        effective_at = market_clock - timedelta(minutes=5)
        instruments.split(token, effective_at=effective_at, at=earlier)

        shown = shown_of(token, anybody)

        assert figures(shown) == {
            "status": "COVERED",
            "owed": "2400",
            "owed_on_tokens": "2400",
            "burned_not_delivered": "0",
            "held": "2408",
            "surplus": "8",
        }
        assert by_chain(shown, "multiplier") == {deployment.network.caip2: "4"}
        assert (shown["headroom"], shown["ratio_bps"]) == ("2", 10033)
        [account] = shown["custody"]
        assert (account["settled"], account["booked"], account["eligible"]) == (
            "2408",
            "2408",
            "2408",
        )
