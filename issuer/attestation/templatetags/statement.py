"""How figures of a statement are written for people: every digit, in groups of three."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from django import template

from issuer.attestation.period_low import Cause
from issuer.attestation.states import AttestationKind

register = template.Library()

#: What the lowest cover of a period is said to come from.
CAUSES: Final[Mapping[Cause, str]] = {
    Cause.CHAIN: "Tokens minted or burned by others than the issuer",
    Cause.STATEMENT: "A custodian's statement",
    Cause.SPLIT: "Another number of shares per token",
    Cause.OWN_ADDRESS: "Tokens moved into or out of the issuer's own addresses",
    Cause.BOOKS: "A posting",
    Cause.LATE_FOUND: "Before the period, on a chain: final only after the statement before",
    Cause.RECONCILIATION: "Found by a reconciliation",
    Cause.OPENING: "It was so from the beginning of the period",
}
MINUS = "\u2212"
NOT_KNOWN = "not known"


@register.filter
def figure(text: str | None) -> str:
    """Write a quantity with its whole digits grouped and a real minus sign; null is not known."""
    if text is None:
        return NOT_KNOWN
    whole, point, fraction = text.removeprefix("-").partition(".")
    sign = MINUS if text.startswith("-") else ""
    return f"{sign}{int(whole):,}{point}{fraction}"


@register.filter
def percent(basis_points: int | None) -> str:
    """Write basis points as a percentage with two decimals; none is an en dash."""
    if basis_points is None:
        return "\u2013"
    sign = MINUS if basis_points < 0 else ""
    return f"{sign}{abs(basis_points) // 100:,}.{abs(basis_points) % 100:02d} %"


@register.filter
def moment(text: str | None) -> str:
    """Write a time or a day of the document in words, in UTC."""
    if text is None:
        return "\u2013"
    at = datetime.fromisoformat(text)
    day = f"{at.day} {at:%B %Y}"
    return f"{day}, {at:%H:%M:%S} UTC" if "T" in text else day


@register.filter
def short_moment(text: str | None) -> str:
    """Write a time or a day of the document in figures, in UTC."""
    return "\u2013" if text is None else text.replace("T", " ")


@register.filter
def age(since: str | None, as_of: str) -> str:
    """Write how old something was at the cut-off, in the one unit that fits."""
    if since is None:
        return "\u2013"
    seconds = int((_instant(as_of) - _instant(since)).total_seconds())
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= length:
            return f"{seconds // length} {unit}"
    return f"{max(seconds, 0)} s"


@register.filter
def kind_of_statement(kind: str) -> str:
    """Write why a statement was made."""
    return str(AttestationKind(kind).label) if kind in AttestationKind.values else words(kind)


@register.filter
def cause_of_low(cause: str) -> str:
    """Write what brought the lowest cover of a period about."""
    return CAUSES[Cause(cause)]


@register.filter
def words(code: str) -> str:
    """Write a code of the document, such as UNSETTLED_BUY, as words."""
    return code.replace("_", " ").capitalize()


@register.filter
def entity_of(lei: str, entities: list[dict[str, Any]]) -> str:
    """Return the name of the entity with this LEI."""
    return next((str(entity["name"]) for entity in entities if entity["lei"] == lei), lei)


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text if "T" in text else f"{text}T00:00:00Z")
