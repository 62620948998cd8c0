"""What custodians are told to take in: settled by statements only, never by anybody's word."""

from datetime import date, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from issuer.audit.models import AuditEvent
from issuer.custody import errors, selectors, services
from issuer.custody.models import (
    CustodyAccount,
    InstructionTransition,
    Purpose,
    SettlementInstruction,
    Statement,
)
from issuer.custody.states import InstructionState
from issuer.foundation import actors
from issuer.foundation.actors import Actor
from issuer.foundation.errors import DomainError, IllegalTransition
from issuer.foundation.identifiers import uuid7
from issuer.foundation.quantities import QuantityTooFine
from issuer.instruments import chart
from issuer.ledger import selectors as books
from issuer.ledger.models import Transfer
from tests.histories import tried
from tests.make import custody

pytestmark = pytest.mark.django_db

FRIDAY = date(2026, 11, 20)
MONDAY = date(2026, 11, 23)
WEEKEND = timedelta(days=3)
SIX_HUNDRED = Decimal(600)


@pytest.fixture
def account() -> CustodyAccount:
    return custody.account()


def balances(account: CustodyAccount) -> dict[str, Decimal]:
    """Return the share accounts of the token that hold something, by the end of their codes."""
    held = books.balances(f"{account.token.symbol}/shares/")
    return {
        code.removeprefix(f"{account.token.symbol}/shares/").partition("/")[0]: balance
        for code, balance in held.items()
        if balance
    }


def state_of(statement_of: CustodyAccount, settled: int, *, at: datetime) -> Statement:
    """Take in a statement without settling what it shows."""
    raw = custody.statement_file(
        statement_of.custodian,
        [custody.line(statement_of, Decimal(settled))],
        as_of_date=at.date(),
    )
    return services.load_statement(
        custodian=statement_of.custodian,
        file_name="statement.csv",
        raw=raw,
        actor=actors.system("tests"),
        at=at,
    )


class TestInstructReceipt:
    def test_shows_the_shares_as_on_their_way(
        self, account: CustodyAccount, staff: Actor, at: datetime
    ) -> None:
        request_id = uuid7()

        instruction = services.instruct_receipt(
            account=account,
            purpose=Purpose.ISSUANCE,
            quantity=SIX_HUNDRED,
            request_id=request_id,
            trade_date=FRIDAY,
            settlement_date=MONDAY,
            delivering_party="A partner's broker",
            actor=staff,
            at=at,
        )

        instruction.refresh_from_db()
        assert instruction.state == InstructionState.INSTRUCTED
        assert (instruction.request_id, instruction.quantity) == (request_id, SIX_HUNDRED)
        assert (instruction.trade_date, instruction.settlement_date) == (FRIDAY, MONDAY)
        assert (instruction.instructed_by, instruction.instructed_at) == (str(staff), at)
        assert balances(account) == {"pending-receipt": SIX_HUNDRED, "awaited": SIX_HUNDRED}
        assert AuditEvent.objects.get(action="instruction.instruct").facts["quantity"] == "600"

    @pytest.mark.parametrize(
        ("quantity", "settlement_date", "refusal"),
        [
            pytest.param("0", MONDAY, errors.InstructionForNothing, id="nothing"),
            pytest.param("-1", MONDAY, errors.InstructionForNothing, id="negative"),
            pytest.param("0.0000000001", MONDAY, QuantityTooFine, id="ten decimal places"),
            pytest.param("1", date(2026, 11, 19), errors.SettlementBeforeTrade, id="before trade"),
        ],
    )
    def test_refuses_and_writes_nothing(
        self,
        quantity: str,
        settlement_date: date,
        refusal: type[DomainError],
        account: CustodyAccount,
        staff: Actor,
        at: datetime,
    ) -> None:
        with pytest.raises(refusal):
            services.instruct_receipt(
                account=account,
                purpose=Purpose.OWN_SHARES,
                quantity=Decimal(quantity),
                trade_date=FRIDAY,
                settlement_date=settlement_date,
                delivering_party="A broker",
                actor=staff,
                at=at,
            )

        assert not SettlementInstruction.objects.exists()
        assert balances(account) == {}

    def test_refuses_a_second_one_for_a_request(
        self, account: CustodyAccount, at: datetime
    ) -> None:
        request_id = uuid7()
        custody.instruction(account, at=at, request_id=request_id)

        with pytest.raises(errors.RequestInstructed):
            custody.instruction(account, at=at, request_id=request_id)

        assert SettlementInstruction.objects.count() == 1
        assert balances(account)["awaited"] == SIX_HUNDRED


