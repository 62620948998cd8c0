"""The lowest cover of a period: at every change of books, statements and chains, not at cut-offs.

Whoever brings shares in for the day of a statement only is seen here. Everything that changed in
the period is read at once, put in one order, and walked through; what changed at one instant counts
together. A mint or burn of ours counts from when it is booked, for until then the other side of it
is not in the books either; any other one counts from its block.

A block may be mined in one period and become final, or be read, in the next. What it did to the
cover of the period before, nobody could state then; it is stated as found late.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from enum import Enum, unique
from fractions import Fraction
from itertools import groupby
from math import prod
from typing import Final
from uuid import UUID

from issuer.foundation import quantities
from issuer.instruments.models import Split

#: Digits enough for any number of base units (uint256) at any multiplier.
_WIDE: Final = Context(prec=4 * quantities.DIGITS)
_ZERO: Final = Decimal(0)


@unique
class Cause(Enum):
    """What changed the cover; of several at one instant, the first here is named."""

    CHAIN = "CHAIN"  # tokens minted or burned without us
    STATEMENT = "STATEMENT"  # what a custodian stated
    SPLIT = "SPLIT"  # another number of shares per token
    OWN_ADDRESS = "OWN_ADDRESS"  # tokens into or out of the issuer's own addresses
    BOOKS = "BOOKS"
    LATE_FOUND = "LATE_FOUND"  # before the period, in a block that had not been read by then
    RECONCILIATION = "RECONCILIATION"  # a run found less than the changes tell
    OPENING = "OPENING"  # it was so when the period began


_IN_ORDER: Final = tuple(Cause)


@dataclass(frozen=True, slots=True)
class Low:
    """The lowest cover in basis points, when it began, and what brought it about."""

    cover_bps: int
    at: datetime
    cause: Cause
    reference: str


@dataclass(frozen=True, slots=True)
class Stated:
    """What a custodian stated of one account, in whole shares of the day of the statement."""

    as_of_date: date
    received_at: datetime
    settled: Decimal
    pending_delivery: Decimal
    lent: Decimal
    blocked: Decimal


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that became different at `at`.

    `value` is what the books have under the code `subject` (BOOKS), the custodian stated of the
    account (STATEMENT), came to the supply of the deployment in base units (CHAIN; BOOKS if it was
    ours), is at our own addresses of it in base units (OWN_ADDRESS), or its multiplier (SPLIT).
    `late` says that the statement before the period did not know of it.
    """

    at: datetime
    cause: Cause
    reference: str
    subject: UUID | str
    value: Decimal | int | Stated
    late: bool = False


@dataclass(frozen=True, slots=True)
class Codes:
    """The codes of the ledger accounts that the cover of a token is made of.

    `settled` and `leaving` are by custody account.
    """

    owed: str
    paid: str
    burned: str
    settled: Mapping[UUID, str]
    leaving: Mapping[UUID, str]

    def all(self) -> Iterator[str]:
        """Yield every code."""
        yield from (self.owed, self.paid, self.burned)
        yield from self.settled.values()
        yield from self.leaving.values()


