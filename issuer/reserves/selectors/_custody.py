"""What custodians say of a token's accounts, and what we told them to do."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from uuid import UUID

from issuer.custody import selectors as custody
from issuer.custody.explaining import departed
from issuer.custody.models import (
    CustodyAccount,
    Direction,
    Position,
    SettlementInstruction,
    Statement,
)
from issuer.foundation import quantities
from issuer.instruments import chart
from issuer.instruments.models import Split, Token
from issuer.reserves.figures import AccountFigures, total

_NOTHING = Decimal(0)


@dataclass(frozen=True, slots=True)
class CustodyRows:
    """What is known of the custody accounts of some tokens; a query for each kind of row.

    Accounts and receipts are by the token's id, statements by the custodian's, positions and
    deliveries by the account's. `named` is how much of an instruction has settled by its statement.
    """

    accounts: Mapping[UUID, Sequence[CustodyAccount]]
    statements: Mapping[UUID, Statement]
    positions: Mapping[UUID, Position]
    receipts: Mapping[UUID, Sequence[SettlementInstruction]]
    deliveries: Mapping[UUID, Sequence[SettlementInstruction]]
    named: Mapping[UUID, Decimal]


def custody_rows(tokens: Sequence[Token]) -> CustodyRows:
    """Return what is known of the custody accounts of `tokens`."""
    accounts = list(
        CustodyAccount.objects.filter(token__in=tokens)
        .select_related("token__security", "custodian__entity")
        .order_by("token_id", "reference")
    )
    statements = custody.current_statements({account.custodian_id for account in accounts})
    by_token: dict[UUID, list[CustodyAccount]] = defaultdict(list)
    for account in accounts:
        by_token[account.token_id].append(account)
    receipts: dict[UUID, list[SettlementInstruction]] = defaultdict(list)
    deliveries: dict[UUID, list[SettlementInstruction]] = defaultdict(list)
    instructions = list(custody.open_instructions(accounts))
    for instruction in instructions:
        if instruction.direction == Direction.DELIVERY:
            deliveries[instruction.account_id].append(instruction)
        else:
            receipts[instruction.account.token_id].append(instruction)
    return CustodyRows(
        accounts=by_token,
        statements=statements,
        positions=custody.positions_in(statements.values(), accounts),
        receipts=receipts,
        deliveries=deliveries,
        named=custody.named_settlements(statements.values(), instructions),
    )


def account_figures(
    account: CustodyAccount,
    rows: CustodyRows,
    splits: Sequence[Split],
    balances: Mapping[str, Decimal],
    books_factor: Fraction,
    at: datetime,
) -> AccountFigures:
    """Return the figures of one account; `balances` are those of the books, by code."""
    token, reference = account.token, account.reference
    statement = rows.statements.get(account.custodian_id)
    position = rows.positions.get(account.pk)
    deliveries = tuple(rows.deliveries.get(account.pk, ()))
    reason = _reason(account, statement, position, at)

    def booked(code: str) -> Decimal:
        return quantities.scaled_rounded_down(balances.get(code, _NOTHING), books_factor)

    settled = booked(chart.shares_settled(token, reference))
    stated_factor = _stated_factor(splits, statement, at)
    receipts = (one for one in rows.receipts.get(token.pk, ()) if one.account_id == account.pk)
    return AccountFigures(
        account=account,
        statement=statement,
        position=position,
        stated_factor=stated_factor,
        booked=settled,
        pending=booked(chart.shares_pending_receipt(token, reference)),
        pending_delivery=booked(chart.shares_pending_delivery(token, reference)),
        deliveries=deliveries,
        delivering=quantities.scaled_rounded_up(
            total(delivery.remaining for delivery in deliveries), books_factor
        ),
        departed=_NOTHING
        if position is None or not deliveries
        else departed(
            [*receipts, *deliveries],
            named=rows.named,
            change=quantities.scaled_rounded_down(position.settled, stated_factor) - settled,
            pending_receipt=quantities.scaled_rounded_up(position.pending_receipt, stated_factor),
            pending_delivery=quantities.scaled_rounded_up(position.pending_delivery, stated_factor),
            booked=books_factor,
            stated=stated_factor,
        ),
        reason=None if reason is None else f"{token.symbol}: {reason}.",
    )


def _reason(
    account: CustodyAccount, statement: Statement | None, position: Position | None, at: datetime
) -> str | None:
    """Return why nothing is known of an account, if so; read by the public."""
    reason = custody.statement_overdue(account, statement, at=at)
    if (
        reason is None
        and statement is not None
        and position is None
        and account.opened_at.date() <= statement.as_of_date
    ):
        return f"{statement} leaves the account of {account.token} out"
    return reason


def _stated_factor(splits: Sequence[Split], statement: Statement | None, at: datetime) -> Fraction:
    """Return how many shares at `at` are one of those that a statement counts."""
    factor = Fraction(1)
    for split in splits:
        if statement is None or split.effective_at > at:
            continue
        if custody.counts_old_shares(statement, split):
            factor *= split.factor
    return factor
