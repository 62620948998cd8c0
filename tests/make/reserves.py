"""Tokens with shares behind them, and shares held for requests, for tests."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.db import transaction

from issuer.chain.models import SupplySnapshot, TransactionIntent
from issuer.chain.states import IntentKind, IntentState
from issuer.custody import services as custody_services
from issuer.custody.models import CustodyAccount
from issuer.foundation import actors, quantities
from issuer.foundation.identifiers import uuid7
from issuer.instruments import chart
from issuer.instruments import services as instruments_services
from issuer.instruments.models import Deployment, Split, Token
from issuer.ledger import services as ledger
from issuer.ledger.models import Account, Side
from issuer.ledger.services import Line
from issuer.reserves import services
from issuer.reserves.models import ShareHold
from tests.make import chain, custody, instruments


def amounts(*numbers: int | str) -> tuple[Decimal, ...]:
    """Return quantities to compare with."""
    return tuple(Decimal(number) for number in numbers)


def backed_token(
    shares: Decimal = Decimal(1000), *, at: datetime, token_: Token | None = None
) -> tuple[Token, Deployment, CustodyAccount]:
    """Return a token with one deployment, read at `at`, and `shares` of the SPV's own settled.

    The custodian's statement is of the day of `at`.
    """
    token_ = token_ or instruments.token()
    deployment = instruments.deployment(token_=token_)
    account = custody.account(token_=token_)
    supply(deployment, Decimal(0), at=at)
    if shares:
        custody.settled_shares(account, shares, at=at)
    else:
        custody.statement(account.custodian, [custody.line(account, shares)], at=at)
    return token_, deployment, account


def supply(deployment_: Deployment, tokens: Decimal, *, at: datetime) -> SupplySnapshot:
    """Return a snapshot of `deployment_` at `at`, with a supply of `tokens` whole tokens.

    The chain's multiplier is the one that the books know for then, if they know one.
    """
    effective = deployment_.multipliers.filter(effective__contains=at).first()
    multiplier = Decimal(1) if effective is None else effective.value
    return chain.snapshot(
        deployment_,
        total_supply_base_units=quantities.to_base_units(tokens, decimals=deployment_.decimals),
        ui_multiplier_base_units=quantities.to_base_units(multiplier, decimals=18),
        taken_at=at,
    )


def post(lines: Sequence[Line], *, at: datetime) -> None:
    """Post `lines` to the books under a reference of their own."""
    system = actors.system("make")
    ledger.post(f"test/{uuid7()}", lines, effective_at=at, actor=system, at=at)


def issue(token_: Token, tokens: Decimal, shares: Decimal, *, at: datetime) -> None:
    """Book tokens as minted, and shares of the SPV's own as owed on them."""
    minted = Line(chart.tokens_issued(token_), chart.tokens_outstanding(token_), tokens)
    owed = Line(chart.shares_own(token_), chart.shares_owed_on_tokens(token_), shares)
    post([minted, owed], at=at)


def burn(token_: Token, tokens: Decimal, shares: Decimal, *, at: datetime) -> None:
    """Book tokens as burned, and the shares owed on them as not delivered yet."""
    owed, undelivered = chart.shares_owed_on_tokens, chart.shares_burned_not_delivered
    burned = Line(chart.tokens_outstanding(token_), chart.tokens_issued(token_), tokens)
    post([burned, Line(owed(token_), undelivered(token_), shares)], at=at)


def final_burn(deployment_: Deployment, tokens: Decimal) -> TransactionIntent:
    """Return a burn of ours that is final and not booked; the supply is another's to tell."""
    base_units = quantities.to_base_units(tokens, decimals=deployment_.decimals)
    return chain.intent(
        deployment_, kind=IntentKind.BURN, state=IntentState.FINAL, base_units=base_units
    )


def mark_booked(intent_: TransactionIntent) -> None:
    """Mark a final transaction as dealt with, which whoever books it does."""
    intent_.state = IntentState.BOOKED
    intent_.save(update_fields=["state"])


def split_books(split_: Split, *, at: datetime) -> None:
    """Multiply every share account of the token, and its open instructions; book the split."""
    prefix = chart.shares_prefix(split_.token)
    accounts = list(Account.objects.filter(code__startswith=prefix).order_by("code"))
    change = split_.factor - 1
    moving = {
        account: abs(account.balance * change.numerator) / change.denominator
        for account in accounts
    }
    lines = []
    for credit in (account for account in accounts if account.side == Side.CREDIT):
        for debit in (account for account in accounts if account.side == Side.DEBIT):
            quantity = min(moving[debit], moving[credit])
            moving[debit] -= quantity
            moving[credit] -= quantity
            sides = (debit.code, credit.code) if change > 0 else (credit.code, debit.code)
            lines += [Line(*sides, quantity)] if quantity else []
    system = actors.system("make")
    with transaction.atomic():
        post(lines, at=at)
        ratio = {"shares_after": split_.shares_after, "shares_before": split_.shares_before}
        custody_services.apply_split(split_.token, **ratio, actor=system, at=at)
        services.apply_split(split_.token, **ratio, actor=system, at=at)
        instruments_services.record_split_booked(split_.pk, actor=system, at=at)


def share_hold(
    token_: Token | None = None,
    quantity: Decimal = Decimal(600),
    *,
    request_id: UUID | None = None,
    at: datetime,
) -> ShareHold:
    """Return shares held for a request, whether they are there or not."""
    return ShareHold.objects.create(
        token=token_ or instruments.token(),
        request_id=request_id or uuid7(),
        quantity=quantity,
        held_at=at,
    )
