"""What custodians are told to deliver: settled by statements that show the shares gone."""

from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from django.db import transaction
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from issuer.custody import errors, selectors, services
from issuer.custody.models import (
    CustodyAccount,
    Direction,
    Purpose,
    SettlementInstruction,
    Statement,
)
from issuer.custody.services import _settlement
from issuer.custody.states import InstructionState
from issuer.foundation.actors import Actor
from issuer.foundation.identifiers import uuid7
from issuer.instruments import services as instruments
from issuer.instruments.errors import SplitInexact
from issuer.ledger.errors import Overdrawn
from tests.custody.test_instructions import MONDAY, WEEKEND, balances, state_of
from tests.make import custody, reserves
from tests.make import instruments as make

pytestmark = pytest.mark.django_db

HUNDRED = Decimal(100)
THURSDAY_BEFORE = timedelta(days=1)


@pytest.fixture
def account(at: datetime) -> CustodyAccount:
    """600 shares there since the day before, of which 100 are owed for burned tokens."""
    return owing(Decimal(600), HUNDRED, at=at)


def owing(held: Decimal, owed: Decimal, *, at: datetime) -> CustodyAccount:
    account = custody.account()
    custody.settled_shares(account, held, at=at - THURSDAY_BEFORE)
    reserves.issue(account.token, held, held, at=at)
    reserves.burn(account.token, owed, owed, at=at)
    return account


def stated(
    account: CustodyAccount, settled: str, *, leaving: str = "0", coming: str = "0", at: datetime
) -> Statement:
    """Take in a statement; it settles what it shows."""
    line = custody.line(
        account,
        Decimal(settled),
        pending_delivery=Decimal(leaving),
        pending_receipt=Decimal(coming),
    )
    return custody.statement(account.custodian, [line], at=at)


def state(instruction: SettlementInstruction) -> str:
    instruction.refresh_from_db()
    return instruction.state


class TestInstructDelivery:
    def test_shows_the_shares_as_on_their_way_out(
        self, account: CustodyAccount, staff: Actor, at: datetime
    ) -> None:
        request_id = uuid7()

        instruction = services.instruct_delivery(
            account=account,
            request_id=request_id,
            quantity=HUNDRED,
            trade_date=at.date(),
            settlement_date=MONDAY,
            receiving_party="A partner's broker",
            actor=staff,
            at=at,
        )

        instruction.refresh_from_db()
        assert (instruction.direction, instruction.purpose) == (
            Direction.DELIVERY,
            Purpose.REDEMPTION,
        )
        assert (instruction.request_id, instruction.counterparty) == (
            request_id,
            "A partner's broker",
        )
        assert str(instruction) == f"100 shares out of {account}"
        assert balances(account) == {
            "settled": 600,
            "owed-on-tokens": 500,
            "pending-delivery": 100,
        }
        assert list(selectors.open_deliveries([account])) == [instruction]
        assert not selectors.open_receipts([account]).exists()

    def test_refuses_more_than_is_owed_for_burned_tokens(
        self, account: CustodyAccount, at: datetime
    ) -> None:
        with pytest.raises(Overdrawn), transaction.atomic():
            custody.delivery(account, Decimal("100.000000001"), at=at)

        assert not selectors.open_deliveries([account]).exists()
        assert balances(account)["burned-not-delivered"] == 100

    def test_refuses_a_second_one_for_a_request_until_the_first_is_canceled(
        self, account: CustodyAccount, staff: Actor, at: datetime
    ) -> None:
        first = custody.delivery(account, Decimal(50), at=at)
        assert first.request_id is not None

        with pytest.raises(errors.RequestInstructed):
            custody.delivery(account, Decimal(50), at=at, request_id=first.request_id)
        services.cancel_instruction(first.pk, actor=staff, at=at)
        again = custody.delivery(account, Decimal(50), at=at, request_id=first.request_id)

        assert list(selectors.open_deliveries([account])) == [again]


