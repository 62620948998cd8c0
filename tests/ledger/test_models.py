"""What PostgreSQL refuses of the books, whoever asks."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction

from issuer.foundation.actors import Actor
from issuer.foundation.identifiers import uuid7
from issuer.ledger import services
from issuer.ledger.models import Account, Entry, Side, Transfer
from issuer.ledger.services import Line
from tests.make.ledger import account
from tests.violations import refused_by

pytestmark = pytest.mark.django_db


def execute(statement: str, *parameters: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)


ACCOUNT = (
    "INSERT INTO ledger_account (id, code, unit, side, balance, version, opened_at)"
    " VALUES (%s, %s, %s, %s, %s, %s, now())"
)
#: One transfer and its two entries, written by hand as one statement, with the accounts moved.
BY_HAND = """
WITH transfer AS (
    INSERT INTO ledger_transfer (id, reference, line, debit_account_id, credit_account_id, unit,
        quantity, effective_at, booked_at, posted_by)
    VALUES (%(transfer)s, %(reference)s, 1, %(debit)s, %(credit)s, %(unit)s, %(quantity)s,
        now(), now(), %(posted_by)s)
), entries AS (
    INSERT INTO ledger_entry
        (id, transfer_id, account_id, side, quantity, balance, version, booked_at)
    VALUES
        (gen_random_uuid(), %(transfer)s, %(debit_entry)s, %(debit_side)s, %(debited)s,
         %(debit_balance)s, %(debit_version)s, %(debited_at)s),
        (gen_random_uuid(), %(transfer)s, %(credit)s, %(credit_side)s, %(credited)s,
         %(credit_balance)s, 1, now())
)
UPDATE ledger_account SET
    balance = CASE id WHEN %(moved)s THEN %(balance)s ELSE 5 END,
    version = CASE id WHEN %(moved)s THEN %(version)s ELSE 1 END
