"""How figures, times, states and addresses are written on every screen.

What is shortened for the eye keeps its full precision in the `title` and in what is copied; what
is not known is said in words, never as a zero.
"""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Final

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

from issuer.foundation import quantities

register = template.Library()

#: Decimal places that a screen shows; more stand in the title.
SHOWN_PLACES: Final = 6
#: Characters that a shortened address keeps at its beginning and its end.
KEPT_START, KEPT_END = 8, 6

_UNKNOWN: Final = SafeString('<span class="not-known">not known</span>')

#: What the color of a state means, everywhere; a state that is not named here is neutral.
TONES: Final[Mapping[str, str]] = {
    **dict.fromkeys(["COVERED", "OPEN", "COMPLETED", "SETTLED", "BOOKED", "FINAL"], "good"),
    **dict.fromkeys(["APPROVED", "BOUND", "PUBLISHED", "CONFIRMED", "CLEARED"], "good"),
    **dict.fromkeys(["IN_TRANSIT", "REDEEM_ONLY", "RENEWAL_DUE", "HIGH", "MEDIUM"], "waiting"),
    **dict.fromkeys(["REQUESTED", "ACCEPTED", "FUNDED", "MINTING", "INSTRUCTED"], "waiting"),
    **dict.fromkeys(["SIGNED", "BROADCAST", "MINED", "FROZEN", "REVIEWED"], "waiting"),
    **dict.fromkeys(["AWAITING_TOKENS", "RECEIVED", "BURNING", "BURNED", "DELIVERING"], "waiting"),
    **dict.fromkeys(["UNMATCHED", "QUARANTINED", "RETURNING", "PROPOSED", "SENT"], "waiting"),
    **dict.fromkeys(["MATCHED", "DONE", "ACKNOWLEDGED", "EFFECTIVE"], "good"),
    **dict.fromkeys(["ANNOUNCED", "CANCELLING"], "waiting"),
    **dict.fromkeys(["UNADDRESSED", "ABANDONED"], "bad"),
    **dict.fromkeys(["SHORT", "HALTED", "CRITICAL", "FAILED", "REVERTED", "DROPPED"], "bad"),
    **dict.fromkeys(["SUSPENDED", "REJECTED", "REJECTED_FINAL", "EXPIRED"], "bad"),
    "UNKNOWN": "unknown",
}
#: The sign of each tone, for those who do not see its color.
SIGNS: Final[Mapping[str, str]] = {
    "good": "✓",
    "waiting": "◔",
    "bad": "✕",
    "unknown": "?",
    "neutral": "–",
}


@register.filter
def quantity(value: Decimal | None) -> SafeString:
    """Write a quantity with its thousands apart; what is cut stands in the title."""
    if value is None:
        return _UNKNOWN
    text = quantities.to_text(value)
    shown = separated(text)
    whole, point, fraction = shown.partition(".")
    if len(fraction) > SHOWN_PLACES:
        shown = f"{whole}{point}{fraction[:SHOWN_PLACES]}…"
    return format_html(
        '<data class="figure" value="{}" title="{}">{}</data>', text, separated(text), shown
    )


@register.filter
def exact(value: Decimal | None) -> SafeString:
    """Write a quantity with its thousands apart and to its last digit."""
    if value is None:
        return _UNKNOWN
    text = quantities.to_text(value)
    return format_html('<data class="figure" value="{}">{}</data>', text, separated(text))


@register.filter
def percent(bps: int | None) -> SafeString:
    """Write basis points as a percentage with two decimals."""
    if bps is None:
        return _UNKNOWN
    return format_html('<data class="figure" value="{}">{} %</data>', bps, percent_text(bps))


@register.filter
def percent_text(bps: int) -> str:
    """Write basis points as the number of a percentage, as 100.51."""
    whole, hundredths = divmod(bps, 100)
    return f"{whole:,}.{hundredths:02}"


@register.filter
def separated(text: str) -> str:
    """Write a decimal number with its thousands apart."""
    whole, point, fraction = text.partition(".")
    sign, digits = ("-", whole[1:]) if whole.startswith("-") else ("", whole)
    return f"{sign}{int(digits):,}{point}{fraction}"


@register.filter
def utc(value: datetime | date | None) -> SafeString:
    """Write a time in UTC to the second, or a day."""
    if value is None:
        return _UNKNOWN
    if not isinstance(value, datetime):
        return format_html('<time datetime="{}">{}</time>', value.isoformat(), value.isoformat())
    moment = value.astimezone(UTC)
    return format_html(
        '<time datetime="{}" title="{}">{}</time>',
        f"{moment:%Y-%m-%dT%H:%M:%SZ}",
        f"{moment:%A, %d %B %Y, %H:%M:%S} UTC",
        f"{moment:%Y-%m-%d %H:%M:%S}Z",
    )


@register.filter
def age(value: datetime, now: datetime) -> str:
    """Write how long before `now` it was, in its largest unit."""
    return f"{duration(now - value)} ago" if value <= now else f"in {duration(value - now)}"


@register.filter
def duration(value: timedelta) -> str:
    """Write a length of time in its largest unit, rounded down."""
    seconds = int(value.total_seconds())
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= length:
            return f"{seconds // length} {unit}"
    return f"{max(seconds, 0)} s"


@register.filter
def shortened(value: str) -> str:
    """Write an address or a hash with its middle left out."""
    if len(value) <= KEPT_START + KEPT_END + 1:
        return value
    return f"{value[:KEPT_START]}…{value[-KEPT_END:]}"


@register.filter
def words(name: str) -> str:
    """Write the name of a field as words."""
    return name.replace("_", " ")


@register.simple_tag
def address(value: str, href: str = "") -> SafeString:
    """Write an address or a hash, shortened, with a button that copies all of it.

    Without scripts the button does not appear, and the whole stands in the title.
    """
    shown = format_html('<code title="{}">{}</code>', value, shortened(value))
    if href:
        shown = format_html('<a href="{}" rel="noopener noreferrer">{}</a>', href, shown)
    return format_html(
        '<span class="address">{}<button type="button" data-copy="{}" hidden>Copy</button></span>',
        shown,
        value,
    )


@register.simple_tag
def pill(state: str, label: str) -> SafeString:
    """Write a state as a word and a sign on the color that it has everywhere."""
    tone = TONES.get(state, "neutral")
    return format_html(
        '<span class="pill pill-{}" data-state="{}"><span aria-hidden="true">{}</span> {}</span>',
        tone,
        state,
        SIGNS[tone],
        label,
    )
