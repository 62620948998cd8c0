"""Registering instruments, suspending their issuance, and splitting their shares."""

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.db import transaction
from django.db.backends.postgresql.psycopg_any import DateTimeTZRange

from issuer.audit import services as audit
from issuer.events import services as events
from issuer.foundation import canonical, history, identifiers, quantities
from issuer.foundation.actors import Actor
from issuer.foundation.errors import Malformed
from issuer.foundation.transactions import require_transaction, translating
from issuer.instruments import chart, errors, selectors
from issuer.instruments.models import (
    ControlledAddress,
    ControlledRole,
    Deployment,
    Multiplier,
    Network,
    NetworkKind,
    Security,
    Split,
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
    redemption_minimum: Decimal = Decimal(1),
    actor: Actor,
    at: datetime,
) -> Token:
    """Register a token that tracks `security`, and open its accounts in the books.

    Fewer than `redemption_minimum` whole tokens are not redeemed at once.

    Raises:
        Malformed: if the ISIN is not one, or the symbol is not of letters, digits and points.
        RedemptionMinimumNotPositive: if redemption would begin at nothing.
        InstrumentKnown: if a token has this symbol or this ISIN.
    """
    if redemption_minimum <= 0:
        detail = f"{redemption_minimum} tokens are no least quantity."
        raise errors.RedemptionMinimumNotPositive(detail)
    token = Token(
        program=program,
        symbol=symbol,
        name=name,
        isin=identifiers.isin(isin),
        security=security,
        statement_due_hours=statement_due_hours,
        admits_unsettled_receipts=admits_unsettled_receipts,
        redemption_minimum=redemption_minimum,
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
        SplitPending: if a split of the token is scheduled that would not move this multiplier.
        InstrumentKnown: if the address, or the token on this network, is registered.
    """
    if decimals > quantities.SCALE:
        detail = f"{decimals} decimal places are more than the books' {quantities.SCALE}."
        raise errors.DecimalsUnsupported(detail, decimals=str(decimals))
    if multiplier <= 0:
        raise errors.MultiplierNotPositive(f"{multiplier} shares per token back nothing.")
    _refuse_over_a_split(selectors.lock_token(token.pk))
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
def schedule_split(
    *,
    token: Token,
    shares_after: int,
    shares_before: int,
    effective_at: datetime,
    actor: Actor,
    at: datetime,
) -> Split:
    """Schedule that `shares_before` shares become `shares_after`, for all deployments at once.

    From `effective_at` on their multipliers are the new ones; see `record_split_booked` for the
    books.

    Raises:
        SplitRatioMeaningless: if the ratio would leave no shares, or as many as before.
        Malformed: if `effective_at` is not on a whole second, which is what chains count in.
        SplitNotAhead: if `effective_at` has come.
        SplitPending: if another split of the token is scheduled, or not in the books yet.
        MultiplierUnknown: if a deployment has no multiplier at `effective_at`.
        SplitInexact: if a new multiplier cannot be written down exactly.
    """
    if min(shares_after, shares_before) <= 0 or shares_after == shares_before:
        raise errors.SplitRatioMeaningless(f"{shares_after} of {shares_before} is no split.")
    if effective_at.microsecond:
        raise Malformed("Chains count time in whole seconds.", field="effective_at")
    if effective_at <= at:
        raise errors.SplitNotAhead(f"{canonical.timestamp(effective_at)} is not ahead.")
    locked = selectors.lock_token(token.pk)
    _refuse_over_a_split(locked)
    split = Split.objects.create(
        token=locked,
        shares_after=shares_after,
        shares_before=shares_before,
        effective_at=effective_at,
        scheduled_by=str(actor),
        scheduled_at=at,
    )
    for deployment, value in selectors.split_multipliers(split).items():
        present = Multiplier.objects.get(deployment=deployment, effective__contains=effective_at)
        _end(present, at=effective_at)
        Multiplier.objects.create(
            deployment=deployment, value=value, effective=DateTimeTZRange(effective_at, None)
        )
    audit.record("split.schedule", subject=split, actor=actor, at=at, **_facts(split))
    return split


@transaction.atomic
def cancel_split(split_id: UUID, *, reason: str, actor: Actor, at: datetime) -> Split:
    """Call a split off before its time; every multiplier stays what it is.

    Raises:
        SplitMissing: if there is no such split.
        SplitOver: if it was booked or called off before.
        SplitNotAhead: if its effective time has come.
    """
    assert reason, "doors ask for a reason"
    split = _lock_pending_split(split_id)
    if split.effective_at <= at:
        raise errors.SplitNotAhead(f"{split} is effective; what has happened stays.")
    scheduled = Multiplier.objects.filter(
        deployment__token=split.token, effective__startswith=split.effective_at
    )
    scheduled.delete()
    for present in Multiplier.objects.filter(
        deployment__token=split.token, effective__endswith=split.effective_at
    ):
        _end(present, at=None)
    split.cancelled_at = at
    split.save(update_fields=["cancelled_at"])
    audit.record("split.cancel", subject=split, actor=actor, at=at, reason=reason, **_facts(split))
    return split


@transaction.atomic
def record_split_booked(split_id: UUID, *, actor: Actor, at: datetime) -> Split:
    """Note that the books count the new shares; joins the transaction that posted them.

    Raises:
        SplitMissing: if there is no such split.
        SplitOver: if it was booked or called off before.
        SplitNotEffective: if its time has not come.
    """
    require_transaction()
    split = _lock_pending_split(split_id)
    if at < split.effective_at:
        raise errors.SplitNotEffective(
            f"{split} is effective at {canonical.timestamp(split.effective_at)}."
        )
    split.booked_at = at
    split.save(update_fields=["booked_at"])
    audit.record("split.book", subject=split, actor=actor, at=at, **_facts(split))
    return split


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


def _refuse_over_a_split(token: Token) -> None:
    """Refuse while a split of a locked token is scheduled, or not in the books yet."""
    pending = selectors.pending_split(token)
    if pending is not None:
        raise errors.SplitPending(
            f"{pending} is scheduled for {canonical.timestamp(pending.effective_at)}.",
            split=str(pending.pk),
        )


def _lock_pending_split(split_id: UUID) -> Split:
    """Return a split that is not over, its token locked before it as everybody does."""
    found = Split.objects.select_related("token").filter(pk=split_id).first()
    if found is None:
        raise errors.SplitMissing(f"There is no split {split_id}.")
    selectors.lock_token(found.token_id)
    found.refresh_from_db()
    if found.booked_at is not None or found.cancelled_at is not None:
        raise errors.SplitOver(f"{found} is booked or canceled.", split=str(split_id))
    return found


def _end(multiplier: Multiplier, *, at: datetime | None) -> None:
    multiplier.effective = DateTimeTZRange(multiplier.effective.lower, at)
    multiplier.save(update_fields=["effective"])


def _facts(split: Split) -> dict[str, str]:
    return {
        "token": split.token.symbol,
        "ratio": f"{split.shares_after}:{split.shares_before}",
        "effective_at": canonical.timestamp(split.effective_at),
    }
