"""Two at once: shares of a statement are used once, and a file is taken in once."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from decimal import Decimal
from threading import Barrier

import pytest
from django.db import connection

from issuer.custody import errors, selectors, services
from issuer.custody.models import CustodyAccount, SettlementInstruction, Statement
from issuer.custody.services import _steps
from issuer.custody.states import InstructionState
from issuer.foundation import actors
from issuer.foundation.errors import DomainError
from issuer.instruments import chart
from issuer.ledger import selectors as books
from issuer.ledger.models import Transfer
from tests.make import custody, reserves

pytestmark = pytest.mark.django_db(transaction=True)


def at_once(*acts: Callable[[], object]) -> list[DomainError | None]:
    """Do all acts at the same time; return what refused each of them."""
    start = Barrier(len(acts))

    def run(act: Callable[[], object]) -> DomainError | None:
        try:
            start.wait()
            act()
        except DomainError as refusal:
            return refusal
        finally:
            connection.close()
        return None

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(run, acts))


def owing(
    held: Decimal = Decimal(600), owed: Decimal = Decimal(100), *, at: datetime
) -> CustodyAccount:
    """Return an account that held shares the day before, some of them owed for burned tokens."""
    account = custody.account()
    custody.settled_shares(account, held, at=at - timedelta(days=1))
    reserves.issue(account.token, held, held, at=at)
    reserves.burn(account.token, owed, owed, at=at)
    return account


class TestSettleInstruction:
    def test_uses_the_shares_of_a_statement_for_one_of_two(self, at: datetime) -> None:
        account = custody.account()
        first = custody.instruction(account, at=at)
        second = custody.instruction(account, at=at)
        raw = custody.statement_file(
            account.custodian, [custody.line(account, Decimal(1199))], as_of_date=at.date()
        )
        actor = actors.system("tests")
        statement = services.load_statement(
            custodian=account.custodian, file_name="a.csv", raw=raw, actor=actor, at=at
        )

        def settle(instruction: SettlementInstruction) -> Callable[[], object]:
            return lambda: services.settle_instruction(
                instruction.pk, evidence=statement, actor=actor, at=at
            )

        refusals = at_once(settle(first), settle(second))

        assert sorted(type(one).__name__ for one in refusals) == [
            "EvidenceInsufficient",
            "NoneType",
        ]
        assert custody.booked(account) == 600
        settled = SettlementInstruction.objects.filter(state=InstructionState.SETTLED)
        assert settled.count() == 1


class TestReceiveStatement:
    def test_takes_a_file_in_once(self, at: datetime) -> None:
        account = custody.account()
        custody.instruction(account, at=at)
        lines = [custody.line(account, Decimal(600))]
        raw = custody.statement_file(account.custodian, lines, as_of_date=at.date())

        def receive() -> Statement:
            return services.receive_statement(
                custodian=account.custodian,
                file_name="a.csv",
                raw=raw,
                actor=actors.system("tests"),
                at=at,
            )

        refusals = at_once(*[receive] * 4)

        assert [type(one) for one in refusals if one] == [errors.StatementRepeated] * 3
        assert Statement.objects.count() == 1
        assert custody.booked(account) == 600

    def test_and_a_cancellation_both_stand_or_the_second_is_refused(self, at: datetime) -> None:
        account = owing(at=at)
        delivery = custody.delivery(account, Decimal(100), at=at)
        raw = custody.statement_file(
            account.custodian, [custody.line(account, Decimal(500))], as_of_date=at.date()
        )
        system = actors.system("tests")

        refusals = at_once(
            lambda: services.receive_statement(
                custodian=account.custodian, file_name="a.csv", raw=raw, actor=system, at=at
            ),
            lambda: services.cancel_instruction(delivery.pk, actor=system, at=at),
        )

        delivery.refresh_from_db()
        pending = chart.shares_pending_delivery(account.token, account.reference)
        assert books.balance(pending) == 0
        owed = books.balance(chart.shares_burned_not_delivered(account.token))
        if delivery.state == InstructionState.SETTLED:
            assert [type(one).__name__ for one in refusals] == ["NoneType", "IllegalTransition"]
            assert [custody.booked(account), owed] == [500, 0]
        else:  # the books say that they are there, and the statement that they are not: a break
            assert refusals == [None, None]
            assert [custody.booked(account), owed] == [600, 100]

    def test_and_an_instruction_never_use_the_same_shares(self, at: datetime) -> None:
        account = owing(at=at)
        first = custody.delivery(account, Decimal(60), at=at)
        raw = custody.statement_file(
            account.custodian, [custody.line(account, Decimal(540))], as_of_date=at.date()
        )

        refusals = at_once(
            lambda: services.receive_statement(
                custodian=account.custodian,
                file_name="a.csv",
                raw=raw,
                actor=actors.system("tests"),
                at=at,
            ),
            lambda: custody.delivery(account, Decimal(40), at=at),
        )

        assert refusals == [None, None]
        first.refresh_from_db()
        assert first.state == InstructionState.SETTLED
        assert custody.booked(account) == 540
        assert selectors.deliverable(account) == 500

    def test_that_is_killed_leaves_nothing_half(
        self, at: datetime, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        account = owing(at=at)
        delivery = custody.delivery(account, Decimal(100), at=at)
        statements, transfers = Statement.objects.count(), Transfer.objects.count()
        lines = [custody.line(account, Decimal(500))]

        def killed(*_: object, **__: object) -> None:
            raise SystemExit

        monkeypatch.setattr(_steps, "post", killed)  # the last thing that settling does
        with pytest.raises(SystemExit):
            custody.statement(account.custodian, lines, at=at)
        monkeypatch.undo()

        delivery.refresh_from_db()
        assert (delivery.state, delivery.transitions.count()) == ("INSTRUCTED", 0)
        assert (Statement.objects.count(), Transfer.objects.count()) == (statements, transfers)
        custody.statement(account.custodian, lines, at=at)
        delivery.refresh_from_db()
        assert (delivery.state, custody.booked(account)) == ("SETTLED", Decimal(500))


class TestInstructDelivery:
    def test_uses_the_shares_of_an_account_once(self, at: datetime) -> None:
        account = owing(Decimal(100), Decimal(100), at=at)
        elsewhere = custody.account(token_=account.token)
        custody.settled_shares(elsewhere, Decimal(500), at=at)
        reserves.issue(account.token, Decimal(500), Decimal(500), at=at)
        reserves.burn(account.token, Decimal(500), Decimal(500), at=at)

        refusals = at_once(*[lambda: custody.delivery(account, Decimal(60), at=at)] * 3)

        assert [type(one) for one in refusals if one] == [errors.AccountSharesNotFree] * 2
        assert selectors.deliverable(account) == 40
        assert SettlementInstruction.objects.filter(direction="DELIVERY").count() == 1
