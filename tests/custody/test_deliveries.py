"""What custodians are told to deliver: settled by statements that show the shares gone."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import transaction
from hypothesis import given
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
from issuer.foundation.errors import IllegalTransition
from issuer.foundation.identifiers import uuid7
from issuer.instruments import services as instruments
from issuer.instruments.errors import SplitInexact
from issuer.ledger.errors import Overdrawn
from tests.custody.test_instructions import MONDAY, WEEKEND, balances, state_of
from tests.histories import tried
from tests.make import corporate_actions, custody, reserves
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


def naming(
    account: CustodyAccount,
    settled: str,
    instructions: Mapping[SettlementInstruction, str],
    *,
    supersedes: Statement | None = None,
    at: datetime,
) -> Statement:
    """Take in a statement that says how much of which instructions has settled so far."""
    return custody.statement(
        account.custodian,
        [custody.line(account, Decimal(settled))],
        instructions=[
            custody.instruction_line(one, Decimal(so_far)) for one, so_far in instructions.items()
        ],
        supersedes="" if supersedes is None else supersedes.reference,
        at=at,
    )


def account_of_more(account: CustodyAccount, *, at: datetime) -> CustodyAccount:
    """Another account of the same token, with 40 shares of the SPV's own."""
    other = custody.account(token_=account.token)
    custody.settled_shares(other, Decimal(40), at=at - THURSDAY_BEFORE)
    return other


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
        assert _settlement._shown(account, statement).moves == []