class TestSettleInstruction:
    @pytest.mark.parametrize(("request_id", "whose"), [(uuid7(), "paid-not-minted"), (None, "own")])
    def test_moves_the_shares_into_the_books_of_their_owner(
        self,
        request_id: UUID | None,
        whose: str,
        account: CustodyAccount,
        staff: Actor,
        at: datetime,
    ) -> None:
        instruction = custody.instruction(account, at=at, request_id=request_id)
        statement = state_of(account, 600, at=at)

        settled = services.settle_instruction(
            instruction.pk, evidence=statement, actor=staff, at=at
        )

        settled.refresh_from_db()
        assert settled.state == InstructionState.SETTLED
        assert (settled.evidence, settled.settled_at) == (statement, at)
        assert balances(account) == {"settled": SIX_HUNDRED, whose: SIX_HUNDRED}
        step = InstructionTransition.objects.get()
        assert (step.step, step.origin, step.destination) == ("SETTLE", "INSTRUCTED", "SETTLED")
        assert (step.actor, step.occurred_at) == (str(staff), at)

    def test_refuses_while_the_shares_are_pending(
        self, account: CustodyAccount, staff: Actor, at: datetime
    ) -> None:
        instruction = custody.instruction(account, at=at)
        pending = custody.line(account, Decimal(0), pending_receipt=SIX_HUNDRED)
        statement = custody.statement(account.custodian, [pending], at=at)

        with pytest.raises(errors.EvidenceInsufficient):
            services.settle_instruction(instruction.pk, evidence=statement, actor=staff, at=at)

        self.assert_unsettled(instruction, account)

    def test_refuses_shares_that_are_in_the_books_already(
        self, account: CustodyAccount, staff: Actor, at: datetime
    ) -> None:
        custody.settled_shares(account, Decimal(500), at=at - timedelta(days=1))
        instruction = custody.instruction(account, at=at)
        statement = state_of(account, 1099, at=at)

        with pytest.raises(errors.EvidenceInsufficient) as refusal:
            services.settle_instruction(instruction.pk, evidence=statement, actor=staff, at=at)

        assert refusal.value.facts == {"arrived": "599"}
        assert custody.booked(account) == 500

    def test_refuses_a_surplus_while_the_shares_are_pending(
        self, account: CustodyAccount, staff: Actor, at: datetime
    ) -> None:
        instruction = custody.instruction(account, at=at)
        surplus = custody.line(account, SIX_HUNDRED, pending_receipt=Decimal("0.000000001"))
        statement = custody.statement(account.custodian, [surplus], at=at)

        with pytest.raises(errors.EvidenceInsufficient) as refusal:
            services.settle_instruction(instruction.pk, evidence=statement, actor=staff, at=at)

        assert refusal.value.facts == {"arrived": "599.999999999"}
        self.assert_unsettled(instruction, account)

    def test_refuses_a_statement_of_a_day_before_the_settlement_date(
        self, account: CustodyAccount, staff: Actor, at: datetime
    ) -> None:
        instruction = custody.instruction(account, at=at, settlement_date=MONDAY)
        statement = state_of(account, 600, at=at)

        with pytest.raises(errors.EvidenceInsufficient):
            services.settle_instruction(instruction.pk, evidence=statement, actor=staff, at=at)

        self.assert_unsettled(instruction, account)

    def test_refuses_a_statement_that_is_not_the_current_one(
        self, account: CustodyAccount, staff: Actor, at: datetime
    ) -> None:
        instruction = custody.instruction(account, at=at)
        old = state_of(account, 600, at=at)
        state_of(account, 0, at=at + WEEKEND)

        with pytest.raises(errors.EvidenceInsufficient):
            services.settle_instruction(instruction.pk, evidence=old, actor=staff, at=at + WEEKEND)

        self.assert_unsettled(instruction, account)

    def test_refuses_another_custodians_statement(
        self, account: CustodyAccount, staff: Actor, at: datetime
    ) -> None:
        instruction = custody.instruction(account, at=at)
        other = state_of(custody.account(), 600, at=at)

        with pytest.raises(errors.EvidenceInsufficient):
            services.settle_instruction(instruction.pk, evidence=other, actor=staff, at=at)

        self.assert_unsettled(instruction, account)

    def test_refuses_one_that_is_settled(
        self, account: CustodyAccount, staff: Actor, at: datetime
    ) -> None:
        instruction = custody.instruction(account, at=at)
        statement = state_of(account, 1200, at=at)
        services.settle_instruction(instruction.pk, evidence=statement, actor=staff, at=at)

        with pytest.raises(IllegalTransition):
            services.settle_instruction(instruction.pk, evidence=statement, actor=staff, at=at)

        assert custody.booked(account) == SIX_HUNDRED

    def test_knows_no_other(self, account: CustodyAccount, staff: Actor, at: datetime) -> None:
        statement = state_of(account, 600, at=at)

        with pytest.raises(errors.InstructionMissing):
            services.settle_instruction(uuid7(), evidence=statement, actor=staff, at=at)
        with pytest.raises(errors.InstructionMissing):
            services.fail_instruction(uuid7(), reason="It did not come.", actor=staff, at=at)
        with pytest.raises(errors.InstructionMissing):
            services.cancel_instruction(uuid7(), actor=staff, at=at)

    def assert_unsettled(self, instruction: SettlementInstruction, account: CustodyAccount) -> None:
        instruction.refresh_from_db()
        assert (instruction.state, instruction.evidence) == (InstructionState.INSTRUCTED, None)
        assert balances(account) == {"pending-receipt": SIX_HUNDRED, "awaited": SIX_HUNDRED}
        assert not InstructionTransition.objects.exists()


