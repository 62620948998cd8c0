"""Registering instruments, and suspending their issuance."""

from datetime import datetime
from decimal import Decimal

from django.db import transaction
from django.db.backends.postgresql.psycopg_any import DateTimeTZRange

from issuer.audit import services as audit
from issuer.events import services as events
from issuer.foundation import history, identifiers, quantities
from issuer.foundation.actors import Actor
from issuer.foundation.errors import Malformed
from issuer.foundation.transactions import translating
from issuer.instruments import chart, errors, selectors
from issuer.instruments.models import (
    ControlledAddress,
    ControlledRole,
    Deployment,
    Multiplier,
    Network,
    NetworkKind,
    Security,
    Token,
)
from issuer.ledger import services as ledger
from issuer.parties.models import Program


@transaction.atomic
def register_security(
    *,
    isin: str,
    ticker: str,
    mic: str,
    name: str,
    cusip: str = "",
    figi: str = "",
    actor: Actor,
    at: datetime,
) -> Security:
    """Register a listed share.

    Raises:
        Malformed: if one of its identifiers is not written as its standard prescribes.
        InstrumentKnown: if its ISIN, or its ticker on that market, is registered.
    """
    security = Security(
        isin=identifiers.isin(isin),
        cusip=identifiers.cusip(cusip) if cusip else "",
        figi=identifiers.figi(figi) if figi else "",
        ticker=ticker,
        mic=mic,
        name=name,
    )
    known = errors.InstrumentKnown(f"{isin} or {ticker} on {mic} is registered.", isin=isin)
    with translating(
        {"instruments_security_isin_key": known, "security_ticker_once_per_market": known}
    ):
        history.save(security, actor=actor, at=at)
    audit.record("security.register", subject=security, actor=actor, at=at, isin=isin)
    return security


@transaction.atomic
def register_token(
    *,
    program: Program,
    symbol: str,
    name: str,
    isin: str,
    security: Security,
    statement_due_hours: int = 26,
    admits_unsettled_receipts: bool = True,
    actor: Actor,
    at: datetime,
) -> Token:
    """Register a token that tracks `security`, and open its accounts in the books.

    Raises:
        Malformed: if the ISIN is not one, or the symbol is not of letters, digits and points.
        InstrumentKnown: if a token has this symbol or this ISIN.
    """
    token = Token(
        program=program,
        symbol=symbol,
        name=name,
        isin=identifiers.isin(isin),
        security=security,
        statement_due_hours=statement_due_hours,
        admits_unsettled_receipts=admits_unsettled_receipts,
    )
    known = errors.InstrumentKnown(f"{symbol} or {isin} is registered.", symbol=symbol, isin=isin)
    unplain = Malformed(f"{symbol!r} is not a plain symbol.", field="symbol")
    with translating(
        {
            "instruments_token_symbol_key": known,
            "instruments_token_isin_key": known,
            "token_symbol_is_plain": unplain,
        }
    ):
        history.save(token, actor=actor, at=at)
    for code, (unit, side) in chart.accounts_of(token).items():
        ledger.open_account(code=code, unit=unit, side=side, at=at)
    audit.record("token.register", subject=token, actor=actor, at=at, symbol=symbol, isin=isin)
    return token


@transaction.atomic
def register_network(
    *,
    caip2: str,
    name: str,
    kind: NetworkKind = NetworkKind.EVM,
    final_age_max_seconds: int = 1800,
    explorer_url: str = "",
    actor: Actor,
    at: datetime,
) -> Network:
    """Register a chain; older final blocks than `final_age_max_seconds` count as a standstill.

    Raises:
        Malformed: if `caip2` is not a chain id.
        InstrumentKnown: if the chain is registered.
    """
    network = Network(
        caip2=identifiers.caip2(caip2),
        name=name,
        kind=kind,
        final_age_max_seconds=final_age_max_seconds,
        explorer_url=explorer_url,
    )
    known = errors.InstrumentKnown(f"{caip2} is registered.", caip2=caip2)
    with translating({"instruments_network_caip2_key": known}):
        history.save(network, actor=actor, at=at)
    audit.record("network.register", subject=network, actor=actor, at=at, caip2=caip2)
    return network


