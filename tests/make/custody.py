"""Custody for tests: accounts with their books, statements as files, and shares that settled."""

import itertools
from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from uuid import UUID

from issuer.custody import csv_statement, selectors, services
from issuer.custody.models import CustodyAccount, Purpose, SettlementInstruction, Statement
from issuer.custody.readers import InstructionLine, StatementDocument, StatementLine
from issuer.foundation import actors
from issuer.foundation.identifiers import uuid7
from issuer.instruments import chart
from issuer.instruments.models import Token
from issuer.ledger import selectors as books
from issuer.parties.models import Custodian
from tests.make import instruments, parties

_serial = itertools.count(1)
BEFORE = datetime(2026, 11, 1, tzinfo=UTC)
NONE = Decimal(0)


def account(
    *,
    token_: Token | None = None,
    custodian_: Custodian | None = None,
    opened_at: datetime = BEFORE,
) -> CustodyAccount:
    """Return a custody account whose accounts are open in the books."""
    return services.open_custody_account(
        token=token_ or instruments.token(),
        custodian=custodian_ or parties.custodian(),
        reference=f"ACC-{next(_serial)}",
        actor=actors.system("make"),
        at=opened_at,
    )


def line(
    account_: CustodyAccount,
    settled: Decimal,
    *,
    pending_receipt: Decimal = NONE,
    pending_delivery: Decimal = NONE,
    lent: Decimal = NONE,
    blocked: Decimal = NONE,
) -> StatementLine:
    """Return what a custodian says of an account; all settled shares are pledged to our agent."""
    return StatementLine(
        number=0,
        account=account_.reference,
        isin=account_.token.security.isin,
        settled=settled,
        pending_receipt=pending_receipt,
        pending_delivery=pending_delivery,
        lent=lent,
        blocked=blocked,
        pledged=settled,
    )


def instruction_line(instruction_: SettlementInstruction, settled: Decimal) -> InstructionLine:
    """Return what a custodian says of an instruction of ours."""
    return InstructionLine(0, instruction_.account.reference, instruction_.pk, settled)


def statement_file(
    custodian_: Custodian,
    lines: Sequence[StatementLine],
    *,
    as_of_date: date,
    reference: str | None = None,
    supersedes: str = "",
    instructions: Sequence[InstructionLine] = (),
) -> bytes:
    """Return a statement as the file that a custodian drops."""
    return csv_statement.write(
        StatementDocument(
            custodian=custodian_.code,
            reference=reference or f"ST-{next(_serial)}",
            as_of_date=as_of_date,
            supersedes=supersedes,
            lines=tuple(lines),
            instructions=tuple(instructions),
        )
    )


def statement(
    custodian_: Custodian,
    lines: Sequence[StatementLine],
    *,
    at: datetime,
    supersedes: str = "",
    instructions: Sequence[InstructionLine] = (),
) -> Statement:
    """Return a statement of the day of `at`, taken in at `at`; it settles what it shows."""
    raw = statement_file(
        custodian_,
        lines,
        as_of_date=at.date(),
        supersedes=supersedes,
        instructions=instructions,
    )
    return services.receive_statement(
        custodian=custodian_,
        file_name=f"statement-{next(_serial)}.csv",
        raw=raw,
        actor=actors.system("make"),
        at=at,
    )


def instruction(
    account_: CustodyAccount | None = None,
    quantity: Decimal = Decimal(600),
    *,
    at: datetime,
    settlement_date: date | None = None,
    request_id: UUID | None = None,
) -> SettlementInstruction:
    """Return an instruction of `at`: for a request if one is named, else for own shares."""
    return services.instruct_receipt(
        account=account_ or account(),
        purpose=Purpose.OWN_SHARES if request_id is None else Purpose.ISSUANCE,
        quantity=quantity,
        request_id=request_id,
        trade_date=at.date(),
        settlement_date=settlement_date or at.date(),
        delivering_party="A broker",
        actor=actors.system("make"),
        at=at,
    )


def delivery(
    account_: CustodyAccount,
    quantity: Decimal,
    *,
    at: datetime,
    settlement_date: date | None = None,
    request_id: UUID | None = None,
) -> SettlementInstruction:
    """Return an instruction of `at` to deliver shares that are owed for burned tokens."""
    return services.instruct_delivery(
        account=account_,
        request_id=request_id or uuid7(),
        quantity=quantity,
        trade_date=at.date(),
        settlement_date=settlement_date or at.date(),
        receiving_party="A broker",
        actor=actors.system("make"),
        at=at,
    )


def stated_settlement(*, at: datetime) -> Statement:
    """Return a statement that says of an instruction of ours that some of it has settled."""
    account_ = account()
    told = instruction(account_, at=at)
    return statement(
        account_.custodian,
        [line(account_, Decimal(60))],
        instructions=[instruction_line(told, Decimal(60))],
        at=at,
    )


def settled_shares(
    account_: CustodyAccount,
    quantity: Decimal,
    *,
    at: datetime,
    request_id: UUID | None = None,
) -> Statement:
    """Bring `quantity` more shares into an account; books and the statement of that day show them.

    A statement of the same day is superseded; the custodian's other accounts stay as booked.
    """
    instruction(account_, quantity, at=at, request_id=request_id)
    current = selectors.current_statement(account_.custodian)
    same_day = current is not None and current.as_of_date == at.date()
    return statement(
        account_.custodian,
        [
            line(other, booked(other) + (quantity if other.pk == account_.pk else NONE))
            for other in account_.custodian.accounts.all()
        ],
        at=at,
        supersedes=current.reference if current is not None and same_day else "",
    )


def booked(account_: CustodyAccount) -> Decimal:
    """Return the settled shares of an account as they stand in the books."""
    return books.balance(chart.shares_settled(account_.token, account_.reference))
