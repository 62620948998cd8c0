"""The roll-forward of statements: what one closes with, the next one opens with."""

from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from django.db import transaction

from issuer.attestation import selectors
from issuer.attestation.models import Attestation
from issuer.attestation.movements import Movements, balances, credited, debited
from issuer.attestation.package import verify_offline
from issuer.foundation import actors
from issuer.instruments import chart
from issuer.instruments import services as instrument_services
from issuer.instruments.models import Deployment
from issuer.ledger import services as ledger
from tests.make import attestation as make
from tests.make import chain, custody, instruments

pytestmark = pytest.mark.django_db

SYSTEM = actors.system("tests")
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)


@pytest.fixture
def world(at: datetime) -> make.World:
    """Return 600 tokens, and 602 shares."""
    return make.world(at=at)


def post(reference: str, *moves: tuple[str, str, int], at: datetime) -> None:
    """Post lines of (debit, credit, quantity)."""
    lines = [ledger.Line(debit, credit, Decimal(quantity)) for debit, credit, quantity in moves]
    ledger.post(reference, lines, effective_at=at, actor=SYSTEM, at=at)


def issue(world: make.World, tokens: int, reference: str, *, at: datetime) -> None:
    """Book a mint of as many tokens as shares."""
    token = world.deployment.token
    post(
        reference,
        (chart.tokens_issued(token), chart.tokens_outstanding(token), tokens),
        (chart.shares_own(token), chart.shares_owed_on_tokens(token), tokens),
        at=at,
    )


def burn(world: make.World, tokens: int, *, at: datetime) -> None:
    """Book a burn, and that its shares are to be delivered."""
    token = world.deployment.token
    post(
        "burn",
        (chart.tokens_outstanding(token), chart.tokens_issued(token), tokens),
        (chart.shares_owed_on_tokens(token), chart.shares_burned_not_delivered(token), tokens),
        at=at,
    )


def supply(deployment: Deployment, tokens: int, *, at: datetime, multiplier: int = 1) -> None:
    chain.snapshot(
        deployment,
        total_supply_base_units=tokens * 10**18,
        ui_multiplier_base_units=multiplier * 10**18,
        taken_at=at - timedelta(seconds=5),
    )


def roll_forward(attestation: Attestation) -> dict[str, Any]:
    (token,) = selectors.content_of(attestation)["tokens"]
    found: dict[str, Any] = token["rollForward"]
    return found


def tied(second: Attestation, first: Attestation) -> None:
    """Assert that the one opens with what the other closed with, and that the checker agrees."""
    opened, closed = roll_forward(second), roll_forward(first)
    assert opened["tokens"]["opening"] == closed["tokens"]["closing"]
    assert opened["shares"]["opening"] == closed["shares"]["closing"]
    report, _ = verify_offline.verify(
        selectors.package_files(second),
        keys=selectors.published_keys(),
        previous=selectors.package_files(first),
    )
    assert not report.failed, list(report.lines())