class TestInDoubt:
    """What a position leaves open stays open, until a statement names it or somebody asks."""

    def test_takes_no_equal_receipt_and_delivery_for_settled_by_an_unchanged_position(
        self, account: CustodyAccount, system: Actor, at: datetime
    ) -> None:
        delivery = custody.delivery(account, HUNDRED, at=at)
        receipt = custody.instruction(account, HUNDRED, at=at)
        before = balances(account)

        statement = stated(account, "600", at=at)

        assert (state(delivery), state(receipt)) == ("INSTRUCTED", "INSTRUCTED")
        assert balances(account) == before
        for one in (delivery, receipt):
            with pytest.raises(errors.EvidenceInsufficient):
                services.settle_instruction(one.pk, evidence=statement, actor=system, at=at)
        assert services.fail_overdue(actor=system, at=at + WEEKEND) == [delivery, receipt]
        assert state(delivery) == InstructionState.FAILED
        assert delivery.reason == (
            f"Several instructions explain the change by 0 shares in {statement}."
        )
        assert balances(account) == before

    def test_settles_both_once_the_custodian_names_them(
        self, account: CustodyAccount, at: datetime
    ) -> None:
        delivery = custody.delivery(account, HUNDRED, at=at)
        receipt = custody.instruction(account, HUNDRED, at=at)
        first = stated(account, "600", at=at)

        naming(account, "600", {delivery: "100", receipt: "100"}, supersedes=first, at=at)

        assert (state(delivery), state(receipt)) == ("SETTLED", "SETTLED")
        assert balances(account) == {"settled": 600, "owed-on-tokens": 500, "own": 100}

    def test_settles_neither_if_the_custodian_names_them_as_not_carried_out(
        self, account: CustodyAccount, system: Actor, at: datetime
    ) -> None:
        delivery = custody.delivery(account, HUNDRED, at=at)
        receipt = custody.instruction(account, HUNDRED, at=at)

        statement = naming(account, "600", {delivery: "0", receipt: "0"}, at=at)

        assert (state(delivery), state(receipt)) == ("INSTRUCTED", "INSTRUCTED")
        services.fail_overdue(actor=system, at=at + WEEKEND)
        delivery.refresh_from_db()
        assert delivery.reason == f"{statement} does not show the shares to have gone."

    def test_settles_no_one_of_two_of_a_size_but_the_one_that_somebody_asked_about(
        self, account: CustodyAccount, system: Actor, at: datetime
    ) -> None:
        first, second = (custody.delivery(account, Decimal(50), at=at) for _ in range(2))

        statement = stated(account, "550", at=at)

        assert (state(first), state(second)) == ("INSTRUCTED", "INSTRUCTED")
        services.settle_instruction(second.pk, evidence=statement, actor=system, at=at)
        with pytest.raises(errors.EvidenceInsufficient):
            services.settle_instruction(first.pk, evidence=statement, actor=system, at=at)
        assert (state(first), state(second)) == ("INSTRUCTED", "SETTLED")
        assert balances(account) == {
            "settled": 550,
            "owed-on-tokens": 500,
            "pending-delivery": 50,
        }

    def test_takes_the_named_one_of_two_and_refuses_the_other(
        self, account: CustodyAccount, system: Actor, at: datetime
    ) -> None:
        first, second = (custody.delivery(account, Decimal(50), at=at) for _ in range(2))

        statement = naming(account, "550", {first: "0", second: "50"}, at=at)

        assert (state(first), state(second)) == ("INSTRUCTED", "SETTLED")
        with pytest.raises(errors.EvidenceInsufficient):
            services.settle_instruction(first.pk, evidence=statement, actor=system, at=at)

    def test_explains_by_position_what_is_not_named(
        self, account: CustodyAccount, at: datetime
    ) -> None:
        first, second = (custody.delivery(account, Decimal(50), at=at) for _ in range(2))
        receipt = custody.instruction(account, Decimal(7), at=at)

        naming(account, "557", {first: "50", second: "0"}, at=at)

        assert [state(one) for one in (first, second, receipt)] == [
            "SETTLED",
            "INSTRUCTED",
            "SETTLED",
        ]

    def test_takes_no_named_receipt_whose_shares_are_not_there(
        self, account: CustodyAccount, at: datetime
    ) -> None:
        receipt = custody.instruction(account, HUNDRED, at=at)
        before = balances(account)

        naming(account, "699", {receipt: "100"}, at=at)

        assert state(receipt) == "INSTRUCTED"
        assert balances(account) == before

    def test_takes_a_named_one_before_its_date_into_account_and_settles_it_on_it(
        self, account: CustodyAccount, at: datetime
    ) -> None:
        early = custody.delivery(account, Decimal(60), at=at, settlement_date=MONDAY)
        due = custody.delivery(account, Decimal(40), at=at)

        naming(account, "500", {early: "60"}, at=at)
        assert (state(early), state(due)) == ("INSTRUCTED", "SETTLED")
        stated(account, "500", at=at + WEEKEND)
        assert state(early) == "SETTLED"

    @pytest.mark.parametrize(
        ("settled", "leaving"),
        [
            pytest.param("600", "0", id="still there"),
            pytest.param("600", "100", id="still there, and on their way"),
            pytest.param("500.000000001", "0", id="not all gone"),
        ],
    )
    def test_takes_no_named_delivery_whose_shares_are_still_there(
        self, settled: str, leaving: str, account: CustodyAccount, system: Actor, at: datetime
    ) -> None:
        delivery = custody.delivery(account, HUNDRED, at=at)
        before = balances(account)
        line = custody.line(account, Decimal(settled), pending_delivery=Decimal(leaving))

        statement = custody.statement(
            account.custodian,
            [line],
            instructions=[custody.instruction_line(delivery, HUNDRED)],
            at=at,
        )

        with pytest.raises(errors.EvidenceInsufficient):
            services.settle_instruction(delivery.pk, evidence=statement, actor=system, at=at)
        assert (state(delivery), balances(account)) == ("INSTRUCTED", before)
        assert services.fail_overdue(actor=system, at=at + WEEKEND) == [delivery]
        assert state(delivery) == "FAILED"
        assert delivery.reason == (
            f"{statement} says that its shares have gone, and its position that they have not."
        )
        stated(account, "500", at=at + WEEKEND)
        assert state(delivery) == "SETTLED"

    def test_takes_a_named_delivery_beside_a_receipt_that_has_come_early(
        self, account: CustodyAccount, at: datetime
    ) -> None:
        delivery = custody.delivery(account, HUNDRED, at=at)
        receipt = custody.instruction(account, Decimal(30), at=at, settlement_date=MONDAY)

        naming(account, "530", {delivery: "100"}, at=at)

        assert (state(delivery), state(receipt)) == ("SETTLED", "INSTRUCTED")

    def test_gives_no_shares_that_are_named_to_another_by_hand(
        self, account: CustodyAccount, staff: Actor, at: datetime
    ) -> None:
        early = custody.instruction(account, HUNDRED, at=at, settlement_date=MONDAY)
        due = custody.instruction(account, HUNDRED, at=at)
        statement = naming(account, "700", {early: "100"}, at=at)
        before = balances(account)

        with pytest.raises(errors.EvidenceInsufficient) as refusal:
            services.settle_instruction(due.pk, evidence=statement, actor=staff, at=at)

        assert refusal.value.facts == {"arrived": "0"}
        assert (state(early), state(due)) == ("INSTRUCTED", "INSTRUCTED")
        assert balances(account) == before
        naming(account, "700", {early: "100", due: "0"}, at=at + WEEKEND)
        assert (state(early), state(due)) == ("SETTLED", "INSTRUCTED")

    @pytest.mark.parametrize(("taken_back", "settled"), [(False, "100.000000001"), (True, "1")])
    def test_refuses_a_file_that_names_more_than_may_have_moved(
        self,
        taken_back: bool,
        settled: str,
        account: CustodyAccount,
        staff: Actor,
        at: datetime,
    ) -> None:
        receipt = custody.instruction(account, HUNDRED, at=at)
        if taken_back:
            services.cancel_instruction(receipt.pk, actor=staff, at=at)
        before, statements = state(receipt), Statement.objects.count()

        with pytest.raises(errors.StatementInconsistent) as refusal, transaction.atomic():
            naming(account, "700", {receipt: settled}, at=at)

        assert refusal.value.facts["column"] == "settled"
        assert (state(receipt), Statement.objects.count()) == (before, statements)

    def test_refuses_a_file_that_names_what_is_not_ours(
        self, account: CustodyAccount, at: datetime
    ) -> None:
        other = custody.instruction_line(custody.instruction(at=at), HUNDRED)
        statements = Statement.objects.count()

        for reference in ("X", account.reference):
            with pytest.raises(errors.StatementUnknownInstruction) as refusal, transaction.atomic():
                custody.statement(
                    account.custodian,
                    [custody.line(account, Decimal(600))],
                    instructions=[replace(other, account=reference)],
                    at=at,
                )
            assert refusal.value.facts == {"line": "8", "account": reference}

        assert Statement.objects.count() == statements


