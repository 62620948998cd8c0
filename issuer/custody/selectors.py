"""Questions about custody accounts, and about what custodians said of them."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import QuerySet

from issuer.custody.models import (
    CustodyAccount,
    Direction,
    Position,
    SettlementInstruction,
    Statement,
)
from issuer.custody.states import InstructionState
from issuer.foundation import calendars
from issuer.instruments import selectors as instruments
from issuer.instruments.models import Split, Token
from issuer.parties.models import Custodian

#: Where shares are still expected to move: a failed instruction may settle yet.
OPEN_STATES = (InstructionState.INSTRUCTED, InstructionState.FAILED)


def current_statement(custodian: Custodian) -> Statement | None:
    """Return the newest statement of `custodian` that no other supersedes."""
    return current_statements([custodian.pk]).get(custodian.pk)


def current_statements(custodian_ids: Iterable[UUID]) -> dict[UUID, Statement]:
    """Return the current statement of each custodian that has one, without its raw bytes."""
    statements = (
        Statement.objects.filter(custodian__in=custodian_ids, superseded_by=None)
        .defer("raw")
        .select_related("custodian__entity")
        .order_by("custodian_id", "-as_of_date")
        .distinct("custodian_id")
    )
    return {statement.custodian_id: statement for statement in statements}


def current_positions(token: Token) -> dict[UUID, Position]:
    """Return what the current statements say of the custody accounts of `token`, by account."""
    accounts = list(token.custody_accounts.all())
    statements = current_statements({account.custodian_id for account in accounts})
    return positions_in(statements.values(), accounts)


def positions_in(
    statements: Iterable[Statement], accounts: Iterable[CustodyAccount]
) -> dict[UUID, Position]:
    """Return the positions of `accounts` in `statements`, by account; one query."""
    positions = Position.objects.filter(
        statement__in=[statement.pk for statement in statements],
        account__in=[account.pk for account in accounts],
    )
    return {position.account_id: position for position in positions}


def open_instructions(accounts: Iterable[CustodyAccount]) -> QuerySet[SettlementInstruction]:
    """Return the instructions that may still settle, in the order of their settlement dates."""
    return (
        SettlementInstruction.objects.filter(
            account__in=[account.pk for account in accounts], state__in=OPEN_STATES
        )
        .select_related("account__token", "account__custodian")
        .order_by("settlement_date", "id")
    )


def open_receipts(accounts: Iterable[CustodyAccount]) -> QuerySet[SettlementInstruction]:
    """Return the open instructions to take shares in, in the order of their settlement dates."""
    return open_instructions(accounts).filter(direction=Direction.RECEIPT)


def open_deliveries(accounts: Iterable[CustodyAccount]) -> QuerySet[SettlementInstruction]:
    """Return the open instructions to deliver shares, in the order of their settlement dates."""
    return open_instructions(accounts).filter(direction=Direction.DELIVERY)


def counts_old_shares(statement: Statement, split: Split) -> bool:
    """Say whether `statement` counts the shares of before `split`.

    It does if it is of a day before, and also if it came before: nobody can state shares that are
    not there yet.
    """
    return (
        statement.as_of_date < split.effective_at.date()
        or statement.received_at < split.effective_at
    )


def counts_as_booked(statement: Statement, token: Token) -> bool:
    """Say whether `statement` and the books count the same shares of `token`.

    They do not where one of them knows of a split that the other does not know of yet.
    """
    splits = instruments.splits_of([token]).get(token.pk, ())
    return all(counts_old_shares(statement, split) == (split.booked_at is None) for split in splits)


def statement_overdue(
    account: CustodyAccount, statement: Statement | None, *, at: datetime
) -> str | None:
    """Return why no figure of `account` may be relied on at `at`, or None if one may be.

    A statement of every session day has to be here within the token's `statement_due_hours`,
    from the first session day on or after the account was opened.

    Raises:
        CalendarUnknown: if the market calendar does not reach that far.
    """
    due_hours = timedelta(hours=account.token.statement_due_hours)
    due = calendars.last_session((at - due_hours).date())
    if account.opened_at.date() > due:
        return None
    if statement is None:
        return f"no statement of {account.custodian} for {due} is here"
    if statement.as_of_date < due:
        return (
            f"no statement of {account.custodian} for {due} is here; "
            f"the last is of {statement.as_of_date}"
        )
    return None
