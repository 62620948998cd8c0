"""Columns that refuse what PostgreSQL or Python would silently change."""

import decimal
import uuid
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ValidationError
from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper

from issuer.foundation import quantities
from issuer.foundation.identifiers import uuid7

if TYPE_CHECKING:  # Django's fields are generic for type checkers only
    DecimalColumn = models.DecimalField[Any, Any]  # Decimal, or None where the column is null
    IntColumn = models.Field[Any, Any]  # int, or None where the column is null
    UUIDColumn = models.UUIDField[uuid.UUID, uuid.UUID]
else:
    DecimalColumn, IntColumn, UUIDColumn = models.DecimalField, models.Field, models.UUIDField


class IdField(UUIDColumn):
    """The primary key of a row: a UUIDv7, so that ids sort by the time they were given."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("primary_key", True)
        kwargs.setdefault("default", uuid7)
        kwargs.setdefault("editable", False)
        super().__init__(**kwargs)

    def deconstruct(self) -> Any:
        name, path, args, kwargs = super().deconstruct()
        # Spelled out, for a history table keeps the id without its being the key.
        return name, path, args, kwargs | {"primary_key": self.primary_key}


class QuantityField(DecimalColumn):
    """NUMERIC(38, 18): whole shares or whole tokens, exact to 18 decimal places.

    Refuses floats, and values that PostgreSQL would round.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs |= {"max_digits": quantities.DIGITS, "decimal_places": quantities.SCALE}
        super().__init__(*args, **kwargs)

    def to_python(self, value: Any) -> Any:
        if isinstance(value, float):
            raise ValidationError(f"{value!r} is a float; pass a Decimal or a string.")
        quantity = super().to_python(value)
        if quantity is None:
            return None
        try:
            return quantities.STORED.quantize(quantity, quantities.QUANTUM)
        except (decimal.Inexact, decimal.InvalidOperation) as exc:
            raise ValidationError(f"{quantity} does not fit NUMERIC(38, 18) exactly.") from exc

    def get_db_prep_save(self, value: Any, connection: BaseDatabaseWrapper) -> Any:
        """Check what is about to be stored; expressions are checked by PostgreSQL's constraints."""
        if not hasattr(value, "resolve_expression"):
            value = self.to_python(value)
        return super().get_db_prep_save(value, connection)


class BaseUnitsField(IntColumn):
    """NUMERIC(78, 0): an on-chain amount as `int` base units; holds any uint256."""

    def db_type(self, connection: BaseDatabaseWrapper) -> str:
        return "numeric(78, 0)"

    def from_db_value(self, value: Decimal | None, *_context: object) -> int | None:
        return None if value is None else int(value)

    def to_python(self, value: Any) -> Any:
        if value is None or type(value) is int:
            return value
        raise ValidationError(f"{value!r} is not an int; base units are whole numbers.")

    def get_prep_value(self, value: Any) -> Any:
        return self.to_python(super().get_prep_value(value))


class TransactionIdField(models.Field):
    """The 64-bit id of the PostgreSQL transaction that wrote the row.

    Ids and times are given before a row is committed, so a reader that remembers the last one it
    saw misses rows. Rows with a transaction id below `pg_snapshot_xmin(pg_current_snapshot())`
    are all there, or will never be.
    """

    def __init__(self, **kwargs: Any) -> None:
        kwargs |= {"editable": False, "db_default": models.Func(function="pg_current_xact_id")}
        super().__init__(**kwargs)

    def db_type(self, connection: BaseDatabaseWrapper) -> str:
        return "xid8"

    def from_db_value(self, value: str | None, *_context: object) -> int | None:
        return None if value is None else int(value)

    def get_prep_value(self, value: Any) -> Any:
        """Pass an id as text, for PostgreSQL casts no integer to xid8."""
        value = super().get_prep_value(value)
        return str(value) if type(value) is int else value

    def deconstruct(self) -> Any:
        name, path, args, kwargs = super().deconstruct()
        kwargs.pop("db_default", None)
        kwargs.pop("editable", None)
        return name, path, args, kwargs
