"""What stands on the wire: quantities as strings, and nothing that was not asked for."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from django.db.models import TextChoices
from drf_spectacular.utils import extend_schema_field
from rest_framework import exceptions, serializers

from issuer.api.errors import ParameterError
from issuer.foundation import quantities

QUANTITY_SCHEMA = {
    "type": "string",
    "pattern": r"^(0|[1-9]\d{0,19})(\.\d{1,18})?$",
    "examples": ["600", "12.5"],
}


@extend_schema_field(QUANTITY_SCHEMA)
class QuantityField(serializers.Field):
    """A quantity as a JSON string; a JSON number is refused, for many readers round those."""

    default_error_messages = {
        "not_a_string": 'A quantity is a JSON string such as "600", not a JSON number.'
    }

    def to_internal_value(self, data: Any) -> Decimal:
        """Return the quantity.

        Raises:
            QuantityMalformed: if it is not written as a plain decimal number.
            QuantityTooFine: if it has more decimal places than anything here.
        """
        if not isinstance(data, str):
            self.fail("not_a_string")
        return quantities.from_text(data)


class StrictCharField(serializers.CharField):
    """Text as it was sent; numbers and booleans are no text."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(trim_whitespace=False, **kwargs)

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class Input(serializers.Serializer):
    """A body of which every member is known; one that is not is refused, lest a typo be lost."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, Mapping) and (unknown := sorted(set(data) - set(self.fields))):
            raise exceptions.ValidationError(
                {name: ["No such member is known here."] for name in unknown}, code="unknown"
            )
        return super().to_internal_value(data)


def choice_of(kind: type[TextChoices], name: str, value: str) -> str:
    """Return a query parameter that must be one of `kind`.

    Raises:
        ParameterError: if it is not.
    """
    if value not in kind.values:
        allowed = ", ".join(kind.values)
        raise ParameterError({name: [f"Must be one of {allowed}."]}, code="invalid_choice")
    return value