@transaction.atomic
def register_deployment(
    *,
    token: Token,
    network: Network,
    address: str,
    decimals: int = 18,
    deployed_block: int,
    multiplier: Decimal = Decimal(1),
    actor: Actor,
    at: datetime,
) -> Deployment:
    """Register a token's contract on a network, at `multiplier` shares per token from `at` on.

    Raises:
        Malformed: if the address does not carry its EIP-55 checksum.
        DecimalsUnsupported: if the contract counts finer than 18 decimal places.
        MultiplierNotPositive: if a token would stand for no shares.
        InstrumentKnown: if the address, or the token on this network, is registered.
    """
    if decimals > quantities.SCALE:
        detail = f"{decimals} decimal places are more than the books' {quantities.SCALE}."
        raise errors.DecimalsUnsupported(detail, decimals=str(decimals))
    if multiplier <= 0:
        raise errors.MultiplierNotPositive(f"{multiplier} shares per token back nothing.")
    deployment = Deployment(
        token=token,
        network=network,
        address=identifiers.evm_address(address),
        decimals=decimals,
        deployed_block=deployed_block,
    )
    known = errors.InstrumentKnown(
        f"{address}, or {token} on {network}, is registered.", address=address
    )
    with translating(
        {
            "deployment_address_once_per_network": known,
            "deployment_once_per_token_and_network": known,
        }
    ):
        history.save(deployment, actor=actor, at=at)
    Multiplier.objects.create(
        deployment=deployment, value=multiplier, effective=DateTimeTZRange(at, None)
    )
    audit.record(
        "deployment.register",
        subject=deployment,
        actor=actor,
        at=at,
        caip10=deployment.caip10,
        multiplier=quantities.to_text(multiplier),
    )
    return deployment


@transaction.atomic
def register_controlled_address(
    *,
    network: Network,
    address: str,
    role: ControlledRole,
    reason: str,
    actor: Actor,
    at: datetime,
) -> ControlledAddress:
    """Declare an address to be the issuer's own: what it holds is owed to nobody.

    `reason` is published beside the address.

    Raises:
        Malformed: if the address does not carry its EIP-55 checksum.
        InstrumentKnown: if it is declared already.
    """
    controlled = ControlledAddress(
        network=network, address=identifiers.evm_address(address), role=role, reason=reason
    )
    known = errors.InstrumentKnown(f"{address} is declared already.", address=address)
    with translating({"controlled_address_once_per_network": known}):
        history.save(controlled, actor=actor, at=at)
    audit.record(
        "controlled_address.register",
        subject=controlled,
        actor=actor,
        at=at,
        caip10=identifiers.caip10(network.caip2, address),
        role=role.value,
        reason=reason,
    )
    return controlled


@transaction.atomic
def suspend_issuance(token: Token, *, reason: str, actor: Actor, at: datetime) -> Token:
    """Take no further issuance requests for `token`; does nothing if that is so already."""
    return _set_issuance_open(token, open_=False, reason=reason, actor=actor, at=at)


@transaction.atomic
def resume_issuance(token: Token, *, reason: str, actor: Actor, at: datetime) -> Token:
    """Take issuance requests for `token` again; does nothing if that is so already."""
    return _set_issuance_open(token, open_=True, reason=reason, actor=actor, at=at)


def _set_issuance_open(
    token: Token, *, open_: bool, reason: str, actor: Actor, at: datetime
) -> Token:
    assert reason, "doors ask for a reason"
    locked = selectors.lock_token(token.pk)
    if locked.issuance_open == open_:
        return locked
    locked.issuance_open = open_
    history.save(locked, actor=actor, at=at)
    verb, happened = ("resume", "resumed") if open_ else ("suspend", "suspended")
    audit.record(f"token.{verb}_issuance", subject=locked, actor=actor, at=at, reason=reason)
    events.record(f"token.issuance_{happened}", subject=locked, at=at, symbol=locked.symbol)
    return locked
