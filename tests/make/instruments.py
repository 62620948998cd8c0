"""Instruments for tests: valid, saved rows; tokens with their accounts in the books."""

import itertools
from datetime import UTC, datetime
from decimal import Decimal

from django.db.backends.postgresql.psycopg_any import DateTimeTZRange
from stdnum import isin as stdnum_isin

from issuer.foundation import actors
from issuer.instruments import services
from issuer.instruments.models import (
    ControlledAddress,
    ControlledRole,
    Deployment,
    Multiplier,
    Network,
    Security,
    Split,
    Token,
)
from issuer.parties.models import Program
from tests.make import parties

_serial = itertools.count(1)
BEFORE = datetime(2026, 11, 1, tzinfo=UTC)


def isin(country: str = "US") -> str:
    """Return an ISIN with right check digit that no other call returns."""
    number = f"{country}{next(_serial):09d}"
    return number + str(stdnum_isin.calc_check_digit(number))


def security(*, ticker: str | None = None) -> Security:
    return Security.objects.create(
        isin=isin(), ticker=ticker or f"TICK{next(_serial)}", mic="XNAS", name="A share"
    )


def token(
    *,
    symbol: str | None = None,
    program: Program | None = None,
    security_: Security | None = None,
    statement_due_hours: int = 26,
    admits_unsettled_receipts: bool = True,
    redemption_minimum: Decimal = Decimal(1),
) -> Token:
    """Return a token whose accounts are open in the books."""
    n = next(_serial)
    return services.register_token(
        program=program or parties.program(),
        symbol=symbol or f"TOK{n}x",
        name=f"Token {n}",
        isin=isin("CH"),
        security=security_ or security(),
        statement_due_hours=statement_due_hours,
        admits_unsettled_receipts=admits_unsettled_receipts,
        redemption_minimum=redemption_minimum,
        actor=actors.system("make"),
        at=BEFORE,
    )


def network(*, caip2: str | None = None, final_age_max_seconds: int = 1800) -> Network:
    n = next(_serial)
    return Network.objects.create(
        caip2=caip2 or f"eip155:{900_000 + n}",
        name=f"Network {n}",
        final_age_max_seconds=final_age_max_seconds,
    )


def deployment(
    *,
    token_: Token | None = None,
    network_: Network | None = None,
    address: str | None = None,
    decimals: int = 18,
    deployed_block: int = 0,
    multiplier_: Decimal | None = Decimal(1),
) -> Deployment:
    """Return a deployment, with `multiplier_` shares per token from `BEFORE` on."""
    row = Deployment.objects.create(
        token=token_ or token(),
        network=network_ or network(),
        address=address or parties.evm_address(),
        decimals=decimals,
        deployed_block=deployed_block,
    )
    if multiplier_ is not None:
        multiplier(row, multiplier_)
    return row


def multiplier(
    deployment_: Deployment,
    value: Decimal,
    *,
    start: datetime = BEFORE,
    end: datetime | None = None,
) -> Multiplier:
    return Multiplier.objects.create(
        deployment=deployment_, value=value, effective=DateTimeTZRange(start, end)
    )


def split(
    token_: Token,
    *,
    effective_at: datetime,
    shares_after: int = 4,
    shares_before: int = 1,
    at: datetime = BEFORE,
) -> Split:
    """Return a split that was scheduled at `at`, multipliers and all."""
    return services.schedule_split(
        token=token_,
        shares_after=shares_after,
        shares_before=shares_before,
        effective_at=effective_at,
        actor=actors.system("make"),
        at=at,
    )


def controlled_address(
    *,
    network_: Network | None = None,
    address: str | None = None,
    role: ControlledRole = ControlledRole.TREASURY,
) -> ControlledAddress:
    return ControlledAddress.objects.create(
        network=network_ or network(),
        address=address or parties.evm_address(),
        role=role,
        reason="Minted ahead of demand; nobody has paid for these tokens.",
    )
