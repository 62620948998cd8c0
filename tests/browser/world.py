"""A small world to look at: a program with three tokens, a partner, and requests on their way."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from issuer.foundation import actors
from issuer.instruments.models import Network, Security, Token
from issuer.parties.models import Program
from issuer.people.models import User
from issuer.people.roles import Role
from issuer.reconciliation.models import Break, Run, TokenResult
from issuer.reconciliation.states import BreakCode, Severity
from issuer.reserves import selectors as reserves
from issuer.reserves.cover import Cover
from tests.make import attestation, chain, custody, instruments, kyc, parties, people
from tests.make.primary_market import Market

#: Ticker, ISIN and name of the shares, and who holds ours.
SHARES = (
    ("AAPL", "US0378331005", "Apple Inc.", "Harbor Trust Company"),
    ("TSLA", "US88160R1014", "Tesla, Inc.", "Meridian Custody AG"),
    ("NVDA", "US67066G1040", "NVIDIA Corporation", "Northgate Securities Services"),
)


@dataclass(frozen=True)
class World:
    """What the tests look at."""

    program: Program
    network: Network
    markets: tuple[Market, ...]
    operations: User
    approver: User
    compliance: User
    auditor: User


def world(*, at: datetime) -> World:
    """Return a world whose three tokens are covered, with 2, 5 and 12.5 shares to spare."""
    program = parties.program(code="tokenized-stocks")
    parties.criteria(program)
    attestation.register_key(at=at)
    network = instruments.network(caip2="eip155:31337")
    network.name, network.explorer_url = "Anvil", "https://explorer.example"
    network.save()
    entity = parties.legal_entity(name="Kepler Markets Ltd", jurisdiction="IE")
    participant = parties.participant(code="kepler", entity=entity, program_=program)
    kyc.cleared(entity)
    wallet = parties.wallet(participant)
    treasury = instruments.controlled_address(network_=network)

    markets = []
    for (ticker, isin, name, bank), own in zip(SHARES, ("2", "5", "12.5"), strict=True):
        security = Security.objects.create(isin=isin, ticker=ticker, mic="XNAS", name=name)
        token = instruments.token(program=program, symbol=f"{ticker}x", security_=security)
        deployment = instruments.deployment(token_=token, network_=network)
        custodian = parties.custodian()
        custodian.entity.name = bank
        custodian.entity.save()
        account = custody.account(token_=token, custodian_=custodian)
        custody.settled_shares(account, Decimal(own), at=at)
        chain.snapshot(deployment, controlled={treasury.address: 0}, block_number=1, taken_at=at)
        markets.append(Market(participant, wallet, token, deployment, account))
    return World(
        program=program,
        network=network,
        markets=tuple(markets),
        operations=_user("operations", "Olga Operations", Role.OPERATIONS_OFFICER),
        approver=_user("approver", "Amal Approver", Role.APPROVER),
        compliance=_user("compliance", "Chidi Compliance", Role.COMPLIANCE_OFFICER),
        auditor=_user("auditor", "Ana Auditor", Role.AUDITOR),
    )


def reconciled(world_: World, *, at: datetime, hours: int = 30) -> Run:
    """Record what a run found each hour until `at`, and return the last of them."""
    tokens = [market.token for market in world_.markets]
    covers = reserves.covers_of(tokens, at=at)
    for hour in reversed(range(hours)):
        as_of = at - timedelta(hours=hour)
        run = Run.objects.create(
            program=world_.program,
            as_of=as_of,
            started_by=str(actors.system("reconcile_programs")),
            recorded_at=as_of,
        )
        for number, token in enumerate(tokens):
            _result(run, token, covers[token.pk], dip=(hour * (number + 3)) % 40)
    return run


def with_break(run: Run, token: Token, *, at: datetime) -> Break:
    """Record that a statement is late."""
    return Break.objects.create(
        token=token,
        code=BreakCode.SRC_STALE,
        severity=Severity.HIGH,
        detail="The statement of the last session is not here.",
        opened_run=run,
        opened_at=at - timedelta(hours=26),
        last_seen_run=run,
        last_seen_at=at,
    )


def _result(run: Run, token: Token, cover: Cover, *, dip: int) -> TokenResult:
    """Record what a run found of a token, `dip` basis points below what is found now."""
    ratio_bps = cover.ratio_bps
    return TokenResult.objects.create(
        run=run,
        token=token,
        status=cover.status,
        owed_shares=cover.owed,
        held_shares=cover.held,
        disclosed_shares=cover.disclosed,
        surplus_shares=cover.surplus,
        cover_bps=None if ratio_bps is None else ratio_bps - dip,
        headroom=cover.headroom,
        reasons=list(cover.reasons),
    )


def _user(username: str, name: str, role: Role) -> User:
    return people.user(role, person=people.person(name), username=username)
