"""One way to write a document as bytes, so that a hash of it means something.

RFC 8785 (JSON Canonicalization Scheme) by the rfc8785 library, over strings, booleans, nulls,
small integers, lists and objects; decimals, times and ids are written as strings first, for a
JSON number cannot carry a quantity.
"""

import hashlib
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import rfc8785

from issuer.foundation import quantities


def to_json_ready(value: Any) -> Any:
    """Return `value` with decimals, times, days and ids as the strings that stand on the wire.

    Raises:
        TypeError: if it holds a float, or a thing that has no place in a document.
    """
    match value:
        case None | bool() | int() | str():
            return value
        case Decimal():
            return quantities.to_text(value)
        case datetime():
            return timestamp(value)
        case date():
            return value.isoformat()
        case UUID():
            return str(value)
        case Mapping():
            return {str(key): to_json_ready(child) for key, child in value.items()}
        case list() | tuple():
            return [to_json_ready(child) for child in value]
        case _:
            raise TypeError(f"{value!r} has no place in a canonical document.")


def to_bytes(document: Mapping[str, Any]) -> bytes:
    """Return the canonical bytes of `document`.

    Raises:
        TypeError: as `to_json_ready`.
        ValueError: if an integer is larger than every reader of JSON keeps (2^53 - 1), or a
            string holds half a character.
    """
    return rfc8785.dumps(to_json_ready(document))


def sha256(document: Mapping[str, Any]) -> str:
    """Return the SHA-256 of the canonical bytes of `document`, in hex."""
    return hashlib.sha256(to_bytes(document)).hexdigest()


def timestamp(at: datetime) -> str:
    """Return `at` in UTC as RFC 3339 with microseconds and Z.

    Raises:
        TypeError: if `at` has no time zone.
    """
    if at.tzinfo is None:
        raise TypeError(f"{at!r} has no time zone.")
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
