"""Random books: what is injected is found, and nothing else."""

from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from issuer.chain.states import IntentState
from issuer.foundation import actors, quantities
from issuer.foundation.identifiers import uuid7
from issuer.instruments import chart
from issuer.instruments.models import Token
from issuer.ledger import services as ledger
from issuer.ledger.services import Line
from issuer.reconciliation import selectors, services
from issuer.reconciliation.models import TokenResult
from issuer.reserves.cover import CoverStatus
from tests.histories import tried
from tests.make import chain, custody, instruments

AT = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)
BEFORE = AT - timedelta(days=1)
ACTOR = actors.system("tests")

amounts = st.decimals(min_value=Decimal("1e-9"), max_value=10**6, places=9)
faults = st.just(Decimal(0)) | amounts


@dataclass(frozen=True)
class Faults:
    """What is wrong in a world, in whole tokens and shares; zero is nothing."""

    minted_unapproved: Decimal
    burned_unbooked: Decimal
    missing_at_custodian: Decimal
    surplus_at_custodian: Decimal


@dataclass(frozen=True)
class Books:
    """What was rightly booked, and what is under way."""

    own: Decimal
    issued: Decimal
    pending: Decimal
    unbooked: Decimal


books = st.builds(Books, **{field.name: amounts for field in fields(Books)})
wrongs = st.builds(Faults, **{field.name: faults for field in fields(Faults)})


def build(right: Books, wrong: Faults) -> Token:
    """Return a token whose books, custodian and chain are `right`, but for what is `wrong`."""
    token = instruments.token()
    deployment = instruments.deployment(token_=token)
    account = custody.account(token_=token)
    custody.settled_shares(account, right.own + right.issued, at=BEFORE)
    custody.instruction(account, right.pending, at=AT, request_id=uuid7())
    ledger.post(
        f"test/{uuid7()}",
        [
            Line(chart.tokens_issued(token), chart.tokens_outstanding(token), right.issued),
            Line(chart.shares_own(token), chart.shares_owed_on_tokens(token), right.issued),
        ],
        effective_at=BEFORE,
        actor=ACTOR,
        at=BEFORE,
    )
    stated = right.own + right.issued - wrong.missing_at_custodian + wrong.surplus_at_custodian
    line = custody.line(account, max(stated, Decimal(0)), pending_receipt=right.pending)
    custody.statement(account.custodian, [line], at=AT)
    units = quantities.to_base_units(right.unbooked, decimals=18)
    chain.intent(deployment, state=IntentState.FINAL, base_units=units)
    supply = right.issued + right.unbooked
    if wrong.minted_unapproved:
        extra = quantities.to_base_units(wrong.minted_unapproved, decimals=18)
        chain.event(deployment, base_units=extra)
        supply += wrong.minted_unapproved
    supply = max(supply - wrong.burned_unbooked, right.unbooked)
    chain.snapshot(
        deployment,
        total_supply_base_units=quantities.to_base_units(supply, decimals=18),
        taken_at=AT,
    )
    return token


class TestRandomBooks(TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        chain.signer()  # the first one loads what changes Python's limits, outside of any example

    @tried(8)
    @given(right=books)
    def test_without_a_fault_leave_nothing_unexplained(self, right: Books) -> None:
        token = build(right, Faults(*[Decimal(0)] * 4))

        run = services.reconcile(token.program, actor=ACTOR, at=AT)

        lines = {line.code: line.quantity for line in selectors.lines_of(run)}
        assert (lines["A10"], lines["B11"]) == (0, 0)
        assert lines["C8"] == right.own
        assert TokenResult.objects.get().status == CoverStatus.COVERED
        assert not selectors.open_breaks().exists()

    @tried(8)
    @given(right=books, wrong=wrongs)
    def test_show_every_fault_by_its_code_and_quantity(self, right: Books, wrong: Faults) -> None:
        token = build(right, wrong)

        services.reconcile(token.program, actor=ACTOR, at=AT)

        found = {row.code: row.quantity for row in selectors.open_breaks(token.program)}
        assert found == expected(right, wrong)


def expected(right: Books, wrong: Faults) -> dict[str, Decimal]:
    """Return the breaks that `wrong` has to show, computed without the code under test."""
    zero = Decimal(0)
    chain_tokens = max(right.issued + wrong.minted_unapproved - wrong.burned_unbooked, zero)
    unexplained = chain_tokens - right.issued
    booked = right.own + right.issued
    stated = max(booked - wrong.missing_at_custodian + wrong.surplus_at_custodian, zero)
    surplus = min(stated, booked) - max(chain_tokens, right.issued)
    breaks = {
        "UNA-MINT": wrong.minted_unapproved,
        "SUP-OVER": max(unexplained, zero),
        "SUP-UNDER": max(-unexplained, zero),
        "CUS-SHORT": max(booked - stated, zero),
        "CUS-LONG": max(stated - booked, zero),
        "BAK-SHORT": max(-surplus, zero),
    }
    return {code: quantity for code, quantity in breaks.items() if quantity}
