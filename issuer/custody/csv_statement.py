"""Statements as CSV (RFC 4180), with an end that shows when lines are missing.

Four lines of name and value, one of column names, one for each account, and a last line with the
number of accounts and the sum of their settled shares:

    custodian,first-custody
    statement,FCB-2026-11-20
    as_of,2026-11-20
    supersedes,
    account,isin,settled,pending_receipt,pending_delivery,lent,blocked,pledged
    AAPLX-01,US0378331005,600,0,0,0,0,600
    end,1,600

A custodian that knows our instructions by their references may say of each how much of it has
settled so far; then the last line has their number, too:

    account,instruction,settled
    AAPLX-01,01939f6c-7d2a-7b11-8a52-1c9f5d0f3b7e,60
    end,1,600,1

UTF-8, with or without a byte order mark; lines end in LF or CRLF. Shares are plain decimal
numbers of at most nine decimal places.
"""

import csv
import io
import re
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Final
from uuid import UUID

from issuer.custody.errors import StatementEmpty, StatementMalformed, StatementTruncated
from issuer.custody.readers import InstructionLine, StatementDocument, StatementLine
from issuer.foundation import quantities

HEADER: Final = ("custodian", "statement", "as_of", "supersedes")
QUANTITIES: Final = (
    "settled",
    "pending_receipt",
    "pending_delivery",
    "lent",
    "blocked",
    "pledged",
)
COLUMNS: Final = ("account", "isin", *QUANTITIES)
INSTRUCTION_COLUMNS: Final = ("account", "instruction", "settled")
END: Final = ("end", "accounts", "settled")
END_WITH_INSTRUCTIONS: Final = (*END, "instructions")

_FIRST_ACCOUNT_LINE: Final = len(HEADER) + 2
_TEXT: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
_ISIN: Final = re.compile(r"[A-Z]{2}[A-Z0-9]{9}[0-9]")
_INSTRUCTION: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_COUNT: Final = re.compile(r"[0-9]{1,6}")
_SHARES: Final = re.compile(r"[0-9]{1,20}(\.[0-9]{1,9})?")

#: The number of a line, and what stands in it.
_Row = tuple[int, Sequence[str]]


class CsvStatementReader:
    """A `StatementReader` for files of the form above."""

    def read(self, raw: bytes) -> StatementDocument:
        rows = _rows(raw)
        if rows[-1][0] != END[0] or len(rows[-1]) not in {len(END), len(END_WITH_INSTRUCTIONS)}:
            raise StatementTruncated(
                f"The last line, {len(rows)}, is not the statement's end.", line=str(len(rows))
            )
        if len(rows) <= _FIRST_ACCOUNT_LINE - 1:
            raise StatementTruncated("The statement ends before its first account.")
        custodian, reference, as_of, supersedes = (
            _header_value(rows[index], number=index + 1, name=name)
            for index, name in enumerate(HEADER)
        )
        if tuple(rows[len(HEADER)]) != COLUMNS:
            raise _malformed(len(HEADER) + 1, "columns", ",".join(rows[len(HEADER)]))
        numbered = list(enumerate(rows[len(HEADER) + 1 : -1], _FIRST_ACCOUNT_LINE))
        accounts, instructed = _sections(numbered)
        lines = tuple(_line(row, number=number) for number, row in accounts)
        instructions = tuple(_instruction(row, number=number) for number, row in instructed)
        if not lines:
            raise StatementEmpty("The statement speaks of no account.")
        _check_once_each(lines, instructions)
        _check_end(rows[-1], lines, instructions, number=len(rows))
        return StatementDocument(
            custodian=_matching(_TEXT, custodian, number=1, column="custodian"),
            reference=_matching(_TEXT, reference, number=2, column="statement"),
            as_of_date=_date(as_of, number=3),
            supersedes=supersedes and _matching(_TEXT, supersedes, number=4, column="supersedes"),
            lines=lines,
            instructions=instructions,
        )


def write(document: StatementDocument) -> bytes:
    """Return `document` as a file that the reader reads back as the same."""
    text = io.StringIO(newline="")
    rows = csv.writer(text)
    as_of = document.as_of_date.isoformat()
    header = (document.custodian, document.reference, as_of, document.supersedes)
    rows.writerows(zip(HEADER, header, strict=True))
    rows.writerow(COLUMNS)
    for line in document.lines:
        shares = [quantities.to_text(getattr(line, name)) for name in QUANTITIES]
        rows.writerow([line.account, line.isin, *shares])
    settled = sum((line.settled for line in document.lines), Decimal(0))
    end: list[object] = [END[0], len(document.lines), quantities.to_text(settled)]
    if document.instructions:
        rows.writerow(INSTRUCTION_COLUMNS)
        for one in document.instructions:
            rows.writerow([one.account, one.instruction, quantities.to_text(one.settled)])
        end.append(len(document.instructions))
    rows.writerow(end)
    return text.getvalue().encode()


