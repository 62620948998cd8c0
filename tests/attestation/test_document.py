"""What a statement says of worlds that are not simple; each must pass the checker to be frozen."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from issuer.attestation import selectors, services
from issuer.attestation.models import Attestation
from issuer.chain.states import IntentState
from issuer.foundation import actors
from issuer.gate import services as gate
from issuer.gate.models import Cause, GateState, ScopeKind
from issuer.instruments import chart
from issuer.instruments.models import ControlledRole
from issuer.ledger import services as ledger
from issuer.reconciliation.models import Break
from issuer.reconciliation.states import BreakState
from tests.make import attestation as make
from tests.make import chain, custody, instruments

pytestmark = pytest.mark.django_db

SYSTEM = actors.system("tests")
ONE = 10**18


@pytest.fixture
def world(at: datetime) -> make.World:
    return make.world(at=at)


def content_of(world: make.World, at: datetime) -> dict[str, Any]:
    return selectors.content_of(make.frozen(world, at=at))


def line(content: dict[str, Any], code: str) -> dict[str, Any]:
    (token,) = content["tokens"]
    found: dict[str, Any] = next(one for one in token["reconciliation"] if one["code"] == code)
    return found


class TestSupply:
    def test_leaves_out_what_the_issuer_holds_and_says_where(
        self, world: make.World, at: datetime
    ) -> None:
        treasury = instruments.controlled_address(network_=world.deployment.network)
        deposits = instruments.controlled_address(
            network_=world.deployment.network, role=ControlledRole.REDEMPTION
        )
        chain.snapshot(
            world.deployment,
            total_supply_base_units=600 * ONE,
            controlled={treasury.address: 10 * ONE, deposits.address: 5 * ONE},
            taken_at=at,
        )

        content = content_of(world, at)

        assert content["tokens"][0]["supply"][0]["nonRedeemable"] == [
            {
                "class": "TREASURY",
                "address": treasury.address,
                "qty": "10",
                "reason": treasury.reason,
            }
        ]
        assert line(content, "C1")["qty"] == "590"
        # The books owe for all 600, and the larger of both counts.
        assert content["tokens"][0]["owedShares"] == "600"

    def test_takes_a_bridge_s_escrow_off_once(self, world: make.World, at: datetime) -> None:
        escrow = instruments.controlled_address(
            network_=world.deployment.network, role=ControlledRole.BRIDGE_ESCROW
        )
        chain.snapshot(
            world.deployment,
            total_supply_base_units=640 * ONE,
            controlled={escrow.address: 40 * ONE},
            taken_at=at,
        )

        content = content_of(world, at)

        assert line(content, "A2")["qty"] == "-40"
        assert line(content, "A10")["qty"] == "0"
        assert content["status"] == "COVERED"

    def test_names_mints_that_are_final_and_not_booked(
        self, world: make.World, at: datetime
    ) -> None:
        intent = chain.intent(
            world.deployment, state=IntentState.FINAL, base_units=ONE, signed_at=at
        )
        assert intent.event is not None
        chain.snapshot(
            world.deployment,
            total_supply_base_units=601 * ONE,
            taken_at=at,
            block_number=intent.event.block_number + 1,
        )

        content = content_of(world, at)

        (item,) = line(content, "A6")["items"]
        assert item["qty"] == "-1"
        assert item["tx"] == intent.event.transaction_hash
        assert content["status"] == "COVERED"


class TestCustody:
    def test_names_accounts_by_salted_hash_only(self, world: make.World, at: datetime) -> None:
        attestation = make.frozen(world, at=at)

        assert world.account.reference.encode() not in bytes(attestation.content)
        assert str(world.account.pk).encode() not in bytes(attestation.content)

    def test_commits_to_statements_without_their_plain_hash(
        self, world: make.World, at: datetime
    ) -> None:
        attestation = make.frozen(world, at=at)
        statement = world.account.positions.get().statement

        content = selectors.content_of(attestation)

        commitment = content["tokens"][0]["custody"][0]["source"]["commitment"]
        assert statement.sha256.encode() not in bytes(attestation.content)
        assert content["evidence"][0]["commitment"] == commitment
        assert line(content, "B1")["items"][0]["evidenceSha256"] == commitment

    def test_counts_a_young_account_as_empty(self, world: make.World, at: datetime) -> None:
        custody.account(token_=world.deployment.token, opened_at=at - timedelta(minutes=1))

        content = content_of(world, at)

        assert [one["settled"] for one in content["tokens"][0]["custody"]] == ["602", "0"]
        assert content["status"] == "COVERED"


class TestStatus:
    def test_in_transit_says_what_is_under_way(self, world: make.World, at: datetime) -> None:
        owe(world, Decimal(10), at=at)
        custody.instruction(world.account, Decimal(20), at=at)

        content = content_of(world, at)

        (token,) = content["tokens"]
        assert content["status"] == "IN_TRANSIT"
        assert token["disclosed"] == [{"class": "UNSETTLED_BUY", "qty": "20", "admitted": True}]
        assert token["mint"]["headroom"][0]["tokens"] == "0"
        assert [one["code"] for one in content["breaks"]] == ["BAK-SETTLED"]

    def test_short_names_the_break(self, world: make.World, at: datetime) -> None:
        owe(world, Decimal(10), at=at)

        content = content_of(world, at)

        assert content["status"] == "SHORT"
        assert line(content, "C8")["qty"] == "-8"
        (shortfall,) = content["breaks"]
        assert (shortfall["code"], shortfall["qty"]) == ("BAK-SHORT", "8")
        assert (shortfall["severity"], shortfall["status"]) == ("CRITICAL", "OPEN")

    def test_nothing_owed_is_covered_and_has_no_percentage(self, at: datetime) -> None:
        content = content_of(make.world(at=at, tokens=Decimal(0)), at)

        (token,) = content["tokens"]
        assert token["status"] == "COVERED"
        assert token["coverageBp"] is None
        assert token["periodLow"] is None


class TestHalts:
    def test_shut_the_headroom_and_say_why(self, world: make.World, at: datetime) -> None:
        token = world.deployment.token
        hold(world, at=at - timedelta(hours=1), reason="A fire in the vault.")

        content = content_of(world, at)

        assert content["tokens"][0]["mint"] == {
            "state": "HALTED",
            "headroom": [
                {"chain": world.deployment.network.caip2, "state": "HALTED", "tokens": "0"}
            ],
            "reasons": ["A fire in the vault."],
        }
        (halt,) = content["halts"]
        assert (halt["scope"], halt["to"]) == (f"Token {token.symbol} (halted)", None)
        assert token.symbol == content["tokens"][0]["symbol"]

    def test_are_listed_when_they_are_over(self, world: make.World, at: datetime) -> None:
        placed = hold(world, at=at - timedelta(hours=1), reason="A fire in the vault.")
        gate.release_hold(placed.pk, actor=SYSTEM, at=at - timedelta(minutes=30))

        content = content_of(world, at)

        assert content["tokens"][0]["mint"]["state"] == "OPEN"
        assert content["halts"][0]["to"] == "2026-11-20T14:30:00Z"


class TestBreaks:
    def test_that_ended_in_the_period_are_told_once(self, world: make.World, at: datetime) -> None:
        chain.trouble(
            world.deployment.network,
            reason="Two nodes disagree.",
            since=at - timedelta(minutes=9),
            ended_at=None,
        )
        first = published_unknown(world, at - timedelta(minutes=8))
        world.deployment.network.troubles.update(ended_at=at - timedelta(minutes=5))

        second = selectors.content_of(make.published(world, at=at))
        third = content_of(world, at + timedelta(minutes=10))

        assert Break.objects.get().state == BreakState.CLEARED
        assert selectors.content_of(first)["breaks"][0]["status"] == "OPEN"
        assert [one["status"] for one in second["breaks"]] == ["CLEARED"]
        assert third["breaks"] == []


def published_unknown(world: make.World, at: datetime) -> Attestation:
    attestation = make.published(world, at=at)
    assert attestation.status == "UNKNOWN"
    return attestation


def owe(world: make.World, tokens: Decimal, *, at: datetime) -> None:
    """Mint more tokens than there are shares for; only a test can."""
    token = world.deployment.token
    lines = [ledger.Line(chart.tokens_issued(token), chart.tokens_outstanding(token), tokens)]
    own = min(tokens, Decimal(2))
    lines.append(ledger.Line(chart.shares_own(token), chart.shares_owed_on_tokens(token), own))
    ledger.post("overissue", lines, effective_at=at, actor=SYSTEM, at=at)
    total = (600 + int(tokens)) * ONE
    chain.snapshot(world.deployment, total_supply_base_units=total, taken_at=at)


def hold(world: make.World, *, at: datetime, reason: str) -> Any:
    return gate.place_hold(
        kind=ScopeKind.TOKEN,
        subject_id=world.deployment.token_id,
        effect=GateState.HALTED,
        cause=Cause.STALE_SOURCE,
        reason=reason,
        actor=world.officer,
        at=at,
    )


class TestComplete:
    def test_keeps_the_hash_of_what_was_approved(self, world: make.World, at: datetime) -> None:
        frozen = make.frozen(world, at=at)

        reviewed = services.confirm(frozen.pk, actor=world.approver, at=at)

        document = selectors.content_of(reviewed)
        assert document["controls"]["contentSha256"] == frozen.content_sha256