class TestRollForward:
    def test_of_the_first_statement_begins_with_nothing(
        self, world: make.World, at: datetime
    ) -> None:
        assert roll_forward(make.frozen(world, at=at)) == {
            "tokens": {
                "opening": "0",
                "bookedLate": "0",
                "minted": "600",
                "burned": "0",
                "closing": "600",
            },
            "shares": {
                "opening": "0",
                "bookedLate": "0",
                "received": "602",
                "delivered": "0",
                "corporateActions": "0",
                "closing": "602",
            },
        }

    def test_adds_up_two_chains(self, world: make.World, at: datetime) -> None:
        second_chain = instruments.deployment(token_=world.deployment.token)
        supply(second_chain, 0, at=at)
        first = make.published(world, at=at)
        later = at + 10 * MINUTE
        custody.settled_shares(world.account, Decimal(28), at=at + MINUTE)
        issue(world, 20, "mint on the first", at=at + 2 * MINUTE)
        issue(world, 10, "mint on the second", at=at + 3 * MINUTE)
        supply(world.deployment, 620, at=later)
        supply(second_chain, 10, at=later)

        second = make.published(world, at=later)

        assert second.status == "COVERED"
        assert roll_forward(second) == {
            "tokens": {
                "opening": "600",
                "bookedLate": "0",
                "minted": "30",
                "burned": "0",
                "closing": "630",
            },
            "shares": {
                "opening": "602",
                "bookedLate": "0",
                "received": "28",
                "delivered": "0",
                "corporateActions": "0",
                "closing": "630",
            },
        }
        tied(second, first)

    def test_tells_what_a_split_added_from_what_was_received(
        self, world: make.World, at: datetime
    ) -> None:
        first = make.published(world, at=at)
        token, account = world.deployment.token, world.account
        split = instruments.split(token, effective_at=at + MINUTE, at=at)
        # Effective, and not booked: the statement counts it all the same.
        between_at, later = at + 2 * MINUTE, at + 10 * MINUTE
        supply(world.deployment, 600, at=between_at, multiplier=4)
        between = make.published(world, at=between_at)
        settled = chart.shares_settled(token, account.reference)
        with transaction.atomic():
            post(
                f"split/{split.pk}",
                (settled, chart.shares_owed_on_tokens(token), 1800),
                (settled, chart.shares_own(token), 6),
                at=at + 3 * MINUTE,
            )
            instrument_services.record_split_booked(split.pk, actor=SYSTEM, at=at + 3 * MINUTE)
        supply(world.deployment, 600, at=later, multiplier=4)

        last = make.published(world, at=later)

        assert roll_forward(between) == {
            "tokens": {
                "opening": "600",
                "bookedLate": "0",
                "minted": "0",
                "burned": "0",
                "closing": "600",
            },
            "shares": {
                "opening": "602",
                "bookedLate": "0",
                "received": "0",
                "delivered": "0",
                "corporateActions": "1806",
                "closing": "2408",
            },
        }
        assert roll_forward(last)["shares"] == {
            "opening": "2408",
            "bookedLate": "0",
            "received": "0",
            "delivered": "0",
            "corporateActions": "0",
            "closing": "2408",
        }
        tied(between, first)
        tied(last, between)

    def test_tells_tokens_burned_and_shares_delivered(
        self, world: make.World, at: datetime
    ) -> None:
        first = make.published(world, at=at)
        burned_at, gone_at = at + 10 * MINUTE, at + 3 * DAY
        burn(world, 100, at=at + MINUTE)
        supply(world.deployment, 500, at=burned_at)
        burned = make.published(world, at=burned_at)
        custody.delivery(
            world.account, Decimal(100), at=burned_at + MINUTE, settlement_date=gone_at.date()
        )
        custody.statement(
            world.account.custodian, [custody.line(world.account, Decimal(502))], at=gone_at
        )
        supply(world.deployment, 500, at=gone_at + MINUTE)

        delivered = make.published(world, at=gone_at + MINUTE)

        assert roll_forward(burned) == {
            "tokens": {
                "opening": "600",
                "bookedLate": "0",
                "minted": "0",
                "burned": "100",
                "closing": "500",
            },
            "shares": {
                "opening": "602",
                "bookedLate": "0",
                "received": "0",
                "delivered": "0",
                "corporateActions": "0",
                "closing": "602",
            },
        }
        assert roll_forward(delivered) == {
            "tokens": {
                "opening": "500",
                "bookedLate": "0",
                "minted": "0",
                "burned": "0",
                "closing": "500",
            },
            "shares": {
                "opening": "602",
                "bookedLate": "0",
                "received": "0",
                "delivered": "100",
                "corporateActions": "0",
                "closing": "502",
            },
        }
        tied(burned, first)
        tied(delivered, burned)


