"""What PostgreSQL refuses, past all Python."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError, models, transaction
from psycopg import errors as psycopg_errors

from issuer.custody import selectors
from issuer.custody.models import (
    CustodyAccount,
    Position,
    SettlementInstruction,
    StatedSettlement,
    Statement,
)
from issuer.foundation.identifiers import uuid7
from tests.make import custody

pytestmark = pytest.mark.django_db


def refused(rows: models.QuerySet[Any], **columns: Any) -> str | None:
    """Return the name of the constraint that refuses an update; fail if none does."""
    with pytest.raises(IntegrityError) as refusal, transaction.atomic():
        rows.update(**columns)
    return name_of(refusal.value)


def name_of(refusal: IntegrityError) -> str | None:
    cause = refusal.__cause__
    assert isinstance(cause, psycopg_errors.IntegrityError)
    return cause.diag.constraint_name


def inserted_again(row: models.Model, **columns: Any) -> str | None:
    """Return the name of the constraint that refuses a second row like `row`."""
    row.pk = uuid7()
    for name, value in columns.items():
        setattr(row, name, value)
    with pytest.raises(IntegrityError) as refusal, transaction.atomic():
        type(row)._base_manager.bulk_create([row])
    return name_of(refusal.value)


class TestCustodyAccount:
    def test_is_one_per_custodian_token_and_pledge(self) -> None:
        account = custody.account()
        other = custody.account()
        rows = CustodyAccount.objects.filter(pk=other.pk)

        assert (
            refused(rows, custodian=account.custodian, reference=account.reference)
            == "custody_account_once_per_custodian"
        )
        assert (
            refused(rows, token=account.token, reference=account.reference)
            == "custody_account_reference_once_per_token"
        )
        assert (
            refused(
                rows,
                token=account.token,
                custodian=account.custodian,
                pledgee=account.pledgee,
            )
            == "custody_account_once_per_token_custodian_pledge"
        )

    @pytest.mark.parametrize("reference", ["", "A/B"])
    def test_has_a_plain_reference(self, reference: str) -> None:
        account = custody.account()
        rows = CustodyAccount.objects.filter(pk=account.pk)

        assert refused(rows, reference=reference) == "custody_account_reference_is_plain"


class TestStatement:
    @pytest.fixture
    def statement(self, at: datetime) -> Statement:
        return custody.settled_shares(custody.account(), Decimal(600), at=at)

    def test_is_there_once(self, statement: Statement) -> None:
        fresh = {"sha256": "0" * 64, "reference": "OTHER", "as_of_date": date(2026, 11, 19)}

        for column, name in [
            ("sha256", "statement_file_once_per_custodian"),
            ("reference", "statement_reference_once_per_custodian"),
            ("as_of_date", "statement_day_once_unless_superseding"),
        ]:
            again = Statement.objects.get(pk=statement.pk)
            kept = {key: value for key, value in fresh.items() if key != column}
            assert inserted_again(again, **kept) == name

    def test_supersedes_another_once(self, statement: Statement) -> None:
        first = Statement(
            custodian=statement.custodian,
            reference="ST-A",
            as_of_date=statement.as_of_date,
            file_name="a.csv",
            raw=b"",
            sha256="a" * 64,
            received_at=statement.received_at,
            received_by="SYSTEM:tests",
            supersedes=statement,
        )
        first.save()

        assert (
            inserted_again(first, reference="ST-B", sha256="b" * 64)
            == "custody_statement_supersedes_id_key"
        )

    def test_has_a_hash(self, statement: Statement) -> None:
        assert (
            inserted_again(statement, sha256="ABC", reference="OTHER", as_of_date=date(2026, 11, 1))
            == "statement_hash_is_sha256"
        )


class TestPosition:
    @pytest.fixture
    def position(self, at: datetime) -> Position:
        account = custody.account()
        custody.settled_shares(account, Decimal(600), at=at)
        return selectors.current_positions(account.token)[account.pk]

    def test_is_one_per_statement_and_account(self, position: Position) -> None:
        assert inserted_again(position) == "position_once_per_statement_and_account"

    @pytest.mark.parametrize(
        "column",
        ["settled", "pending_receipt", "pending_delivery", "lent", "blocked", "pledged"],
    )
    def test_is_not_negative(self, column: str, position: Position) -> None:
        below = {"settled": Decimal(0), "pledged": Decimal(0), column: Decimal("-0.000000001")}
        position.account = custody.account()

        # A negative one may break the other rule as well; PostgreSQL names the first by name.
        assert inserted_again(position, **below) in {
            "position_quantities_not_negative",
            "position_encumbered_within_settled",
        }

    @pytest.mark.parametrize(
        "columns",
        [
            {"pending_delivery": 200, "lent": 200, "blocked": 201},
            {"pledged": Decimal("600.000000001")},
        ],
    )
    def test_is_not_encumbered_beyond_what_is_settled(
        self, columns: dict[str, Decimal], position: Position
    ) -> None:
        position.account = custody.account()

        assert inserted_again(position, **columns) == "position_encumbered_within_settled"


class TestSettlementInstruction:
    @pytest.mark.parametrize(
        ("columns", "name"),
        [
            ({"state": "LOST"}, "instruction_state_known"),
            ({"purpose": "GIFT"}, "instruction_purpose_known"),
            ({"quantity": 0}, "instruction_quantity_positive"),
            ({"quantity": Decimal("1e-10")}, "instruction_quantity_countable_by_custodians"),
            ({"settlement_date": date(2026, 11, 19)}, "instruction_settles_on_or_after_trade"),
            (
                {"state": "SETTLED", "settled_quantity": Decimal(600)},
                "instruction_settled_iff_evidence",
            ),
            ({"state": "SETTLED"}, "instruction_settled_iff_all_has_moved"),
            ({"settled_quantity": Decimal(600)}, "instruction_settled_iff_all_has_moved"),
            ({"settled_quantity": Decimal("-1e-9")}, "instruction_settled_iff_all_has_moved"),
            (
                {"state": "CANCELLED", "settled_quantity": Decimal(1)},
                "instruction_cancelled_only_while_none_has_moved",
            ),
            ({"state": "FAILED"}, "instruction_failed_iff_reason"),
            ({"reason": "Nobody knows."}, "instruction_failed_iff_reason"),
            ({"settled_at": datetime.fromisoformat("2026-11-20T15:00:00+00:00")}, None),
            ({"purpose": "ISSUANCE"}, "instruction_for_a_request_names_it"),
            ({"request_id": uuid7()}, "instruction_for_a_request_names_it"),
            ({"direction": "SIDEWAYS"}, "instruction_direction_known"),
            ({"direction": "DELIVERY"}, "instruction_delivers_for_redemptions_only"),
            (
                {"purpose": "REDEMPTION", "request_id": uuid7()},
                "instruction_delivers_for_redemptions_only",
            ),
        ],
    )
    def test_has_a_shape(self, columns: dict[str, Any], name: str | None, at: datetime) -> None:
        instruction = custody.instruction(at=at)
        rows = SettlementInstruction.objects.filter(pk=instruction.pk)

        assert refused(rows, **columns) == (name or "instruction_settled_iff_evidence")

    def test_is_one_per_request(self, at: datetime) -> None:
        first = custody.instruction(at=at, request_id=uuid7())
        second = custody.instruction(at=at, request_id=uuid7())
        rows = SettlementInstruction.objects.filter(pk=second.pk)

        assert (
            refused(rows, request_id=first.request_id)
            == "instruction_once_per_request_unless_cancelled"
        )


class TestStatedSettlement:
    @pytest.fixture
    def stated(self, at: datetime) -> StatedSettlement:
        custody.stated_settlement(at=at)
        return StatedSettlement.objects.get()

    def test_is_one_per_statement_and_instruction(self, stated: StatedSettlement) -> None:
        name = "stated_settlement_once_per_statement_and_instruction"
        assert inserted_again(stated) == name

    def test_is_of_no_shares_or_more(self, stated: StatedSettlement, at: datetime) -> None:
        stated.instruction = custody.instruction(at=at)

        name = inserted_again(stated, settled=Decimal("-0.000000001"))
        assert name == "stated_settlement_not_negative"
