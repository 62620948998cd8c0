"""Questions to the books."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db.models import Case, F, Sum, When

from issuer.foundation.transactions import require_transaction
from issuer.ledger.errors import AccountMissing
from issuer.ledger.models import Account, Entry, Side


@dataclass(frozen=True, slots=True)
class AccountStatement:
    """What moved an account in a span of time, and what it held before and after."""

    account: Account
    opening_balance: Decimal
    entries: Sequence[Entry]
    closing_balance: Decimal


def balance(code: str) -> Decimal:
    """Return what the account holds, on its own side.

    Raises:
        AccountMissing: if no account has the code; that is not a balance of zero.
    """
    held: Decimal = account_called(code).balance
    return held


def balances(prefix: str) -> dict[str, Decimal]:
    """Return the balance of every account whose code begins with `prefix`, by code."""
    accounts = Account.objects.filter(code__startswith=prefix).order_by("code")
    return dict(accounts.values_list("code", "balance"))


def locked_accounts(prefix: str) -> list[Account]:
    """Return every account whose code begins with `prefix`, locked until the transaction ends.

    For postings that follow from the balances of many; in the order in which all postings lock.
    """
    require_transaction()
    accounts = Account.objects.filter(code__startswith=prefix).order_by("pk")
    return list(accounts.select_for_update(no_key=True))


def balance_as_of(code: str, booked_at: datetime) -> Decimal:
    """Return what the account held, as far as the books knew at `booked_at`.

    Raises:
        AccountMissing: if no account has the code.
    """
    account = account_called(code)
    known = Entry.objects.filter(account=account, booked_at__lte=booked_at)
    return _left_behind(known.order_by("-booked_at", "-version").first())


def trial_balance() -> dict[str, Decimal]:
    """Return all debits less all credits, per unit: zero for each, or the books are broken."""
    signed = Case(When(side=Side.DEBIT, then=F("balance")), default=-F("balance"))
    sums = Account.objects.order_by("unit").values("unit").annotate(difference=Sum(signed))
    return dict(sums.values_list("unit", "difference"))


def statement_of(code: str, *, since: datetime, until: datetime) -> AccountStatement:
    """Return what was booked on the account from `since` on and before `until`.

    Raises:
        AccountMissing: if no account has the code.
    """
    account = account_called(code)
    booked = Entry.objects.filter(account=account).select_related("transfer")
    before = booked.filter(booked_at__lt=since).order_by("-booked_at", "-version").first()
    within = booked.filter(booked_at__gte=since, booked_at__lt=until).order_by("version")
    entries = list(within)
    return AccountStatement(
        account=account,
        opening_balance=_left_behind(before),
        entries=entries,
        closing_balance=_left_behind(entries[-1] if entries else before),
    )


def account_called(code: str) -> Account:
    """Return the account that has the code.

    Raises:
        AccountMissing: if there is none.
    """
    account = Account.objects.filter(code=code).first()
    if account is None:
        raise AccountMissing(f"No account is called {code}.", account=code)
    return account


def _left_behind(entry: Entry | None) -> Decimal:
    return entry.balance if entry else Decimal(0)
