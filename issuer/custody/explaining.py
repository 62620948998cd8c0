"""Which instructions explain what has moved in an account, if one may tell by the position alone.

A position shows a sum. Where several choices of instructions have that sum, it does not show which
of them were carried out: a receipt and a delivery of equal quantities leave it as it was. Nothing
here asks the database.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import islice
from typing import Final

from issuer.custody.models import Direction, SettlementInstruction

#: So many choices are looked at; where they are not enough, the answer is that nobody can tell.
CHOICES_MAX: Final = 50_000

_NOTHING: Final = Decimal(0)


@dataclass(frozen=True, slots=True)
class Movement:
    """How a statement differs from the books of an account, in whole shares.

    `change` is what it states as settled beyond the books; `in_done` and `out_done` are what is on
    its way in our books, and no longer with the custodian.
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


class CannotTell(Exception):
    """Several choices of instructions explain a movement, or too many would have to be tried."""


def explain(
    movement: Movement, instructions: Sequence[SettlementInstruction]
) -> list[tuple[SettlementInstruction, Decimal]]:
    """Return what has moved of `instructions`, and how many shares of each; nothing, if none fits.

    A choice fits if its shares are the change to the last one, and the custodian has none of them
    pending. A part of an instruction is taken to have moved only where it is the only one, and the
    custodian has the rest, and no more than the rest, pending.

    Raises:
        CannotTell: if more than one choice fits.
    """
    found = list(islice(choices(movement, instructions), 2))
    if len(found) > 1:
        raise CannotTell
    if found:
        return [(one, one.remaining) for one in found[0]]
    if len(instructions) == 1:
        (one,) = instructions
        part = abs(movement.change)
        receipt = one.direction == Direction.RECEIPT
        done = movement.in_done if receipt else movement.out_done
        if receipt == (movement.change > 0) and part == done < one.remaining:
            return [(one, part)]
    return []


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
    undecided: list[tuple[Movement, tuple[SettlementInstruction, ...], int]] = [(movement, (), 0)]
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