class TestSettleFromStatement:
    def test_settles_what_alone_explains_the_position_to_the_last_share(
        self, account: CustodyAccount, system: Actor, at: datetime
    ) -> None:
        later = custody.instruction(account, Decimal(300), at=at, settlement_date=MONDAY)
        larger = custody.instruction(account, Decimal(500), at=at)
        earlier = custody.instruction(account, Decimal(200), at=at)

        expected = {550: [], 700: [larger, earlier], 1000: [later]}
        for day, (settled, instructions) in enumerate(expected.items()):
            now = at + WEEKEND + timedelta(days=day)
            statement = state_of(account, settled, at=now)
            found = services.settle_from_statement(statement, actor=system, at=now)
            assert [one.pk for one in found] == [one.pk for one in instructions]
        assert custody.booked(account) == 1000

    def test_settles_nothing_before_its_date(self, account: CustodyAccount, at: datetime) -> None:
        custody.instruction(account, at=at, settlement_date=MONDAY)

        custody.statement(account.custodian, [custody.line(account, SIX_HUNDRED)], at=at)

        assert custody.booked(account) == 0

    def test_settles_one_that_failed_before(
        self, account: CustodyAccount, staff: Actor, at: datetime
    ) -> None:
        instruction = custody.instruction(account, at=at)
        services.fail_instruction(instruction.pk, reason="It did not come.", actor=staff, at=at)

        custody.statement(account.custodian, [custody.line(account, SIX_HUNDRED)], at=at + WEEKEND)

        instruction.refresh_from_db()
        assert instruction.state == InstructionState.SETTLED

    def test_settles_once_however_often_it_is_asked(
        self, account: CustodyAccount, system: Actor, at: datetime
    ) -> None:
        statement = custody.settled_shares(account, SIX_HUNDRED, at=at)
        transfers = Transfer.objects.count()

        assert services.settle_from_statement(statement, actor=system, at=at) == []
        assert Transfer.objects.count() == transfers

    def test_refuses_a_statement_that_is_superseded(
        self, account: CustodyAccount, system: Actor, at: datetime
    ) -> None:
        old = state_of(account, 600, at=at)
        state_of(account, 0, at=at + WEEKEND)
        custody.instruction(account, at=at)

        with pytest.raises(errors.EvidenceInsufficient):
            services.settle_from_statement(old, actor=system, at=at + WEEKEND)

        assert custody.booked(account) == 0


class TestFailOverdue:
    def test_fails_what_a_statement_of_its_date_does_not_show(
        self, account: CustodyAccount, system: Actor, at: datetime
    ) -> None:
        instruction = custody.instruction(account, at=at)
        state_of(account, 0, at=at)

        assert services.fail_overdue(actor=system, at=at) == []
        assert services.fail_overdue(actor=system, at=at + WEEKEND) == [instruction]

        instruction.refresh_from_db()
        assert instruction.state == InstructionState.FAILED
        assert balances(account) == {"pending-receipt": SIX_HUNDRED, "awaited": SIX_HUNDRED}
        assert services.fail_overdue(actor=system, at=at + WEEKEND) == []

    def test_leaves_alone_what_no_statement_speaks_of_yet(
        self, account: CustodyAccount, system: Actor, at: datetime
    ) -> None:
        state_of(account, 0, at=at - timedelta(days=1))
        custody.instruction(account, at=at)

        assert services.fail_overdue(actor=system, at=at + WEEKEND) == []