@dataclass(slots=True)
class State:
    """Everything that the cover of one token follows from, at one instant.

    `decimals` are by deployment; supply and what is at our own addresses are in base units.
    """

    codes: Codes
    decimals: Mapping[UUID, int]
    splits: Sequence[Split]
    books: dict[str, Decimal] = field(default_factory=dict)
    stated: dict[UUID, Stated] = field(default_factory=dict)
    supply: dict[UUID, int] = field(default_factory=lambda: defaultdict(int))
    own: dict[UUID, int] = field(default_factory=dict)
    multipliers: dict[UUID, Decimal] = field(default_factory=dict)

    def copy(self) -> "State":
        """Return the same state, to be taken through other changes."""
        return replace(
            self,
            books=self.books.copy(),
            stated=self.stated.copy(),
            supply=self.supply.copy(),
            own=self.own.copy(),
            multipliers=self.multipliers.copy(),
        )

    def apply(self, change: Change) -> None:
        """Take one change in; a statement of an earlier day than the current one is no news."""
        match change.cause, change.subject, change.value:
            case Cause.BOOKS, str(code), Decimal() as balance:
                self.books[code] = balance
            case Cause.STATEMENT, UUID() as account, Stated() as stated:
                current = self.stated.get(account)
                if current is None or stated.as_of_date >= current.as_of_date:
                    self.stated[account] = stated
            case Cause.CHAIN | Cause.BOOKS, UUID() as deployment, int(base_units):
                self.supply[deployment] += base_units
            case Cause.OWN_ADDRESS, UUID() as deployment, int(base_units):
                self.own[deployment] = base_units
            case Cause.SPLIT, UUID() as deployment, Decimal() as multiplier:
                self.multipliers[deployment] = multiplier
            case _:
                raise AssertionError(f"{change} is no change of a cover")

    def cover_bps(self, at: datetime) -> int | None:
        """Return shares held for each 10,000 owed, rounded down; None if nothing is owed."""
        factor = _product(split for split in self.splits if split.unbooked_at(at))
        owed = self._owed(factor)
        if owed <= 0:
            return None
        held = sum((self._free(account, factor, at) for account in self.codes.settled), _ZERO)
        ten_thousandfold = _WIDE.scaleb(held, 4)
        found = _WIDE.divide(ten_thousandfold, owed).to_integral_value(ROUND_FLOOR)
        return min(int(found), quantities.RATIO_BPS_MAX)

    def _owed(self, factor: Fraction) -> Decimal:
        on_chains = _ZERO
        for deployment, decimals in self.decimals.items():
            base_units = self.supply.get(deployment, 0) - self.own.get(deployment, 0)
            tokens = _WIDE.scaleb(Decimal(base_units), -decimals)
            multiplier = self.multipliers.get(deployment, _ZERO)
            on_chains = _WIDE.add(on_chains, _WIDE.multiply(tokens, multiplier))
        larger = max(on_chains, self._booked(self.codes.owed, factor))
        rounded = larger.quantize(quantities.QUANTUM, ROUND_CEILING, _WIDE)
        others = (self._booked(code, factor) for code in (self.codes.paid, self.codes.burned))
        return sum(others, rounded)

    def _free(self, account: UUID, factor: Fraction, at: datetime) -> Decimal:
        booked = self._booked(self.codes.settled[account], factor)
        leaving = quantities.scaled_rounded_up(
            self.books.get(self.codes.leaving[account], _ZERO), factor
        )
        stated = self.stated.get(account)
        if stated is None:
            return min(_ZERO, booked - leaving)
        since = _product(
            split
            for split in self.splits
            if split.effective_at <= at
            and (
                stated.as_of_date < split.effective_at.date()
                or stated.received_at < split.effective_at
            )
        )
        settled = quantities.scaled_rounded_down(stated.settled, since)
        pending = quantities.scaled_rounded_up(stated.pending_delivery, since)
        lent = quantities.scaled_rounded_up(stated.lent, since)
        blocked = quantities.scaled_rounded_up(stated.blocked, since)
        # A delivery may have left, or its shares be missing: what a statement leaves open of that,
        # the runs have judged by the instructions of then, and their lows are looked at as well.
        return min(settled - pending, booked - leaving) - lent - blocked

    def _booked(self, code: str, factor: Fraction) -> Decimal:
        return quantities.scaled_rounded_down(self.books.get(code, _ZERO), factor)


def lowest(
    state: State, changes: Iterable[Change], *, start: datetime, until: datetime
) -> Low | None:
    """Return the first lowest cover from `start` until `until`; None if nothing was owed then.

    `state` is that of `start`, and is taken through every one of `changes`.
    """
    found: list[Low] = []

    def look(at: datetime, cause: Cause, reference: str) -> None:
        bps = state.cover_bps(at)
        if bps is not None and (not found or bps < found[-1].cover_bps):
            found.append(Low(bps, at, cause, reference))

    look(start, Cause.OPENING, "")
    for at, at_once in _in_order(change for change in changes if start < change.at <= until):
        for change in at_once:
            state.apply(change)
        named = _named(at_once)
        look(at, named.cause, named.reference)
    return found[-1] if found else None


def lowest_found_late(state: State, changes: Iterable[Change]) -> Low | None:
    """Return the first lowest cover at which late ones of `changes` made it lower than was known.

    `state` is that before all of them, and is taken through every one; None if there is no such
    time. The reference is of the late change that came last until then.
    """
    known, found, late = state.copy(), list[Low](), ""
    for at, at_once in _in_order(changes):
        for change in at_once:
            state.apply(change)
            if not change.late:
                known.apply(change)
        if came_late := [change for change in at_once if change.late]:
            late = _named(came_late).reference
        bps, said = state.cover_bps(at), known.cover_bps(at)
        if bps is None or (said is not None and bps >= said):
            continue
        if not found or bps < found[-1].cover_bps:
            found.append(Low(bps, at, Cause.LATE_FOUND, late))
    return found[-1] if found else None


def _in_order(changes: Iterable[Change]) -> Iterator[tuple[datetime, list[Change]]]:
    """Yield the instants at which something changed, in order, each with all that did."""
    ordered = sorted(changes, key=lambda change: change.at)
    for at, together in groupby(ordered, key=lambda change: change.at):
        yield at, list(together)


def _named(changes: Iterable[Change]) -> Change:
    """Return the change at one instant that is named as its cause."""
    return min(changes, key=lambda change: _IN_ORDER.index(change.cause))


def _product(splits: Iterable[Split]) -> Fraction:
    return prod((split.factor for split in splits), start=Fraction(1))