WHERE id IN (%(moved)s, %(credit)s)
"""


def by_hand(**changes: Any) -> None:
    """Write a transfer of 5 past the services, between new accounts, with `changes` to it."""
    debit = account(unit="US0378331005", side=Side.DEBIT)
    credit = account(unit="US0378331005", side=Side.CREDIT)
    with connection.cursor() as cursor:
        cursor.execute("SELECT now()")
        (now,) = cursor.fetchone()
        columns: dict[str, Any] = {
            "transfer": uuid7(),
            "reference": "by hand",
            "debit": debit.pk,
            "credit": credit.pk,
            "unit": "US0378331005",
            "quantity": 5,
            "posted_by": "somebody",
            "debit_entry": debit.pk,
            "debit_side": "DEBIT",
            "credit_side": "CREDIT",
            "debited": 5,
            "credited": 5,
            "debit_balance": 5,
            "credit_balance": 5,
            "debit_version": 1,
            "debited_at": now,
            "balance": 5,
            "version": 1,
        }
        columns |= changes
        columns.setdefault("moved", columns["debit_entry"])
        cursor.execute(BY_HAND, columns)


def other_account() -> Account:
    return account(unit="US0378331005", side=Side.DEBIT)


class TestAccount:
    @pytest.mark.parametrize(
        ("columns", "name"),
        [
            (("", "US0378331005", "DEBIT"), "account_has_a_code"),
            (("own", "", "DEBIT"), "account_has_a_unit"),
            (("own", "US0378331005", "LEFT"), "account_side_known"),
        ],
    )
    def test_is_whole(self, columns: tuple[str, str, str], name: str) -> None:
        with refused_by(name):
            execute(ACCOUNT, uuid7(), *columns, 0, 0)

    @pytest.mark.parametrize(("balance", "version"), [(1, 0), (0, 1)])
    def test_opens_empty(self, balance: int, version: int) -> None:
        with refused_by("account_opens_empty"):
            execute(ACCOUNT, uuid7(), "own", "US0378331005", "DEBIT", balance, version)

    def test_has_a_code_of_its_own(self) -> None:
        account("own")

        with pytest.raises(IntegrityError, match="ledger_account_code_key"), transaction.atomic():
            execute(ACCOUNT, uuid7(), "own", "US88160R1014", "DEBIT", 0, 0)

    def test_is_not_overdrawn(self) -> None:
        account("own", balance="5")

        with refused_by("account_not_overdrawn"):
            Account.objects.filter(code="own").update(balance=-1)

    @pytest.mark.parametrize("change", [{"balance": 6}, {"version": 2}, {"version": 0}])
    def test_is_moved_by_entries_only(self, change: dict[str, int]) -> None:
        account("own", balance="5")

        with refused_by("account_balance_follows_its_entries"):
            Account.objects.filter(code="own").update(**change)

    @pytest.mark.parametrize(
        "change", [{"code": "theirs"}, {"unit": "US88160R1014"}, {"side": "CREDIT"}]
    )
    def test_keeps_what_it_is(self, change: dict[str, str]) -> None:
        account("own")

        with refused_by("account_identity_unchangeable"):
            Account.objects.filter(code="own").update(**change)

    def test_is_never_deleted(self) -> None:
        account("own")

        with refused_by("account_never_deleted"):
            execute("DELETE FROM ledger_account")


class TestTransfer:
    def test_can_be_written_by_hand_if_nothing_is_wrong(self) -> None:
        by_hand()

        assert Transfer.objects.count() == 1
        assert Entry.objects.count() == 2

    @pytest.mark.parametrize(
        ("changes", "name"),
        [
            ({"quantity": 0}, "transfer_quantity_positive"),
            ({"reference": ""}, "transfer_has_a_reference"),
            ({"posted_by": ""}, "transfer_names_its_author"),
            ({"unit": "AAPLx"}, "transfer_has_two_entries_of_its_unit"),
        ],
    )
    def test_is_whole(self, changes: dict[str, Any], name: str) -> None:
        with refused_by(name):
            by_hand(**changes)

    def test_is_between_two_accounts(self) -> None:
        same = other_account().pk

        with refused_by("transfer_between_two_accounts"):
            by_hand(debit=same, credit=same)

    def test_stands_once_under_its_reference_and_line(self) -> None:
        by_hand()

        with refused_by("transfer_once_per_reference_and_line"):
            by_hand()

    def test_has_entries(self, at: datetime) -> None:
        debit, credit = account(side=Side.DEBIT), account(side=Side.CREDIT)

        with refused_by("transfer_has_two_entries_of_its_unit"):
            Transfer.objects.create(
                reference="by hand",
                line=1,
                debit_account=debit,
                credit_account=credit,
                unit=debit.unit,
                quantity=5,
                effective_at=at,
                booked_at=at,
                posted_by="somebody",
            )

    def test_moves_between_accounts_of_one_unit(self) -> None:
        tokens = account(unit="AAPLx", side=Side.DEBIT)

        with refused_by("transfer_has_two_entries_of_its_unit"):
            by_hand(debit=tokens.pk, debit_entry=tokens.pk)


class TestEntry:
    @pytest.mark.parametrize(
        ("changes", "name"),
        [
            ({"debited": 0}, "entry_quantity_positive"),
            ({"debit_balance": -5, "balance": 5}, "entry_leaves_no_overdraft"),
            ({"debit_side": "LEFT"}, "entry_side_known"),
            ({"credit_side": "DEBIT"}, "entry_once_per_side"),
            ({"debited": 4, "debit_balance": 4, "balance": 4}, "entries_balance_their_transfer"),
            ({"debited": 4, "credited": 4}, "entries_balance_their_transfer"),
            ({"debit_balance": 6, "balance": 6}, "entry_continues_its_account"),
            ({"debit_version": 2, "version": 2}, "entry_continues_its_account"),
            ({"debited_at": "2026-01-01T00:00Z"}, "entries_balance_their_transfer"),
        ],
    )
    def test_fits_its_transfer_and_its_account(self, changes: dict[str, Any], name: str) -> None:
        with refused_by(name):
            by_hand(**changes)

    def test_is_on_an_account_of_its_transfer(self) -> None:
        with refused_by("entries_balance_their_transfer"):
            by_hand(debit_entry=other_account().pk)

    def test_is_not_written_alone(self, at: datetime) -> None:
        held = account("held", balance="5")
        transfer = Transfer.objects.get()

        with refused_by("entries_balance_their_transfer"):
            Entry.objects.create(
                transfer_id=uuid7(),  # of no transfer; its key would be looked at on commit only
                account=held,
                side="DEBIT",
                quantity=transfer.quantity,
                balance=10,
                version=2,
                booked_at=at,
            )

    def test_has_a_version_of_its_own(self) -> None:
        held = account("held", balance="5")

        with refused_by("entry_version_once_per_account"):
            by_hand(debit=held.pk, debit_entry=held.pk)

    def test_is_not_booked_before_the_one_before_it(self, system: Actor, at: datetime) -> None:
        held, owed = account(side=Side.DEBIT), account(side=Side.CREDIT)
        services.post(
            "to come",
            [Line(held.code, owed.code, Decimal(5))],
            effective_at=at,
            actor=system,
            at=datetime(2999, 1, 1, tzinfo=UTC),
        )

        with refused_by("entry_continues_its_account"):
            by_hand(
                debit=held.pk,
                debit_entry=held.pk,
                debit_version=2,
                debit_balance=10,
                version=2,
                balance=10,
            )

    def test_is_not_written_without_moving_its_account(self) -> None:
        with refused_by("entry_continues_its_account"):
            by_hand(moved=uuid7())
