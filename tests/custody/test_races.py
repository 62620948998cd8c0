"""Two at once: shares of a statement are used once, and a file is taken in once."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from decimal import Decimal
from threading import Barrier

import pytest
from django.db import connection

from issuer.custody import errors, services
from issuer.custody.models import SettlementInstruction, Statement
from issuer.custody.states import InstructionState
from issuer.foundation import actors
from issuer.foundation.errors import DomainError
from tests.make import custody

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
