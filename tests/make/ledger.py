"""Accounts and postings for tests."""

from datetime import UTC, datetime
from decimal import Decimal
from itertools import count
from typing import Final

from issuer.foundation import actors
from issuer.ledger import services
from issuer.ledger.models import Account, Side
from issuer.ledger.services import Line, Posting

OPENED_AT: Final = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)

_serial = count(1)


def account(
    code: str = "", *, unit: str = "US0378331005", side: Side = Side.DEBIT, balance: str = "0"
) -> Account:
    """An open account; a balance comes from an account of its own on the other side."""
    code = code or f"account-{next(_serial)}"
    opened = services.open_account(code=code, unit=unit, side=side, at=OPENED_AT)
    if Decimal(balance):
        other = Side.CREDIT if side == Side.DEBIT else Side.DEBIT
        source = account(f"source-of-{code}", unit=unit, side=other)
        debit, credit = (code, source.code) if side == Side.DEBIT else (source.code, code)
        posting(debit, credit, balance)
        opened.refresh_from_db()
    return opened


def posting(debit: str, credit: str, quantity: str, *, reference: str = "") -> Posting:
    """One line, posted."""
    return services.post(
        reference or f"posting-{next(_serial)}",
        [Line(debit, credit, Decimal(quantity))],
        effective_at=OPENED_AT,
        actor=actors.system("tests"),
        at=OPENED_AT,
    )
