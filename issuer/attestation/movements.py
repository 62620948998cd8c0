"""What moved in the books of a token between two statements, and what they say at the second."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from fractions import Fraction

from django.db.models import Q, Sum

from issuer.foundation import quantities
from issuer.ledger.models import Entry, Transfer

#: What the ledger calls the posting of a split; the rest is the split's id.
SPLIT_PREFIX = "split/"

_ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Movements:
    """What came into and went out of some accounts together; not what moved among them.

    `late` is what the books had of before the opening, and the statement that closed with it could
    not say: a posting carries the time at which it began, and may be committed after that.
    """

    opening: Decimal
    late: Decimal
    incoming: Decimal
    outgoing: Decimal
    split: Decimal
    closing: Decimal


def balances(prefix: str, as_of: datetime) -> dict[str, Decimal]:
    """Return the balance at `as_of` of each account whose code begins with `prefix`, by code."""
    entries = (
        Entry.objects.filter(account__code__startswith=prefix, booked_at__lte=as_of)
        .order_by("account_id", "-version")
        .distinct("account_id")
    )
    return dict(entries.values_list("account__code", "balance"))


def debited(
    codes: Iterable[str],
    since: datetime | None,
    as_of: datetime,
    *,
    stated: Decimal | None = None,
    opening_factor: Fraction = Fraction(1),
    closing_factor: Fraction = Fraction(1),
) -> Movements:
    """Return what moved in `codes` from `since` until `as_of`; a debit comes in, a credit goes out.

    The opening is what was `stated` at `since`, if that is given, and else what the books have of
    it. A split that was effective and not booked at either end is counted at that end: by the
    factors, which say how many shares one in the books was then. Without `since`, from the
    beginning.
    """
    codes = list(codes)
    incoming = Q(debit_account__code__in=codes) & ~Q(credit_account__code__in=codes)
    outgoing = Q(credit_account__code__in=codes) & ~Q(debit_account__code__in=codes)
    by_split = Q(reference__startswith=SPLIT_PREFIX)
    booked = _ZERO
    if since is not None:
        booked = _moved(incoming, None, since) - _moved(outgoing, None, since)
    arrived = _moved(incoming & ~by_split, since, as_of)
    left = _moved(outgoing & ~by_split, since, as_of)
    split = _moved(incoming & by_split, since, as_of) - _moved(outgoing & by_split, since, as_of)
    ending = booked + arrived - left + split
    known = quantities.scaled_rounded_down(booked, opening_factor)
    opening = known if stated is None else stated
    closing = quantities.scaled_rounded_down(ending, closing_factor)
    return Movements(
        opening=opening,
        late=known - opening,
        incoming=arrived,
        outgoing=left,
        split=split + (closing - ending) - (known - booked),
        closing=closing,
    )


def credited(
    codes: Iterable[str],
    since: datetime | None,
    as_of: datetime,
    *,
    stated: Decimal | None = None,
) -> Movements:
    """Return what moved in `codes` from `since` until `as_of`; a credit comes in, a debit goes out.

    Of tokens: no split changes their number. `stated` is as in `debited`, on the credit side.
    """
    seen = debited(codes, since, as_of, stated=None if stated is None else -stated)
    return Movements(
        opening=-seen.opening,
        late=-seen.late,
        incoming=seen.outgoing,
        outgoing=seen.incoming,
        split=-seen.split,
        closing=-seen.closing,
    )


def _moved(which: Q, since: datetime | None, until: datetime) -> Decimal:
    transfers = Transfer.objects.filter(which, booked_at__lte=until)
    if since is not None:
        transfers = transfers.filter(booked_at__gt=since)
    moved: Decimal | None = transfers.aggregate(total=Sum("quantity"))["total"]
    return moved or _ZERO
