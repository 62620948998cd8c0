"""Exact quantities and their units.

A *quantity* is a `Decimal` of whole shares or whole tokens, with at most 18 decimal places.
*Base units* are the `int` a token contract counts in: one token is `10 ** decimals` base units.
The two meet only in this module, and it holds every rounding that the books allow, each named
for whose favor it is in.
"""

import decimal
import math
import re
from decimal import Decimal
from fractions import Fraction
from typing import Final

from issuer.foundation import errors

DIGITS: Final = 38
SCALE: Final = 18
QUANTUM: Final = Decimal(1).scaleb(-SCALE)
#: Custodians count shares to nine decimal places (Alpaca, IBKR); deliveries cannot be finer.
CUSTODY_SCALE: Final = 9
#: RFC 8785 and JavaScript carry no larger integer exactly.
RATIO_BPS_MAX: Final = 2**53 - 1
#: Wide enough for the product of two quantities.
WORKING_DIGITS: Final = 2 * DIGITS

_TRAPS: Final = [decimal.Inexact, decimal.InvalidOperation, decimal.DivisionByZero]

#: Raises where a value would be rounded to fit NUMERIC(38, 18).
STORED: Final = decimal.Context(prec=DIGITS, traps=_TRAPS)
#: Raises where Decimal would round.
EXACT: Final = decimal.Context(prec=WORKING_DIGITS, traps=_TRAPS)

_TEXT: Final = re.compile(r"(0|[1-9][0-9]{0,19})(\.[0-9]{1,18})?")


class QuantityTooFine(errors.Rejected):
    """A quantity has more decimal places than the thing that should carry it."""

    code = "quantity-too-fine"
    title = "The quantity has too many decimal places"


class QuantityMalformed(errors.Rejected):
    """A quantity is not written as a plain decimal number."""

    code = "quantity-malformed"
    title = "The quantity is not a plain decimal number"


def to_base_units(quantity: Decimal, *, decimals: int) -> int:
    """Return `quantity` (whole tokens) as base units.

    Raises:
        QuantityTooFine: if `quantity` is not a whole number of base units.
    """
    base_units = EXACT.scaleb(quantity, decimals)
    if base_units != EXACT.to_integral_value(base_units):
        text = to_text(quantity)
        detail = f"A token with {decimals} decimal places cannot carry {text}."
        raise QuantityTooFine(detail, quantity=text, decimals=str(decimals))
    return int(base_units)


def to_quantity(base_units: int, *, decimals: int) -> Decimal:
    """Return `base_units` as whole tokens; always exact."""
    return EXACT.scaleb(Decimal(base_units), -decimals)


def to_text(quantity: Decimal) -> str:
    """Return `quantity` as people and partners read it: no exponent, no trailing zeros."""
    return f"{EXACT.normalize(quantity):f}" if quantity else "0"


def from_text(text: str) -> Decimal:
    """Read a quantity as it stands on the wire: digits, at most one point, no sign, no exponent.

    Raises:
        QuantityMalformed: if `text` is anything else, or has over 20 digits before the point.
        QuantityTooFine: if it has over 18 digits after the point.
    """
    if not _TEXT.fullmatch(text):
        whole, point, fraction = text.partition(".")
        if point and _TEXT.fullmatch(whole) and fraction.isascii() and fraction.isdigit():
            detail = f"{text} has {len(fraction)} decimal places; {SCALE} are the most."
            raise QuantityTooFine(detail, quantity=text, decimals=str(SCALE))
        detail = f"{text[:64]!r} is not a quantity; write it as 600 or 12.5."
        raise QuantityMalformed(detail)
    return Decimal(text)


def owed_rounded_up(quantity: Decimal) -> Decimal:
    """Round what is owed up to 18 places, in favor of token holders."""
    return _rounded(quantity, decimal.ROUND_CEILING, SCALE)


def held_rounded_down(quantity: Decimal) -> Decimal:
    """Round what is held down to 18 places, in favor of token holders."""
    return _rounded(quantity, decimal.ROUND_FLOOR, SCALE)


def scaled(quantity: Decimal, factor: Fraction, *, places: int = SCALE) -> Decimal | None:
    """Return `quantity` times `factor`, or None where `places` decimal places cannot carry it."""
    product = EXACT.multiply(quantity, factor.numerator)
    context = decimal.Context(prec=WORKING_DIGITS)
    quotient = context.divide(product, factor.denominator)
    found = _rounded(quotient, decimal.ROUND_FLOOR, places)
    return found if EXACT.multiply(found, factor.denominator) == product else None


def scaled_rounded_down(quantity: Decimal, factor: Fraction) -> Decimal:
    """Round `quantity` times `factor` down to 18 places: shares held, in favor of token holders."""
    context = decimal.Context(prec=WORKING_DIGITS, rounding=decimal.ROUND_FLOOR)
    quotient = context.divide(EXACT.multiply(quantity, factor.numerator), factor.denominator)
    return _rounded(quotient, decimal.ROUND_FLOOR, SCALE)


def scaled_rounded_up(quantity: Decimal, factor: Fraction) -> Decimal:
    """Round `quantity` times `factor` up to 18 places: shares owed, in favor of token holders."""
    context = decimal.Context(prec=WORKING_DIGITS, rounding=decimal.ROUND_CEILING)
    quotient = context.divide(EXACT.multiply(quantity, factor.numerator), factor.denominator)
    return _rounded(quotient, decimal.ROUND_CEILING, SCALE)


def headroom_rounded_down(shares: Decimal, *, multiplier: Decimal, decimals: int) -> Decimal:
    """Return how many tokens `shares` free shares still back, down to a base unit; never below 0.

    `multiplier` is shares per token; `decimals` are the token's decimal places.
    """
    if shares <= 0:
        return Decimal(0)
    context = decimal.Context(prec=WORKING_DIGITS, rounding=decimal.ROUND_FLOOR)
    return _rounded(context.divide(shares, multiplier), decimal.ROUND_FLOOR, min(decimals, SCALE))


def delivery_rounded_up(shares: Decimal) -> Decimal:
    """Round shares to be delivered to us up to the custodian's nine places."""
    return _rounded(shares, decimal.ROUND_CEILING, CUSTODY_SCALE)


def delivery_rounded_down(shares: Decimal) -> Decimal:
    """Round shares to be delivered by us down to the custodian's nine places."""
    return _rounded(shares, decimal.ROUND_FLOOR, CUSTODY_SCALE)


def ratio_bps_rounded_down(numerator: Decimal, denominator: Decimal) -> int:
    """Return `numerator / denominator` in basis points, rounded down; the denominator is not 0.

    Down is toward less, of what is below 0 as well. More than the largest integer that every JSON
    reader keeps is that integer, of either sign: of next to nothing owed, a percentage says
    nothing.
    """
    # Decimal's own // cuts toward 0, which is up where more is claimed than is held.
    exact = math.floor(Fraction(numerator) * 10_000 / Fraction(denominator))
    return max(min(exact, RATIO_BPS_MAX), -RATIO_BPS_MAX)


def _rounded(quantity: Decimal, rounding: str, places: int) -> Decimal:
    context = decimal.Context(prec=WORKING_DIGITS, traps=[decimal.InvalidOperation])
    return quantity.quantize(Decimal(1).scaleb(-places), rounding=rounding, context=context)