class TestCancelInstruction:
    def test_takes_the_shares_off_the_books(
        self, account: CustodyAccount, staff: Actor, at: datetime
    ) -> None:
        instruction = custody.instruction(account, at=at)

        canceled = services.cancel_instruction(instruction.pk, actor=staff, at=at)

        assert canceled.state == InstructionState.CANCELLED
        assert balances(account) == {}

    def test_refuses_what_is_settled(
        self, account: CustodyAccount, staff: Actor, at: datetime
    ) -> None:
        custody.settled_shares(account, SIX_HUNDRED, at=at)
        instruction = SettlementInstruction.objects.get()

        with pytest.raises(IllegalTransition):
            services.cancel_instruction(instruction.pk, actor=staff, at=at)

        assert custody.booked(account) == SIX_HUNDRED


class TestStatementOverdue:
    @pytest.mark.parametrize(
        ("now", "overdue"),
        [
            pytest.param("2026-11-21T01:59:59+00:00", False, id="Friday is due at two on Saturday"),
            pytest.param("2026-11-21T02:00:00+00:00", True, id="from two on it is overdue"),
            pytest.param("2026-11-23T12:00:00+00:00", True, id="over the weekend as well"),
        ],
    )
    def test_wants_each_session_day_within_its_hours(
        self, now: str, overdue: bool, account: CustodyAccount, at: datetime
    ) -> None:
        statement = state_of(account, 0, at=at - timedelta(days=1))

        reason = selectors.statement_overdue(account, statement, at=datetime.fromisoformat(now))

        expected = (
            f"no statement of {account.custodian} for 2026-11-20 is here; the last is of 2026-11-19"
        )
        assert reason == (expected if overdue else None)

    def test_wants_none_on_days_without_session(
        self, account: CustodyAccount, at: datetime
    ) -> None:
        thanksgiving = datetime.fromisoformat("2026-11-27T12:00:00+00:00")
        statement = state_of(account, 0, at=datetime.fromisoformat("2026-11-25T22:00:00+00:00"))

        assert selectors.statement_overdue(account, statement, at=thanksgiving) is None

    def test_wants_none_before_the_first_session_after_the_opening(self, at: datetime) -> None:
        account = custody.account(opened_at=at)

        assert selectors.statement_overdue(account, None, at=at) is None
        assert selectors.statement_overdue(account, None, at=at + timedelta(hours=11)) == (
            f"no statement of {account.custodian} for 2026-11-20 is here"
        )


class TestLifeCycle(TestCase):
    """Whatever is tried in whatever order, the history is unbroken and the books add up."""

    @tried(15)
    @given(steps=st.lists(st.sampled_from(["settle", "fail", "cancel"]), max_size=6))
    def test_is_an_unbroken_chain_that_the_books_agree_with(self, steps: list[str]) -> None:
        at = datetime.fromisoformat("2026-11-20T15:00:00+00:00")
        actor = actors.system("tests")
        account = custody.account()
        instruction = custody.instruction(account, at=at)
        statement = state_of(account, 600, at=at)
        doing = {
            "settle": lambda: services.settle_instruction(
                instruction.pk, evidence=statement, actor=actor, at=at
            ),
            "fail": lambda: services.fail_instruction(
                instruction.pk, reason="It did not come.", actor=actor, at=at
            ),
            "cancel": lambda: services.cancel_instruction(instruction.pk, actor=actor, at=at),
        }

        for step in steps:
            try:
                doing[step]()
            except IllegalTransition:
                continue

        instruction.refresh_from_db()
        history = list(instruction.transitions.order_by("pk"))
        origins = ["INSTRUCTED", *(step.destination for step in history)]
        assert [step.origin for step in history] == origins[:-1]
        assert origins[-1] == instruction.state
        settled = instruction.state == InstructionState.SETTLED
        waiting = instruction.state in {InstructionState.INSTRUCTED, InstructionState.FAILED}
        assert custody.booked(account) == (600 if settled else 0)
        pending = chart.shares_pending_receipt(account.token, account.reference)
        assert books.balance(pending) == (600 if waiting else 0)