class TestBeforeTheirDate:
    """What may have been carried out early leaves a position in doubt, unless all kept the date."""

    def test_settles_what_is_due_where_exactly_the_rest_is_pending(
        self, account: CustodyAccount, at: datetime
    ) -> None:
        due = custody.delivery(account, Decimal(50), at=at)
        early = custody.delivery(account, Decimal(50), at=at, settlement_date=MONDAY)

        stated(account, "550", leaving="50", at=at)

        assert (state(due), state(early)) == ("SETTLED", "INSTRUCTED")

    def test_settles_neither_of_a_size_where_the_rest_is_not_pending(
        self, account: CustodyAccount, system: Actor, at: datetime
    ) -> None:
        due = custody.delivery(account, Decimal(50), at=at)
        early = custody.delivery(account, Decimal(50), at=at, settlement_date=MONDAY)

        statement = stated(account, "550", at=at)

        assert (state(due), state(early)) == ("INSTRUCTED", "INSTRUCTED")
        services.settle_instruction(due.pk, evidence=statement, actor=system, at=at)
        assert (state(due), state(early)) == ("SETTLED", "INSTRUCTED")

    def test_takes_no_part_of_what_is_due_for_another_that_left_early(
        self, account: CustodyAccount, staff: Actor, at: datetime
    ) -> None:
        due = custody.delivery(account, Decimal(60), at=at)
        early = custody.delivery(account, Decimal(40), at=at, settlement_date=MONDAY)

        stated(account, "560", leaving="60", at=at)

        assert (state(due), state(early)) == ("INSTRUCTED", "INSTRUCTED")
        assert due.settled_quantity == 0
        assert custody.booked(account) == 600

    def test_takes_no_part_while_another_is_not_pending(
        self, account: CustodyAccount, at: datetime
    ) -> None:
        due = custody.delivery(account, Decimal(60), at=at)
        custody.delivery(account, Decimal(40), at=at, settlement_date=MONDAY)

        stated(account, "570", leaving="30", at=at)

        assert state(due) == "INSTRUCTED"
        assert due.settled_quantity == 0

    def test_settles_a_part_while_all_the_rest_is_pending(
        self, account: CustodyAccount, at: datetime
    ) -> None:
        due = custody.delivery(account, Decimal(60), at=at)
        custody.delivery(account, Decimal(40), at=at, settlement_date=MONDAY)

        stated(account, "570", leaving="70", at=at)

        due.refresh_from_db()
        assert due.settled_quantity == 30

    def test_settles_what_is_due_of_the_only_choice(
        self, account: CustodyAccount, at: datetime
    ) -> None:
        due = custody.delivery(account, Decimal(60), at=at)
        early = custody.delivery(account, Decimal(40), at=at, settlement_date=MONDAY)

        stated(account, "500", at=at)

        assert (state(due), state(early)) == ("SETTLED", "INSTRUCTED")