def _rows(raw: bytes) -> list[list[str]]:
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        line = raw[: exc.start].count(b"\n") + 1
        raise _malformed(line, "encoding", repr(raw[exc.start : exc.start + 8])) from exc
    if not text.strip():
        raise StatementEmpty("The file says nothing.")
    rows: list[list[str]] = []
    try:
        for row in csv.reader(io.StringIO(text, newline=""), strict=True):
            if not row:
                raise _malformed(len(rows) + 1, "line", "")
            rows.append(row)
    except csv.Error as exc:
        raise _malformed(len(rows) + 1, "line", str(exc)) from exc
    return rows


def _sections(rows: Sequence[_Row]) -> tuple[Sequence[_Row], Sequence[_Row]]:
    """Return the lines of accounts, and those of instructions, which have a line of names."""
    for index, (_, row) in enumerate(rows):
        if tuple(row) == INSTRUCTION_COLUMNS:
            return rows[:index], rows[index + 1 :]
    return rows, ()


def _header_value(row: Sequence[str], *, number: int, name: str) -> str:
    if len(row) != 2 or row[0] != name:
        raise _malformed(number, name, ",".join(row))
    return row[1]


def _line(row: Sequence[str], *, number: int) -> StatementLine:
    if len(row) != len(COLUMNS):
        raise _malformed(number, "columns", ",".join(row))
    account, isin, *shares = row
    return StatementLine(
        number,
        _matching(_TEXT, account, number=number, column="account"),
        _matching(_ISIN, isin, number=number, column="isin"),
        *(
            _quantity(text, number=number, column=column)
            for column, text in zip(QUANTITIES, shares, strict=True)
        ),
    )


def _instruction(row: Sequence[str], *, number: int) -> InstructionLine:
    if len(row) != len(INSTRUCTION_COLUMNS):
        raise _malformed(number, "columns", ",".join(row))
    account, instruction, settled = row
    return InstructionLine(
        number,
        _matching(_TEXT, account, number=number, column="account"),
        UUID(_matching(_INSTRUCTION, instruction, number=number, column="instruction")),
        _quantity(settled, number=number, column="settled"),
    )


def _quantity(text: str, *, number: int, column: str) -> Decimal:
    try:
        quantity = quantities.from_text(text)
        quantities.to_base_units(quantity, decimals=quantities.CUSTODY_SCALE)
    except (quantities.QuantityMalformed, quantities.QuantityTooFine) as exc:
        raise _malformed(number, column, text) from exc
    return quantity


def _date(text: str, *, number: int) -> date:
    if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", text, re.ASCII):  # fromisoformat takes more
        raise _malformed(number, "as_of", text)
    try:
        return date.fromisoformat(text)
    except ValueError as exc:
        raise _malformed(number, "as_of", text) from exc


def _matching(pattern: re.Pattern[str], text: str, *, number: int, column: str) -> str:
    if not pattern.fullmatch(text):
        raise _malformed(number, column, text)
    return text


def _check_once_each(
    lines: Sequence[StatementLine], instructions: Sequence[InstructionLine]
) -> None:
    named = [(line.number, "account", line.account) for line in lines]
    named += [(one.number, "instruction", str(one.instruction)) for one in instructions]
    seen: set[tuple[str, str]] = set()
    for number, column, name in named:
        if (column, name) in seen:
            raise _malformed(number, column, name)
        seen.add((column, name))


def _check_end(
    row: Sequence[str],
    lines: Sequence[StatementLine],
    instructions: Sequence[InstructionLine],
    *,
    number: int,
) -> None:
    """Compare the last line with what was read; both must be there for the whole to be."""
    _, count, settled, *more = row
    found = sum((line.settled for line in lines), Decimal(0))
    if not (_SHARES.fullmatch(settled) and all(map(_COUNT.fullmatch, (count, *more)))):
        raise StatementTruncated(f"Line {number}, the statement's end, is not whole.")
    if int(count) != len(lines) or Decimal(settled) != found:
        raise StatementTruncated(
            f"The end speaks of {count} accounts and {settled} settled shares; "
            f"{len(lines)} and {quantities.to_text(found)} were read.",
            accounts=str(len(lines)),
            settled=quantities.to_text(found),
        )
    if sum(map(int, more)) != len(instructions):
        raise StatementTruncated(
            f"The end speaks of {more[0] if more else 'no'} instructions; "
            f"{len(instructions)} were read.",
            instructions=str(len(instructions)),
        )


def _malformed(line: int, column: str, value: str) -> StatementMalformed:
    shown = value[:64]
    return StatementMalformed(
        f"Line {line}: {shown!r} cannot be read as {column}.",
        line=str(line),
        column=column,
        value=shown,
    )
