"""The demo custodian tells what was delivered to it, day by day, and always the same."""

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from issuer.custody.csv_statement import CsvStatementReader
from issuer.custody.readers import StatementLine
from issuer.sandbox.custodian import DemoCustodian

THURSDAY, FRIDAY, MONDAY = date(2026, 11, 19), date(2026, 11, 20), date(2026, 11, 23)
TUESDAY = date(2026, 11, 24)


@pytest.fixture
def custodian(tmp_path: Path) -> DemoCustodian:
    custodian = DemoCustodian(notes=tmp_path / "notes", outbox=tmp_path / "outbox")
    custodian.begin(THURSDAY)
    custodian.expect(
        account="HC-AAPLX-01",
        quantity=Decimal(600),
        trade_date=FRIDAY,
        settlement_date=MONDAY,
    )
    return custodian


def shares(custodian: DemoCustodian, day: date) -> tuple[Decimal, Decimal]:
    """What the statement of `day` says of the Apple account: settled and pending."""
    line = line_of(custodian, day)
    return line.settled, line.pending_receipt


def line_of(custodian: DemoCustodian, day: date) -> StatementLine:
    """What the statement of `day` says of the Apple account."""
    _, raw = custodian.statement(day)
    [line] = [
        line for line in CsvStatementReader().read(raw).lines if line.account == "HC-AAPLX-01"
    ]
    return line


class TestStatement:
    @pytest.mark.parametrize(
        ("day", "settled", "pending"),
        [
            pytest.param(THURSDAY, 0, 0, id="before the trade"),
            pytest.param(FRIDAY, 0, 600, id="traded, not settled"),
            pytest.param(MONDAY, 600, 0, id="settled"),
        ],
    )
    def test_tells_settled_and_pending_apart(
        self, custodian: DemoCustodian, day: date, settled: int, pending: int
    ) -> None:
        assert shares(custodian, day) == (Decimal(settled), Decimal(pending))

    def test_is_the_same_however_often_it_is_told(self, custodian: DemoCustodian) -> None:
        assert custodian.statement(FRIDAY) == custodian.statement(FRIDAY)


class TestDeliver:
    @pytest.mark.parametrize(
        ("day", "settled", "leaving"),
        [
            pytest.param(MONDAY, 600, 100, id="ordered, not gone"),
            pytest.param(TUESDAY, 500, 0, id="gone"),
        ],
    )
    def test_has_shares_pending_until_they_are_gone(
        self, custodian: DemoCustodian, day: date, settled: int, leaving: int
    ) -> None:
        custodian.deliver(
            account="HC-AAPLX-01",
            quantity=Decimal(100),
            trade_date=MONDAY,
            settlement_date=TUESDAY,
        )

        assert shares(custodian, day) == (Decimal(settled), Decimal(0))
        assert line_of(custodian, day).pending_delivery == leaving


class TestSplit:
    def test_multiplies_what_was_there_and_on_its_way_from_its_day_on(
        self, custodian: DemoCustodian
    ) -> None:
        custodian.deliver(
            account="HC-AAPLX-01",
            quantity=Decimal(100),
            trade_date=MONDAY,
            settlement_date=date(2026, 11, 25),
        )
        custodian.split(account="HC-AAPLX-01", shares_after=4, shares_before=1, day=TUESDAY)
        custodian.expect(
            account="HC-AAPLX-01", quantity=Decimal(8), trade_date=TUESDAY, settlement_date=TUESDAY
        )

        assert shares(custodian, MONDAY) == (Decimal(600), Decimal(0))
        assert shares(custodian, TUESDAY) == (Decimal(2408), Decimal(0))
        assert line_of(custodian, TUESDAY).pending_delivery == 400
        assert shares(custodian, date(2026, 11, 25)) == (Decimal(2008), Decimal(0))

    def test_leaves_other_accounts_alone(self, custodian: DemoCustodian) -> None:
        custodian.split(account="HC-NVDAX-01", shares_after=4, shares_before=1, day=MONDAY)

        assert shares(custodian, MONDAY) == (Decimal(600), Decimal(0))


class TestSendDueStatements:
    def test_sends_nothing_before_the_close(self, custodian: DemoCustodian) -> None:
        assert custodian.send_due_statements(datetime(2026, 11, 20, 21, 29, tzinfo=UTC)) == []

    def test_sends_each_session_once_and_no_weekend(self, custodian: DemoCustodian) -> None:
        sent = custodian.send_due_statements(datetime(2026, 11, 23, 22, 0, tzinfo=UTC))

        assert [path.name for path in sent] == ["HC-2026-11-20.csv", "HC-2026-11-23.csv"]
        assert custodian.send_due_statements(datetime(2026, 11, 23, 23, 0, tzinfo=UTC)) == []

    def test_sends_nothing_before_an_account_was_opened(self, tmp_path: Path) -> None:
        nobody = DemoCustodian(notes=tmp_path / "notes", outbox=tmp_path / "outbox")

        assert nobody.send_due_statements(datetime(2026, 11, 23, 22, 0, tzinfo=UTC)) == []


class TestSend:
    def test_leaves_no_unfinished_file(self, custodian: DemoCustodian, tmp_path: Path) -> None:
        path = custodian.send("some.csv", b"content")

        assert path.read_bytes() == b"content"
        assert [one.name for one in path.parent.iterdir()] == ["some.csv"]