class TestInParts:
    """A custodian delivers 60 of 100 and has 40 pending: 60 are gone, and 40 on their way."""

    def test_settles_the_part_that_has_gone_and_then_the_rest(
        self, account: CustodyAccount, at: datetime
    ) -> None:
        delivery = custody.delivery(account, HUNDRED, at=at)

        statement = stated(account, "540", leaving="40", at=at)

        assert state(delivery) == InstructionState.INSTRUCTED
        assert [delivery.settled_quantity, delivery.remaining] == [60, 40]
        assert (delivery.evidence, delivery.settled_at) == (None, None)
        part = delivery.transitions.get()
        assert (part.step, part.detail) == ("SETTLE_PART", f"60 of 100 shares, by {statement}")
        assert balances(account) == {
            "settled": 540,
            "owed-on-tokens": 500,
            "pending-delivery": 40,
        }
        later = stated(account, "500", at=at + WEEKEND)
        assert state(delivery) == InstructionState.SETTLED
        assert (delivery.settled_quantity, delivery.evidence) == (100, later)
        assert balances(account) == {"settled": 500, "owed-on-tokens": 500}

    def test_settles_three_parts_that_are_named_and_repeated(
        self, account: CustodyAccount, at: datetime
    ) -> None:
        delivery = custody.delivery(account, HUNDRED, at=at)

        for day, (settled, so_far) in enumerate([("590", 10), ("590", 10), ("560", 40)]):
            now = at + WEEKEND + timedelta(days=day)
            naming(account, settled, {delivery: str(so_far)}, at=now)
            delivery.refresh_from_db()
            assert delivery.settled_quantity == so_far
            assert custody.booked(account) == 600 - so_far
        stated(account, "500", at=at + WEEKEND + timedelta(days=3))
        assert state(delivery) == InstructionState.SETTLED

    def test_settles_a_part_of_a_receipt_for_whom_it_is_for(
        self, account: CustodyAccount, at: datetime
    ) -> None:
        receipt = custody.instruction(account, HUNDRED, at=at, request_id=uuid7())

        stated(account, "660", coming="40", at=at)

        assert state(receipt) == "INSTRUCTED"
        assert receipt.settled_quantity == 60
        assert balances(account) == {
            "settled": 660,
            "owed-on-tokens": 500,
            "burned-not-delivered": 100,
            "pending-receipt": 40,
            "awaited": 40,
            "paid-not-minted": 60,
        }

    def test_fails_the_rest_after_its_date_and_instructs_it_again(
        self, account: CustodyAccount, staff: Actor, system: Actor, at: datetime
    ) -> None:
        delivery = custody.delivery(account, HUNDRED, at=at)
        statement = stated(account, "540", leaving="40", at=at)

        assert services.fail_overdue(actor=system, at=at + WEEKEND) == [delivery]
        assert state(delivery) == InstructionState.FAILED
        assert delivery.reason == f"By {statement}, 60 of the shares have gone, and not the rest."
        again_on = (at + WEEKEND).date()
        services.reinstruct(
            delivery.pk,
            trade_date=again_on,
            settlement_date=again_on,
            counterparty="Another broker",
            actor=staff,
            at=at + WEEKEND,
        )

        assert state(delivery) == InstructionState.INSTRUCTED
        assert (delivery.settlement_date, delivery.counterparty) == (again_on, "Another broker")
        assert delivery.reason == ""
        assert delivery.remaining == 40
        assert balances(account)["pending-delivery"] == 40
        stated(account, "500", at=at + WEEKEND)
        assert state(delivery) == InstructionState.SETTLED
        assert balances(account) == {"settled": 500, "owed-on-tokens": 500}

    def test_settles_a_part_of_what_has_failed(
        self, account: CustodyAccount, system: Actor, at: datetime
    ) -> None:
        delivery = custody.delivery(account, HUNDRED, at=at)
        services.fail_instruction(delivery.pk, reason="No shares.", actor=system, at=at)

        stated(account, "540", leaving="40", at=at)

        assert (state(delivery), delivery.reason) == ("FAILED", "No shares.")
        assert [delivery.settled_quantity, custody.booked(account)] == [60, 540]

    def test_is_not_taken_back(self, account: CustodyAccount, staff: Actor, at: datetime) -> None:
        delivery = custody.delivery(account, HUNDRED, at=at)
        stated(account, "540", leaving="40", at=at)
        before = balances(account)

        with pytest.raises(errors.InstructionPartlySettled) as refusal:
            services.cancel_instruction(delivery.pk, actor=staff, at=at)

        assert refusal.value.facts == {"settled": "60"}
        assert (state(delivery), balances(account)) == ("INSTRUCTED", before)

    def test_is_split_with_what_has_gone_of_it(
        self, account: CustodyAccount, system: Actor, at: datetime
    ) -> None:
        delivery = custody.delivery(account, HUNDRED, at=at)
        stated(account, "540", leaving="40", at=at)

        with transaction.atomic():
            services.apply_split(
                account.token, shares_after=4, shares_before=1, actor=system, at=at
            )

        delivery.refresh_from_db()
        assert [delivery.quantity, delivery.settled_quantity, delivery.remaining] == [400, 240, 160]