class TestSettlement:
    def test_takes_a_statement_that_shows_the_shares_gone(
        self, account: CustodyAccount, at: datetime
    ) -> None:
        delivery = custody.delivery(account, HUNDRED, at=at)

        statement = stated(account, "500", at=at)

        assert state(delivery) == InstructionState.SETTLED
        assert (delivery.evidence, delivery.settled_at) == (statement, at)
        assert balances(account) == {"settled": 500, "owed-on-tokens": 500}

    @pytest.mark.parametrize(
        ("settled", "leaving"),
        [
            pytest.param("600", "100", id="still there, on their way"),
            pytest.param("600", "0", id="still there"),
            pytest.param("500.000000001", "0", id="not all gone"),
            pytest.param("500", "0.000000001", id="gone, and some pending all the same"),
        ],
    )
    def test_refuses_less_and_fails_it_after_its_date(
        self, settled: str, leaving: str, account: CustodyAccount, system: Actor, at: datetime
    ) -> None:
        delivery = custody.delivery(account, HUNDRED, at=at)

        statement = stated(account, settled, leaving=leaving, at=at)

        with pytest.raises(errors.EvidenceInsufficient):
            services.settle_instruction(delivery.pk, evidence=statement, actor=system, at=at)
        assert state(delivery) == InstructionState.INSTRUCTED
        assert services.fail_overdue(actor=system, at=at + WEEKEND) == [delivery]
        assert balances(account)["pending-delivery"] == 100
        stated(account, "500", at=at + WEEKEND)
        assert state(delivery) == InstructionState.SETTLED

    def test_says_how_many_have_gone(
        self, account: CustodyAccount, system: Actor, at: datetime
    ) -> None:
        delivery = custody.delivery(account, HUNDRED, at=at)
        statement = state_of(account, 501, at=at)

        with pytest.raises(errors.EvidenceInsufficient) as refusal:
            services.settle_instruction(delivery.pk, evidence=statement, actor=system, at=at)

        assert refusal.value.facts == {"departed": "99"}

    def test_waits_for_its_date(self, account: CustodyAccount, at: datetime) -> None:
        delivery = custody.delivery(account, HUNDRED, at=at, settlement_date=MONDAY)

        stated(account, "500", at=at)

        assert state(delivery) == InstructionState.INSTRUCTED

    def test_settles_what_came_and_went_by_the_difference_that_is_left(
        self, account: CustodyAccount, at: datetime
    ) -> None:
        delivery = custody.delivery(account, HUNDRED, at=at)
        receipt = custody.instruction(account, Decimal(30), at=at)

        stated(account, "530", at=at)

        assert (state(delivery), state(receipt)) == ("SETTLED", "SETTLED")
        assert custody.booked(account) == 530

    def test_settles_what_went_while_the_other_is_pending(
        self, account: CustodyAccount, at: datetime
    ) -> None:
        delivery = custody.delivery(account, HUNDRED, at=at)
        receipt = custody.instruction(account, Decimal(30), at=at)

        stated(account, "500", coming="30", at=at)

        assert (state(delivery), state(receipt)) == ("SETTLED", "INSTRUCTED")

    def test_takes_no_receipt_that_has_not_come_for_shares_that_are_gone(
        self, account: CustodyAccount, at: datetime
    ) -> None:
        delivery = custody.delivery(account, Decimal(60), at=at)
        receipt = custody.instruction(account, HUNDRED, at=at)

        stated(account, "600", at=at)

        assert (state(delivery), state(receipt)) == ("INSTRUCTED", "INSTRUCTED")
        assert custody.booked(account) == 600

    def test_by_hand_takes_the_difference_as_well(
        self, account: CustodyAccount, system: Actor, at: datetime
    ) -> None:
        delivery = custody.delivery(account, HUNDRED, at=at)
        receipt = custody.instruction(account, Decimal(30), at=at)
        statement = state_of(account, 530, at=at)

        for one in (receipt, delivery):
            services.settle_instruction(one.pk, evidence=statement, actor=system, at=at)

        assert custody.booked(account) == 530
        assert _settlement._shown(account, statement) == []


class TestCancelInstruction:
    def test_owes_the_shares_again(
        self, account: CustodyAccount, staff: Actor, at: datetime
    ) -> None:
        before = balances(account)
        delivery = custody.delivery(account, HUNDRED, at=at)

        services.cancel_instruction(delivery.pk, actor=staff, at=at)

        assert balances(account) == before
        assert state(delivery) == InstructionState.CANCELLED


