"""Identifiers by their standards: UUIDv7, ISIN, LEI, FIGI, CUSIP, CAIP-2, CAIP-10, EIP-55."""

import re
import uuid
from typing import Final

import uuid_utils
from eth_utils.address import to_checksum_address
from stdnum import cusip as stdnum_cusip
from stdnum import figi as stdnum_figi
from stdnum import isin as stdnum_isin
from stdnum import lei as stdnum_lei
from stdnum.exceptions import ValidationError as NumberInvalid

from issuer.foundation.errors import Malformed

#: CAIP-2: namespace and reference of a chain, as in eip155:1.
CAIP2: Final = re.compile(r"[-a-z0-9]{3,8}:[-_a-zA-Z0-9]{1,32}")
_EVM_ADDRESS: Final = re.compile(r"0x[0-9a-fA-F]{40}")


def uuid7() -> uuid.UUID:
    """Return a new UUIDv7 (RFC 9562): random, and sorted by the millisecond it was made in."""
    return uuid.UUID(bytes=uuid_utils.uuid7().bytes)


def isin(text: str) -> str:
    """Return `text` as an ISIN (ISO 6166).

    Raises:
        Malformed: if its form or its check digit is wrong.
    """
    return _validated("isin", "ISIN", stdnum_isin.validate, text)


def lei(text: str) -> str:
    """Return `text` as a Legal Entity Identifier (ISO 17442).

    Raises:
        Malformed: if its form or its check digits are wrong.
    """
    return _validated("lei", "LEI", stdnum_lei.validate, text)


def figi(text: str) -> str:
    """Return `text` as a Financial Instrument Global Identifier.

    Raises:
        Malformed: if its form or its check digit is wrong.
    """
    return _validated("figi", "FIGI", stdnum_figi.validate, text)


def cusip(text: str) -> str:
    """Return `text` as a CUSIP number.

    Raises:
        Malformed: if its form or its check digit is wrong.
    """
    return _validated("cusip", "CUSIP", stdnum_cusip.validate, text)


def caip2(text: str) -> str:
    """Return `text` as a CAIP-2 chain id.

    Raises:
        Malformed: if it is none.
    """
    if not CAIP2.fullmatch(text):
        raise Malformed(f"{text[:64]!r} is not a CAIP-2 chain id such as eip155:1.", field="caip2")
    return text


def caip10(chain: str, address: str) -> str:
    """Return the CAIP-10 account id of `address` on the CAIP-2 chain `chain`."""
    return f"{caip2(chain)}:{address}"


def evm_address(text: str) -> str:
    """Return `text` as an EVM address whose capitals are its checksum (EIP-55).

    Addresses without a checksum are refused: in them a wrong digit is an address too.

    Raises:
        Malformed: if its form or its checksum is wrong.
    """
    if not _EVM_ADDRESS.fullmatch(text):
        raise Malformed(f"{text[:64]!r} is not an EVM address.", field="address")
    if to_checksum_address(text) != text:
        raise Malformed(f"{text} does not carry its EIP-55 checksum.", field="address")
    return text


def _validated(field: str, name: str, validate: object, text: str) -> str:
    assert callable(validate)
    try:
        number = validate(text)
    except NumberInvalid as exc:
        detail = f"{text[:64]!r} is not a valid {name}: {exc}"
        raise Malformed(detail, field=field) from exc
    if number != text:
        detail = f"{text[:64]!r} is not written as a {name} is; write {number}."
        raise Malformed(detail, field=field)
    return text