class TestBookedLate:
    """A worker read the clock before the cut-off, and committed after the statement was frozen."""

    def test_is_told_by_the_next_statement(self, world: make.World, at: datetime) -> None:
        first = make.published(world, at=at)
        token, later = world.deployment.token, at + 10 * MINUTE
        received = chart.shares_settled(token, world.account.reference)
        issue(world, 1, "late mint", at=at - MINUTE)
        post("late receipt", (received, chart.shares_own(token), 3), at=at - MINUTE)
        issue(world, 1, "mint", at=at + MINUTE)
        supply(world.deployment, 602, at=later)

        second = make.published(world, at=later)

        assert roll_forward(second) == {
            "tokens": {
                "opening": "600",
                "bookedLate": "1",
                "minted": "1",
                "burned": "0",
                "closing": "602",
            },
            "shares": {
                "opening": "602",
                "bookedLate": "3",
                "received": "0",
                "delivered": "0",
                "corporateActions": "0",
                "closing": "605",
            },
        }
        tied(second, first)

    def test_may_take_away(self, world: make.World, at: datetime) -> None:
        first = make.published(world, at=at)
        later = at + 10 * MINUTE
        burn(world, 4, at=at - MINUTE)
        supply(world.deployment, 596, at=later)

        second = make.published(world, at=later)

        assert roll_forward(second)["tokens"] == {
            "opening": "600",
            "bookedLate": "-4",
            "minted": "0",
            "burned": "0",
            "closing": "596",
        }
        tied(second, first)

    def test_is_told_once(self, world: make.World, at: datetime) -> None:
        make.published(world, at=at)
        issue(world, 2, "late mint", at=at - MINUTE)
        supply(world.deployment, 602, at=at + 10 * MINUTE)
        second = make.published(world, at=at + 10 * MINUTE)
        supply(world.deployment, 602, at=at + 20 * MINUTE)

        third = make.published(world, at=at + 20 * MINUTE)

        assert roll_forward(third)["tokens"] == {
            "opening": "602",
            "bookedLate": "0",
            "minted": "0",
            "burned": "0",
            "closing": "602",
        }
        tied(third, second)

    def test_is_told_by_an_event(self, world: make.World, at: datetime) -> None:
        first = make.published(world, at=at)
        later = at + 10 * MINUTE
        issue(world, 1, "late mint", at=at - MINUTE)
        supply(world.deployment, 605, at=later)

        event = make.signed_and_published(make.event(world, at=later), at=later)

        tokens = roll_forward(event)["tokens"]
        assert (tokens["opening"], tokens["bookedLate"], tokens["closing"]) == ("600", "1", "601")
        assert event.status == "SHORT"
        tied(event, first)

    def test_is_told_by_a_correction(self, world: make.World, at: datetime) -> None:
        first = make.published(world, at=at)
        later = at + 10 * MINUTE
        issue(world, 1, "late mint", at=at - MINUTE)
        supply(world.deployment, 601, at=later)

        correction = make.corrected(first, world, at=later)

        assert roll_forward(correction)["tokens"]["bookedLate"] == "1"
        tied(correction, first)


class TestDebited:
    def test_leaves_out_what_moved_among_the_accounts(
        self, world: make.World, at: datetime
    ) -> None:
        token, account = world.deployment.token, world.account
        settled = chart.shares_settled(token, account.reference)
        pending = chart.shares_pending_receipt(token, account.reference)
        custody.instruction(account, Decimal(40), at=at + MINUTE)

        both = debited([settled, pending], at, at + MINUTE)

        assert both == Movements(
            opening=Decimal(602),
            late=Decimal(0),
            incoming=Decimal(40),
            outgoing=Decimal(0),
            split=Decimal(0),
            closing=Decimal(642),
        )
        assert debited([settled], at, at + MINUTE).closing == Decimal(602)

    def test_counts_a_split_at_each_end_at_which_it_was_not_booked(
        self, world: make.World, at: datetime
    ) -> None:
        settled = chart.shares_settled(world.deployment.token, world.account.reference)

        found = debited([settled], at, at + MINUTE, closing_factor=Fraction(3, 2))

        expected = (Decimal(602), Decimal(301), Decimal(903))
        assert (found.opening, found.split, found.closing) == expected

    def test_opens_with_what_was_stated(self, world: make.World, at: datetime) -> None:
        settled = chart.shares_settled(world.deployment.token, world.account.reference)

        found = debited([settled], at, at + MINUTE, stated=Decimal(610))

        assert found == Movements(
            opening=Decimal(610),
            late=Decimal(-8),
            incoming=Decimal(0),
            outgoing=Decimal(0),
            split=Decimal(0),
            closing=Decimal(602),
        )


class TestCredited:
    def test_turns_the_signs(self, world: make.World, at: datetime) -> None:
        issue(world, 2, "mint", at=at + MINUTE)

        found = credited([chart.tokens_outstanding(world.deployment.token)], at, at + MINUTE)

        assert found == Movements(
            opening=Decimal(600),
            late=Decimal(0),
            incoming=Decimal(2),
            outgoing=Decimal(0),
            split=Decimal(0),
            closing=Decimal(602),
        )


class TestBalances:
    def test_are_those_of_then(self, world: make.World, at: datetime) -> None:
        token = world.deployment.token
        issue(world, 2, "mint", at=at + MINUTE)
        code = chart.tokens_outstanding(token)

        assert balances(f"{token.symbol}/", at)[code] == Decimal(600)
        assert balances(f"{token.symbol}/", at + MINUTE)[code] == Decimal(602)
