"""Tokens with shares behind them, and shares held for requests, for tests."""

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from issuer.chain.models import SupplySnapshot
from issuer.custody.models import CustodyAccount
from issuer.foundation import quantities
from issuer.foundation.identifiers import uuid7
from issuer.instruments.models import Deployment, Token
from issuer.reserves.models import ShareHold
from tests.make import chain, custody, instruments


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
    """Return a snapshot of `deployment_` at `at`, with a supply of `tokens` whole tokens."""
    base_units = quantities.to_base_units(tokens, decimals=deployment_.decimals)
    return chain.snapshot(deployment_, total_supply_base_units=base_units, taken_at=at)


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