class TestApplySplit:
    def test_multiplies_what_is_open_and_leaves_the_rest(
        self, account: CustodyAccount, system: Actor, at: datetime
    ) -> None:
        done = SettlementInstruction.objects.get()
        delivery = custody.delivery(account, HUNDRED, at=at)

        with transaction.atomic():
            adjusted = services.apply_split(
                account.token, shares_after=4, shares_before=1, actor=system, at=at
            )

        assert adjusted == [delivery]
        delivery.refresh_from_db()
        done.refresh_from_db()
        assert (delivery.quantity, done.quantity) == (400, 600)
        step = delivery.transitions.get()
        assert (step.step, step.origin, step.destination) == ("ADJUST", "INSTRUCTED", "INSTRUCTED")

    def test_refuses_what_the_custodian_cannot_count(
        self, account: CustodyAccount, system: Actor, at: datetime
    ) -> None:
        custody.delivery(account, HUNDRED, at=at)

        with pytest.raises(SplitInexact) as refusal, transaction.atomic():
            services.apply_split(
                account.token, shares_after=1, shares_before=3, actor=system, at=at
            )

        assert refusal.value.facts["quantity"] == "100"
        assert SettlementInstruction.objects.filter(quantity=100).count() == 1

    @pytest.mark.django_db(transaction=True)
    def test_is_half_of_a_change(self, system: Actor, at: datetime) -> None:
        token = make.token()
        with pytest.raises(RuntimeError):
            services.apply_split(token, shares_after=4, shares_before=1, actor=system, at=at)


class TestOverASplit:
    """A statement of the evening before counts old shares, and settles nothing in new ones."""

    def test_compares_no_statement_with_books_that_count_other_shares(
        self, account: CustodyAccount, system: Actor, at: datetime
    ) -> None:
        split = make.split(account.token, effective_at=at + timedelta(hours=1), at=at)
        delivery = custody.delivery(account, HUNDRED, at=at)
        with transaction.atomic():
            instruments.record_split_booked(split.pk, actor=system, at=split.effective_at)
        old = stated(account, "500", at=at)

        assert state(delivery) == InstructionState.INSTRUCTED
        assert not selectors.counts_as_booked(old, account.token)
        with pytest.raises(errors.EvidenceInsufficient):
            services.settle_instruction(delivery.pk, evidence=old, actor=system, at=at)
        stated(account, "500", at=at + WEEKEND)
        assert state(delivery) == InstructionState.SETTLED

    def test_compares_no_new_statement_with_old_books(
        self, account: CustodyAccount, at: datetime
    ) -> None:
        make.split(account.token, effective_at=at + timedelta(hours=1), at=at)
        delivery = custody.delivery(account, HUNDRED, at=at)

        stated(account, "500", at=at + timedelta(hours=7))

        assert state(delivery) == InstructionState.INSTRUCTED


class TestAnything(TestCase):
    """Whatever came and went, while the other side is pending: the books follow to the share."""

    @settings(max_examples=20, deadline=None)
    @given(
        moves=st.lists(
            st.tuples(st.sampled_from(["in", "out"]), st.integers(1, 50)), min_size=1, max_size=5
        ),
        came=st.booleans(),
        went=st.booleans(),
    )
    def test_settles_what_moved_where_the_rest_is_pending(
        self, moves: list[tuple[str, int]], came: bool, went: bool
    ) -> None:
        at = datetime.fromisoformat("2026-11-20T15:00:00+00:00")
        account = owing(Decimal(600), Decimal(250), at=at)
        for way, quantity in moves:
            instruct = custody.instruction if way == "in" else custody.delivery
            instruct(account, Decimal(quantity), at=at)
        ins = sum(quantity for way, quantity in moves if way == "in")
        outs = sum(quantity for way, quantity in moves if way == "out")

        stated(
            account,
            str(600 + ins * came - outs * went),
            coming=str(ins * (not came)),
            leaving=str(outs * (not went)),
            at=at,
        )

        assert custody.booked(account) == 600 + ins * came - outs * went
        assert selectors.open_receipts([account]).exists() == (ins > 0 and not came)
        assert selectors.open_deliveries([account]).exists() == (outs > 0 and not went)
