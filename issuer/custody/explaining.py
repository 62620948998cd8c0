"""Which instructions explain what has moved in an account, if one may tell by the position alone.

A position shows a sum. Where several choices of instructions have that sum, it does not show which
of them were carried out: a receipt and a delivery of equal quantities leave it as it was. Nothing
here asks the database.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from itertools import islice
from typing import Final
from uuid import UUID

from issuer.custody.models import Direction, SettlementInstruction
from issuer.foundation import quantities

#: So many choices are looked at; where they are not enough, the answer is that nobody can tell.
CHOICES_MAX: Final = 50_000

#: How much has moved of which instructions.
Moves = list[tuple[SettlementInstruction, Decimal]]

_NOTHING: Final = Decimal(0)


@dataclass(frozen=True, slots=True)
class Movement:
    """How a statement differs from the books of an account, in whole shares.

    `change` is what it states as settled beyond the books; `in_done` and `out_done` are what is on
    its way in our books, and no longer with the custodian: negative, where it has more on its way.
    """

    change: Decimal
    in_done: Decimal
    out_done: Decimal

    @property
    def arrived(self) -> Decimal:
        """What has come. Settled shares that nobody can explain do not stand in for it."""
        return max(min(self.change, self.in_done), _NOTHING)

    @property
    def departed(self) -> Decimal:
        """What has gone. Shares that are missing without explanation do not stand in for it."""
        return max(min(-self.change, self.out_done), _NOTHING)

    def without(self, instruction: SettlementInstruction, quantity: Decimal) -> "Movement":
        """Return what is left to explain once `quantity` shares of an instruction have moved."""
        if instruction.direction == Direction.RECEIPT:
            return Movement(self.change - quantity, self.in_done - quantity, self.out_done)
        return Movement(self.change + quantity, self.in_done, self.out_done - quantity)


#: Statement and books agree.
STILL: Final = Movement(_NOTHING, _NOTHING, _NOTHING)


class CannotTell(Exception):
    """Several choices of instructions explain a movement, or too many would have to be tried."""


def explain(
    movement: Movement,
    due: Sequence[SettlementInstruction],
    early: Sequence[SettlementInstruction] = (),
) -> Moves | None:
    """Return what has moved of the instructions that are due, and how much of each.

    None, if nothing explains the movement. A choice of whole instructions does, if its shares are
    the change to the last one, and the custodian has none of them pending. A part of an instruction
    does only where no other one is due, and the custodian has the rest of it and all others, and no
    more, pending. All that explain it must agree on what has moved of those that are due.

    `early` are those whose date is ahead. They may have been carried out before it, so they may
    explain a movement as well. But where everything that was due has moved, and exactly all that
    was not is pending, everybody kept the contract, and that is what is taken: any other
    explanation has one of them late, and another of just its size early. Without this, two
    deliveries of a size on successive days would wait for each other for ever.

    Raises:
        CannotTell: if they do not agree.
    """
    if _as_agreed(movement, due) and len(list(islice(choices(movement, due), 2))) == 1:
        return [(one, one.remaining) for one in due]
    part = _part(movement, due)
    found = [] if part is None else [part]
    for choice in choices(movement, [*due, *early]):
        moves = [(one, one.remaining) for one in choice if one in due]
        if moves not in found:
            found.append(moves)
        if len(found) > 1:
            raise CannotTell
    return found[0] if found else None


def departed(
    instructions: Iterable[SettlementInstruction],
    *,
    named: Mapping[UUID, Decimal],
    change: Decimal,
    pending_receipt: Decimal,
    pending_delivery: Decimal,
    booked: Fraction = Fraction(1),
    stated: Fraction = Fraction(1),
) -> Decimal:
    """Return how many shares of open deliveries have left by a statement, and not by the books yet.

    Those that it says to have settled by name. Beyond them, what is missing has left only if whole
    deliveries, and receipts, are the difference to the last share: a part of one, or a sum that
    none of them make up, is missing. Where several choices do, the least of what has left by one.

    `change` is what the statement has settled beyond the books. It and what is pending are shares
    of one kind: `booked` of them are one of the books, `stated` of them one of the statement, which
    is what `named` tells, by instruction.
    """
    if change >= 0:
        return _NOTHING  # nothing that is missing could have left
    gone, came = _NOTHING, _NOTHING
    coming: list[Decimal] = []
    leaving: list[Decimal] = []
    in_done, out_done = -pending_receipt, -pending_delivery
    for one in instructions:
        receipt = one.direction == Direction.RECEIPT
        remaining = quantities.scaled_rounded_down(one.remaining, booked)
        before = quantities.scaled_rounded_down(one.settled_quantity, booked)
        part = quantities.scaled_rounded_down(named.get(one.pk, _NOTHING), stated) - before
        part = min(max(part, _NOTHING), remaining)
        if receipt:
            came, in_done = came + part, in_done + remaining - part
        else:
            gone, out_done = gone + part, out_done + remaining - part
        if one.pk not in named:
            (coming if receipt else leaving).append(remaining)
    return gone + _least_gone(Movement(change - came + gone, in_done, out_done), coming, leaving)


def choices(
    movement: Movement, instructions: Sequence[SettlementInstruction]
) -> Iterator[list[SettlementInstruction]]:
    """Yield every choice of `instructions` that explains a movement as a whole.

    Raises:
        CannotTell: if too many would have to be tried.
    """
    ordered = sorted(instructions, key=lambda one: one.remaining, reverse=True)
    at_most = _totals(ordered)
    budget = CHOICES_MAX
    whole = Movement(
        movement.change, max(movement.in_done, _NOTHING), max(movement.out_done, _NOTHING)
    )
    undecided: list[tuple[Movement, tuple[SettlementInstruction, ...], int]] = [(whole, (), 0)]
    while undecided:
        if not budget:
            raise CannotTell
        budget -= 1
        left, chosen, index = undecided.pop()
        come, gone = at_most[index]
        if not -min(gone, left.out_done) <= left.change <= min(come, left.in_done):
            continue
        if index == len(ordered):
            yield [one for one in instructions if one in chosen]
            continue
        one = ordered[index]
        done = left.in_done if one.direction == Direction.RECEIPT else left.out_done
        undecided.append((left, chosen, index + 1))
        if one.remaining <= done:
            undecided.append((left.without(one, one.remaining), (*chosen, one), index + 1))


def _as_agreed(movement: Movement, due: Sequence[SettlementInstruction]) -> bool:
    """Say whether all that is due has moved, and exactly what is not is pending."""
    for one in due:
        movement = movement.without(one, one.remaining)
    return movement == STILL


def _part(movement: Movement, due: Sequence[SettlementInstruction]) -> Moves | None:
    """Return the part of the only one due that has moved, while exactly the rest is pending."""
    if len(due) != 1:
        return None
    [one] = due
    part = abs(movement.change)
    moved = 0 < part < one.remaining and movement.without(one, part) == STILL
    return [(one, part)] if moved else None


def _least_gone(
    movement: Movement, coming: Sequence[Decimal], leaving: Sequence[Decimal]
) -> Decimal:
    """Return how many shares have left, at least, if whole quantities explain a movement."""
    come_at_most = min(max(movement.in_done, _NOTHING), sum(coming, _NOTHING))
    gone_at_most = min(movement.out_done, come_at_most - movement.change)
    try:
        come = _sums(coming, come_at_most)
        gone = _sums(leaving, gone_at_most)
    except CannotTell:
        return _NOTHING
    return min((each for each in gone if each + movement.change in come), default=_NOTHING)


def _sums(parts: Iterable[Decimal], at_most: Decimal) -> set[Decimal]:
    """Return the sum of every choice of `parts`, as far as it is `at_most`.

    Raises:
        CannotTell: if there are too many.
    """
    sums = {_NOTHING}
    for part in parts:
        sums |= {each + part for each in sums if each + part <= at_most}
        if len(sums) > CHOICES_MAX:
            raise CannotTell
    return sums


def _totals(ordered: Sequence[SettlementInstruction]) -> list[tuple[Decimal, Decimal]]:
    """Return how many shares may come and go, at most, by the instructions from each one on."""
    come = gone = _NOTHING
    totals = [(come, gone)]
    for one in reversed(ordered):
        if one.direction == Direction.RECEIPT:
            come += one.remaining
        else:
            gone += one.remaining
        totals.append((come, gone))
    return totals[::-1]
