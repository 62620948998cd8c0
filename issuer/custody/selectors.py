"""Questions about custody accounts, and about what custodians said of them."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from uuid import UUID

from django.db.models import QuerySet

from issuer.custody.errors import InstructionMissing
from issuer.custody.explaining import departed
from issuer.custody.models import (
    CustodyAccount,
    Direction,
    Position,
    SettlementInstruction,
    StatedSettlement,
    Statement,
)
from issuer.custody.states import InstructionState
from issuer.foundation import calendars, quantities
from issuer.instruments import chart
from issuer.instruments import selectors as instruments
from issuer.instruments.models import Split, Token
from issuer.ledger import selectors as books
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


def named_settlements(
    statements: Iterable[Statement], instructions: Iterable[SettlementInstruction]
) -> dict[UUID, Decimal]:
    """Return how much of `instructions` has settled so far by the `statements` that speak of them.

    By instruction, in whole shares of those that its statement counts; one query, if any.
    """
    instruction_ids = [instruction.pk for instruction in instructions]
    if not instruction_ids:
        return {}
    stated = StatedSettlement.objects.filter(
        statement__in=[statement.pk for statement in statements], instruction__in=instruction_ids
    )
    return dict(stated.values_list("instruction_id", "settled"))


def lock_instruction(instruction_id: UUID) -> SettlementInstruction:
    """Return an instruction, locked behind the lock of its account until the transaction ends.

    Whoever moves or promises shares of an account takes its lock first, so that no two of them use
    the same ones.

    Raises:
        InstructionMissing: if there is none of this id.
    """
    instructions = SettlementInstruction.objects.filter(pk=instruction_id)
    account_ids = instructions.values("account")
    list(CustodyAccount.objects.select_for_update().filter(pk__in=account_ids).values_list("pk"))
    instruction = (
        instructions.select_for_update(of=("self",))
        .select_related("account__token", "account__custodian")
        .first()
    )
    if instruction is None:
        raise InstructionMissing(f"There is no settlement instruction {instruction_id}.")
    return instruction


def deliverable(account: CustodyAccount) -> Decimal:
    """Return the whole shares that may still be told to leave an account, as the books count them.

    Settled shares that are neither on their way out, nor lent, nor blocked: the smaller of what
    the custodian's current statement has left after deliveries, and the books after ours. A
    delivery that has left early is in the first and not yet in the second, and in neither twice;
    one of which the statement does not show that it has left is still to leave.
    """
    statement = current_statement(account.custodian)
    position = None if statement is None else positions_in([statement], [account]).get(account.pk)
    if statement is None or position is None:
        return Decimal(0)
    token, reference = account.token, account.reference
    settled = books.balance(chart.shares_settled(token, reference))
    delivering = books.balance(chart.shares_pending_delivery(token, reference))
    factor = booked_factor(statement, token)
    stated = quantities.scaled_rounded_down(position.settled, factor)
    claimed = [
        quantities.scaled_rounded_up(quantity, factor)
        for quantity in (position.pending_delivery, position.lent, position.blocked)
    ]
    leaving, *encumbered = claimed
    instructions = list(open_instructions([account]))
    gone = departed(
        instructions,
        named=named_settlements([statement], instructions),
        change=stated - settled,
        pending_receipt=quantities.scaled_rounded_up(position.pending_receipt, factor),
        pending_delivery=leaving,
        stated=factor,
    )
    left = stated - max(leaving, delivering - gone)
    return min(left, settled - delivering) - sum(encumbered, Decimal(0))


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


def booked_factor(statement: Statement, token: Token) -> Fraction:
    """Return how many of the shares that the books count are one of those of a statement."""
    factor = Fraction(1)
    for split in instruments.splits_of([token]).get(token.pk, ()):
        old, booked = counts_old_shares(statement, split), split.booked_at is not None
        if old and booked:
            factor *= split.factor
        elif not old and not booked:
            factor /= split.factor
    return factor


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
