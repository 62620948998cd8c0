"""The equation of tokens, put together from chains, custodians and books."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from uuid import UUID

from django.db.models import Sum

from issuer.foundation import quantities
from issuer.foundation.transactions import one_snapshot
from issuer.instruments import chart
from issuer.instruments import selectors as instruments
from issuer.instruments.models import Split, Token
from issuer.ledger.models import Account
from issuer.reserves.cover import Cover
from issuer.reserves.figures import AccountFigures, DeploymentFigures, TokenFigures
from issuer.reserves.models import ShareHold
from issuer.reserves.selectors._chains import deployment_figures
from issuer.reserves.selectors._custody import CustodyRows, account_figures, custody_rows
from issuer.reserves.states import ShareHoldState

_NOTHING = Decimal(0)


def cover_of(token: Token, *, at: datetime) -> Cover:
    """Return the equation of `token` at `at`."""
    return covers_of([token], at=at)[token.pk]


def covers_of(tokens: Sequence[Token], *, at: datetime) -> dict[UUID, Cover]:
    """Return the equation of each token at `at`, by its id; as many queries for one as for all."""
    return {key: figures.cover for key, figures in figures_of(tokens, at=at).items()}


def figures_of(tokens: Sequence[Token], *, at: datetime) -> dict[UUID, TokenFigures]:
    """Return what the equation of each token is made of at `at`, by the token's id.

    Everything is read as of one instant, so that what is booked between two reads is neither
    counted twice nor forgotten. Inside a transaction it is not: whoever reads there holds the
    locks of the tokens. Holds of shares are read first and the books last, so that a mint
    counts twice rather than not at all where somebody holds none.
    """
    with one_snapshot():
        return _figures_of(tokens, at)


def _figures_of(tokens: Sequence[Token], at: datetime) -> dict[UUID, TokenFigures]:
    reserved = _reserved(tokens)
    chains = deployment_figures(tokens, at)
    custody = custody_rows(tokens)
    splits = instruments.splits_of(tokens)
    balances = _balances(tokens, custody)
    return {
        token.pk: _token_figures(
            token,
            chains.get(token.pk, ()),
            custody,
            splits.get(token.pk, ()),
            balances,
            reserved.get(token.pk, _NOTHING),
            at,
        )
        for token in tokens
    }


def _token_figures(
    token: Token,
    chains: Sequence[DeploymentFigures],
    custody: CustodyRows,
    splits: Sequence[Split],
    balances: Mapping[str, Decimal],
    reserved: Decimal,
    at: datetime,
) -> TokenFigures:
    factor = _books_factor(splits, at)

    def owed(code: str) -> Decimal:
        return quantities.scaled_rounded_up(balances.get(code, _NOTHING), factor)

    accounts: list[AccountFigures] = [
        account_figures(account, custody, splits, balances, factor, at)
        for account in custody.accounts.get(token.pk, ())
    ]
    own = balances.get(chart.shares_own(token), _NOTHING)
    return TokenFigures(
        token=token,
        as_of=at,
        deployments=tuple(chains),
        accounts=tuple(accounts),
        receipts=tuple(custody.receipts.get(token.pk, ())),
        outstanding=balances.get(chart.tokens_outstanding(token), _NOTHING),
        owed_on_tokens=owed(chart.shares_owed_on_tokens(token)),
        paid_not_minted=owed(chart.shares_paid_not_minted(token)),
        burned_not_delivered=owed(chart.shares_burned_not_delivered(token)),
        own=quantities.scaled_rounded_down(own, factor),
        reserved=quantities.scaled_rounded_up(reserved, factor),
        splits=tuple(split for split in splits if split.effective_at <= at),
        books_factor=factor,
    )


def _books_factor(splits: Sequence[Split], at: datetime) -> Fraction:
    """Return how many shares at `at` are one of those that the books count now.

    A split that is booked is in the balances, whenever that was: they are read as they are now.
    """
    factor = Fraction(1)
    for split in splits:
        if split.booked_at is None and split.effective_at <= at:
            factor *= split.factor
    return factor


def _reserved(tokens: Sequence[Token]) -> dict[UUID, Decimal]:
    holds = ShareHold.objects.filter(token__in=tokens, state=ShareHoldState.ACTIVE)
    sums = holds.order_by().values_list("token_id").annotate(held=Sum("quantity"))
    return dict(sums)


def _balances(tokens: Sequence[Token], custody: CustodyRows) -> Mapping[str, Decimal]:
    codes = [
        code(token)
        for token in tokens
        for code in (
            chart.tokens_outstanding,
            chart.shares_owed_on_tokens,
            chart.shares_paid_not_minted,
            chart.shares_burned_not_delivered,
            chart.shares_own,
        )
    ]
    codes += [
        code(account.token, account.reference)
        for accounts in custody.accounts.values()
        for account in accounts
        for code in (
            chart.shares_settled,
            chart.shares_pending_receipt,
            chart.shares_pending_delivery,
        )
    ]
    return dict(Account.objects.filter(code__in=codes).values_list("code", "balance"))
