"""What a split makes of a token's share accounts."""

from collections.abc import Iterable
from decimal import Decimal
from fractions import Fraction

from issuer.foundation import quantities
from issuer.instruments import chart
from issuer.instruments.errors import SplitInexact
from issuer.instruments.models import Token
from issuer.ledger import selectors as books
from issuer.ledger.models import Account, Side
from issuer.ledger.services import Line


def growth_of(token: Token, factor: Fraction) -> list[Line]:
    """Return what multiplies every share account of `token` by `factor`, as lines of one posting.

    Debits say what there is and credits whose it is, so what the ones grow by is what the others
    grow by: the lines pair them, account by account.

    Raises:
        SplitInexact: if a balance, multiplied, cannot be written down exactly.
    """
    return paired(books.locked_accounts(chart.shares_prefix(token)), factor)


def paired(accounts: Iterable[Account], factor: Fraction) -> list[Line]:
    """Return the lines that multiply the balances of `accounts`, both sides of one unit.

    Raises:
        SplitInexact: if a balance, multiplied, cannot be written down exactly.
    """
    assets: list[tuple[str, Decimal]] = []
    claims: list[tuple[str, Decimal]] = []
    for account in accounts:
        change = abs(_after(account, factor) - account.balance)
        if change:
            (assets if account.side == Side.DEBIT else claims).append((account.code, change))
    lines = []
    while assets and claims:
        (debit, there_is), (credit, is_owed) = assets.pop(), claims.pop()
        quantity = min(there_is, is_owed)
        lines.append(Line(debit, credit, quantity) if factor > 1 else Line(credit, debit, quantity))
        if there_is > quantity:
            assets.append((debit, there_is - quantity))
        if is_owed > quantity:
            claims.append((credit, is_owed - quantity))
    assert not assets, "both sides of a unit add up to the same"
    assert not claims, "both sides of a unit add up to the same"
    return lines


def _after(account: Account, factor: Fraction) -> Decimal:
    after = quantities.scaled(account.balance, factor)
    if after is None:
        text = quantities.to_text(account.balance)
        raise SplitInexact(
            f"{account} holds {text}, which {factor.numerator}:{factor.denominator} does not "
            f"multiply to the last of {quantities.SCALE} decimal places. A custodian pays cash in "
            "lieu of a fraction: have it made up or paid out, so that the balance divides.",
            account=account.code,
            balance=text,
        )
    return after
