"""What a file would change, before anybody decides to take it in."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from issuer.custody import selectors
from issuer.custody.models import CustodyAccount, Position, SettlementInstruction, Statement
from issuer.custody.services._settlement import settle_from_statement
from issuer.custody.services._statements import load_statement
from issuer.foundation.actors import Actor
from issuer.parties.models import Custodian


@dataclass(frozen=True, slots=True)
class StatedLine:
    """What a file says of an account, beside what the current statement says of it, if any."""

    account: CustodyAccount
    stated: Position
    current: Position | None


@dataclass(frozen=True, slots=True)
class Preview:
    """What a file says, and which instructions it would settle. None of it is written."""

    statement: Statement
    current: Statement | None
    lines: Sequence[StatedLine]
    settles: Sequence[SettlementInstruction]


def preview_statement(
    *, custodian: Custodian, file_name: str, raw: bytes, actor: Actor, at: datetime
) -> Preview:
    """Do what `receive_statement` would do, look at the outcome, and undo all of it.

    Raises:
        DomainError: whatever `receive_statement` would raise.
    """
    current = selectors.current_statement(custodian)
    accounts = list(custodian.accounts.select_related("token").order_by("reference"))
    before = selectors.positions_in([] if current is None else [current], accounts)
    with transaction.atomic():
        statement = load_statement(
            custodian=custodian, file_name=file_name, raw=raw, actor=actor, at=at
        )
        settles = settle_from_statement(statement, actor=actor, at=at)
        after = selectors.positions_in([statement], accounts)
        transaction.set_rollback(True)
    return Preview(
        statement=statement,
        current=current,
        lines=[
            StatedLine(account, after[account.pk], before.get(account.pk))
            for account in accounts
            if account.pk in after
        ],
        settles=settles,
    )