class TestReinstruct:
    @pytest.mark.parametrize("days", [-1, 0])
    def test_refuses_what_has_not_failed_and_dates_in_the_wrong_order(
        self, days: int, account: CustodyAccount, staff: Actor, system: Actor, at: datetime
    ) -> None:
        delivery = custody.delivery(account, HUNDRED, at=at)
        again: dict[str, Any] = {"counterparty": "A broker", "actor": staff, "at": at}
        again |= {"trade_date": MONDAY, "settlement_date": MONDAY + timedelta(days=days)}
        if days:
            services.fail_instruction(delivery.pk, reason="No shares.", actor=system, at=at)

        with pytest.raises(errors.SettlementBeforeTrade if days else IllegalTransition):
            services.reinstruct(delivery.pk, **again)

        assert state(delivery) == ("FAILED" if days else "INSTRUCTED")
        assert delivery.settlement_date == at.date()


class TestFreeShares:
    """Nothing leaves an account that is not free there, whatever others of the token have."""

    def test_refuses_what_only_another_account_has(
        self, account: CustodyAccount, at: datetime
    ) -> None:
        other = account_of_more(account, at=at)
        before = balances(other)

        with pytest.raises(errors.AccountSharesNotFree) as refusal, transaction.atomic():
            custody.delivery(other, Decimal("40.000000001"), at=at)

        assert refusal.value.facts == {"free": "40", "needed": "40.000000001"}
        assert balances(other) == before
        custody.delivery(other, Decimal(40), at=at)
        custody.delivery(account, Decimal(60), at=at)
        assert [selectors.deliverable(one) for one in (account, other)] == [540, 0]

    @pytest.mark.parametrize(
        ("line", "free"),
        [
            pytest.param({"pending_delivery": Decimal(550)}, "50", id="pending beyond ours"),
            pytest.param({"lent": Decimal(560)}, "40", id="lent"),
            pytest.param({"blocked": Decimal(570)}, "30", id="blocked"),
        ],
    )
    def test_refuses_what_somebody_else_has_a_claim_on(
        self, line: dict[str, Decimal], free: str, account: CustodyAccount, at: datetime
    ) -> None:
        lines = [custody.line(account, Decimal(600), **line)]
        custody.statement(account.custodian, lines, at=at)

        with pytest.raises(errors.AccountSharesNotFree) as refusal:
            custody.delivery(account, HUNDRED, at=at)

        assert refusal.value.facts == {"free": free, "needed": "100"}

    def test_refuses_shares_that_the_custodian_does_not_show(
        self, account: CustodyAccount, at: datetime
    ) -> None:
        stated(account, "70", at=at)

        with pytest.raises(errors.AccountSharesNotFree) as refusal:
            custody.delivery(account, HUNDRED, at=at)

        assert refusal.value.facts == {"free": "70", "needed": "100"}

    def test_refuses_any_of_an_account_that_no_statement_speaks_of(
        self, account: CustodyAccount, at: datetime
    ) -> None:
        young = custody.account(token_=account.token, opened_at=at)

        with pytest.raises(errors.AccountSharesNotFree) as refusal:
            custody.delivery(young, Decimal("1e-9"), at=at)

        assert refusal.value.facts == {"free": "0", "needed": "0.000000001"}

    def test_counts_none_that_is_missing_as_delivered(
        self, account: CustodyAccount, at: datetime
    ) -> None:
        custody.delivery(account, Decimal(60), at=at, settlement_date=MONDAY)
        custody.delivery(account, Decimal(40), at=at, settlement_date=MONDAY)

        first = stated(account, "560", at=at)
        assert selectors.deliverable(account) == 500
        line = custody.line(account, Decimal(570))
        custody.statement(account.custodian, [line], at=at, supersedes=first.reference)
        assert selectors.deliverable(account) == 470

    @pytest.mark.parametrize("booked", [True, False])
    def test_counts_shares_as_the_books_do_over_a_split(
        self, booked: bool, account: CustodyAccount, system: Actor, at: datetime
    ) -> None:
        split = make.split(account.token, effective_at=at + timedelta(hours=1), at=at)
        if booked:
            reserves.split_books(split, at=split.effective_at)
            assert selectors.deliverable(account) == 2400
        else:
            stated(account, "2400", at=at + timedelta(hours=7))
            assert selectors.deliverable(account) == 600


