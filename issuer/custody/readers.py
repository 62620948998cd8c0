"""What we need of a custodian's statement, whatever its format."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Protocol
from uuid import UUID


@dataclass(frozen=True, slots=True)
class StatementLine:
    """What a statement says of one account, in whole shares; `number` is its line in the file."""

    number: int
    account: str
    isin: str
    settled: Decimal
    pending_receipt: Decimal
    pending_delivery: Decimal
    lent: Decimal
    blocked: Decimal
    pledged: Decimal


@dataclass(frozen=True, slots=True)
class InstructionLine:
    """How many whole shares of an instruction of ours have settled so far, in `account`."""

    number: int
    account: str
    instruction: UUID
    settled: Decimal


@dataclass(frozen=True, slots=True)
class StatementDocument:
    """A statement as it was read: whose, of the close of which day, and of which accounts.

    `supersedes` is the number of the statement of the same day that this one replaces, or empty.
    `instructions` are those that it speaks of by our references; it need not speak of any.
    """

    custodian: str
    reference: str
    as_of_date: date
    supersedes: str
    lines: tuple[StatementLine, ...]
    instructions: tuple[InstructionLine, ...] = ()


class StatementReader(Protocol):
    """Reads one format. Whatever is missing or not understood is refused, never guessed."""

    def read(self, raw: bytes) -> StatementDocument:
        """Return what a file says.

        Raises:
            StatementEmpty: if it says nothing.
            StatementTruncated: if it is not all there.
            StatementMalformed: if a line of it cannot be read.
        """
