"""What the columns refuse, tried on models that have them."""

from decimal import Decimal

import pytest
from django.core.exceptions import ValidationError
from django.db import connection, models, transaction

from issuer.foundation.fields import (
    BaseUnitsField,
    IdField,
    QuantityField,
    TransactionIdField,
)
from issuer.foundation.identifiers import uuid7
from tests.make.ledger import account

UINT256_MAX = 2**256 - 1


def through_postgres(field: models.Field, value: object) -> object:
    """Write `value` as `field` does, cast it to the column's type, and read it back."""
    prepared = field.get_db_prep_save(value, connection)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT %s::{field.db_type(connection)}", [prepared])
        (stored,) = cursor.fetchone()
    converter = getattr(field, "from_db_value", None)
    return converter(stored, None, connection) if converter else stored


class TestQuantityField:
    field = QuantityField()

    @pytest.mark.django_db
    @pytest.mark.parametrize(
        "text",
        [
            *("0", "600", "0.000000000000000001", "-12.5"),
            "99999999999999999999.999999999999999999",
        ],
    )
    def test_keeps_every_digit(self, text: str) -> None:
        assert through_postgres(self.field, Decimal(text)) == Decimal(text)
        assert through_postgres(self.field, text) == Decimal(text)

    @pytest.mark.parametrize(
        "value",
        [
            pytest.param(0.1, id="a float"),
            pytest.param(600.0, id="a float that happens to be whole"),
            pytest.param(Decimal("0.1234567890123456785"), id="19 places"),
            pytest.param(Decimal("1.0000000000000000005"), id="19 places near one"),
            pytest.param(Decimal("100000000000000000000"), id="21 digits"),
            pytest.param(Decimal("NaN"), id="no number"),
            pytest.param(Decimal("Infinity"), id="no end"),
            pytest.param("twelve", id="a word"),
        ],
    )
    def test_refuses_what_postgres_would_round_or_worse(self, value: object) -> None:
        with pytest.raises(ValidationError):
            self.field.get_db_prep_save(value, connection)

    def test_takes_nothing_for_nothing(self) -> None:
        assert QuantityField(null=True).to_python(None) is None

    def test_leaves_expressions_to_postgres(self) -> None:
        expression = models.F("quantity") + Decimal(1)

        assert self.field.get_db_prep_save(expression, connection) is expression

    @pytest.mark.django_db
    def test_guards_the_rows_of_a_model(self) -> None:
        row = account()
        row.balance = 0.5

        with pytest.raises(ValidationError, match="is a float"), transaction.atomic():
            row.save()

        row.refresh_from_db()
        assert row.balance == Decimal(0)


class TestBaseUnitsField:
    field = BaseUnitsField()

    @pytest.mark.django_db
    @pytest.mark.parametrize("base_units", [0, 1, 10**18, UINT256_MAX])
    def test_holds_any_uint256(self, base_units: int) -> None:
        found = through_postgres(self.field, base_units)

        assert found == base_units
        assert type(found) is int

    @pytest.mark.parametrize("value", [1.0, Decimal(1), "1", True, b"1"])
    def test_refuses_whatever_is_no_int(self, value: object) -> None:
        with pytest.raises(ValidationError, match="is not an int"):
            self.field.get_db_prep_save(value, connection)

    def test_takes_nothing_for_nothing(self) -> None:
        assert self.field.to_python(None) is None
        assert self.field.from_db_value(None) is None


class TestIdField:
    def test_gives_ids_that_sort_by_the_time_they_were_given(self) -> None:
        ids = [uuid7() for _ in range(1000)]

        assert [each.version for each in ids] == [7] * 1000
        assert ids == sorted(ids)

    def test_spells_out_whether_it_is_the_key(self) -> None:
        *_, kwargs = IdField(primary_key=False).deconstruct()

        assert kwargs["primary_key"] is False


class TestTransactionIdField:
    def test_is_never_written_by_hand(self) -> None:
        *_, kwargs = TransactionIdField().deconstruct()

        assert kwargs == {}

    def test_reads_an_id_as_an_int(self) -> None:
        field = TransactionIdField()

        assert field.from_db_value("12345678901") == 12345678901
        assert field.from_db_value(None) is None
        assert field.get_prep_value(12345678901) == "12345678901"