class TestCancelInstruction:
    @pytest.mark.parametrize(
        ("settled", "leaving"),
        [
            pytest.param("600", "100", id="it is about to leave"),
            pytest.param("600", "51", id="some of it is"),
            pytest.param("500.000000001", "0", id="it may have left"),
            pytest.param("540", "0", id="some of it may have"),
        ],
    )
    def test_refuses_while_the_shares_may_have_left_or_may_leave(
        self, settled: str, leaving: str, account: CustodyAccount, staff: Actor, at: datetime
    ) -> None:
        delivery = custody.delivery(account, Decimal(50), at=at, settlement_date=MONDAY)
        other = custody.delivery(account, Decimal(50), at=at, settlement_date=MONDAY)
        stated(account, settled, leaving=leaving, at=at)
        before = balances(account)

        with pytest.raises(errors.SharesMayHaveLeft):
            services.cancel_instruction(delivery.pk, actor=staff, at=at)

        assert (state(delivery), state(other)) == ("INSTRUCTED", "INSTRUCTED")
        assert balances(account) == before

    def test_takes_one_back_that_is_there_though_a_split_has_reached_one_side_alone(
        self, account: CustodyAccount, staff: Actor, at: datetime
    ) -> None:
        delivery = custody.delivery(account, Decimal(50), at=at, settlement_date=MONDAY)
        split = corporate_actions.stock_split(token_=account.token, at=at)
        corporate_actions.scheduled(split, at=at)
        after = split.effective_at + timedelta(minutes=1)
        stated(account, "2200", leaving="200", at=after)
        with pytest.raises(errors.SharesMayHaveLeft):
            services.cancel_instruction(delivery.pk, actor=staff, at=after)
        monday = after + timedelta(days=3)
        stated(account, "2400", at=monday)

        services.cancel_instruction(delivery.pk, actor=staff, at=monday)

        assert state(delivery) == "CANCELLED"
        assert balances(account)["burned-not-delivered"] == 100

    def test_takes_one_back_while_others_leave(
        self, account: CustodyAccount, staff: Actor, at: datetime
    ) -> None:
        delivery = custody.delivery(account, Decimal(50), at=at, settlement_date=MONDAY)
        custody.delivery(account, Decimal(50), at=at, settlement_date=MONDAY)
        stated(account, "600", leaving="50", at=at)

        services.cancel_instruction(delivery.pk, actor=staff, at=at)

        assert balances(account)["burned-not-delivered"] == 50

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

    @tried(10)
    @given(
        moves=st.lists(
            st.tuples(st.sampled_from(["in", "out"]), st.integers(1, 50)), min_size=1, max_size=5
        ),
        moved=st.sampled_from(["in", "out", "none"]),
    )
    def test_settles_what_moved_where_the_rest_is_pending(
        self, moves: list[tuple[str, int]], moved: str
    ) -> None:
        came, went = moved == "in", moved == "out"
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
