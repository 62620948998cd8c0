"""The drop folder: taken in, or refused with the reason beside the file."""

import os
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from pytest_django import Settings

from issuer.custody import services, tasks
from issuer.custody.models import CustodyAccount, SettlementInstruction, Statement
from issuer.custody.states import InstructionState
from issuer.foundation import actors, clock
from tests.make import custody

pytestmark = pytest.mark.django_db

LONG_AGO = timedelta(days=400)


@pytest.fixture
def now() -> datetime:
    return clock.now()


@pytest.fixture
def account(now: datetime) -> CustodyAccount:
    return custody.account(opened_at=now - LONG_AGO)


@pytest.fixture
def folder(account: CustodyAccount, settings: Settings, tmp_path: Path) -> Path:
    settings.CUSTODY_DROP_DIR = tmp_path
    folder = tmp_path / account.custodian.code
    folder.mkdir()
    return folder


def file_of(account: CustodyAccount, settled: int, *, at: datetime) -> bytes:
    lines = [custody.line(account, Decimal(settled))]
    return custody.statement_file(account.custodian, lines, as_of_date=at.date())


def names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


class TestCollectStatements:
    def test_takes_a_file_in_settles_and_puts_it_away(
        self, account: CustodyAccount, folder: Path, now: datetime
    ) -> None:
        custody.instruction(account, at=now)
        (folder / "a.csv").write_bytes(file_of(account, 600, at=now))

        tasks.collect_statements()

        assert names(folder) == ["accepted/a.csv"]
        assert Statement.objects.get().received_by == "SYSTEM:collect_statements"
        assert SettlementInstruction.objects.get().state == InstructionState.SETTLED

    def test_says_beside_a_refused_file_why(
        self, account: CustodyAccount, folder: Path, now: datetime
    ) -> None:
        (folder / "a.csv").write_bytes(file_of(account, 600, at=now)[:-9])

        tasks.collect_statements()

        assert names(folder) == ["refused/a.csv", "refused/a.csv.reason.txt"]
        reason = (folder / "refused" / "a.csv.reason.txt").read_text(encoding="utf-8")
        assert reason.startswith("A part of the statement is missing (statement-truncated).\n")
        assert not Statement.objects.exists()

    def test_takes_the_rest_in_when_one_is_refused(
        self, account: CustodyAccount, folder: Path, now: datetime
    ) -> None:
        (folder / "a.csv").write_bytes(b"")
        (folder / "b.csv").write_bytes(file_of(account, 600, at=now))

        tasks.collect_statements()

        assert names(folder) == ["accepted/b.csv", "refused/a.csv", "refused/a.csv.reason.txt"]

    def test_takes_the_rest_in_when_one_cannot_be_read(
        self, account: CustodyAccount, folder: Path, now: datetime
    ) -> None:
        (folder / "a.csv").mkdir()
        (folder / "b.csv").write_bytes(file_of(account, 600, at=now))

        tasks.collect_statements()

        assert names(folder) == ["accepted/b.csv"]
        assert (folder / "a.csv").is_dir()

    def test_takes_in_a_file_whose_name_is_no_text(
        self, account: CustodyAccount, folder: Path, now: datetime
    ) -> None:
        Path(os.fsdecode(os.fsencode(folder) + b"/a\xff.csv")).write_bytes(
            file_of(account, 600, at=now)
        )

        tasks.collect_statements()

        assert Statement.objects.get().file_name == "a\ufffd.csv"

    def test_leaves_a_file_alone_that_is_still_written(
        self, account: CustodyAccount, folder: Path, now: datetime
    ) -> None:
        (folder / "a.csv.part").write_bytes(file_of(account, 600, at=now)[:-9])

        tasks.collect_statements()

        assert names(folder) == ["a.csv.part"]

    def test_goes_on_where_it_was_stopped(
        self, account: CustodyAccount, folder: Path, now: datetime
    ) -> None:
        raw = file_of(account, 600, at=now)
        (folder / "a.csv").write_bytes(raw)
        services.receive_statement(
            custodian=account.custodian,
            file_name="a.csv",
            raw=raw,
            actor=actors.system("killed"),
            at=now,
        )

        tasks.collect_statements()

        assert names(folder) == ["accepted/a.csv"]
        assert Statement.objects.count() == 1

    def test_refuses_a_file_that_comes_again_and_keeps_both(
        self, account: CustodyAccount, folder: Path, now: datetime
    ) -> None:
        raw = file_of(account, 600, at=now)
        for _ in range(3):
            (folder / "a.csv").write_bytes(raw)
            tasks.collect_statements()

        assert names(folder) == [
            "accepted/a.csv",
            "refused/a-2.csv",
            "refused/a-2.csv.reason.txt",
            "refused/a.csv",
            "refused/a.csv.reason.txt",
        ]
        assert Statement.objects.count() == 1

    def test_does_without_a_folder(self, settings: Settings, tmp_path: Path) -> None:
        custody.account()
        settings.CUSTODY_DROP_DIR = tmp_path / "nowhere"

        tasks.collect_statements()

        assert not Statement.objects.exists()


class TestAgeInstructions:
    def test_fails_what_did_not_come(self, account: CustodyAccount, now: datetime) -> None:
        instruction = custody.instruction(account, at=now - timedelta(days=5))
        custody.statement(
            account.custodian, [custody.line(account, Decimal(0))], at=now - timedelta(days=4)
        )

        tasks.age_instructions()

        instruction.refresh_from_db()
        assert instruction.state == InstructionState.FAILED
