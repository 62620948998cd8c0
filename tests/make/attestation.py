"""Programs with something to state, and their statements in each state."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count

from issuer.attestation import services
from issuer.attestation.models import Attestation
from issuer.attestation.signers import LocalKeySigner
from issuer.custody.models import CustodyAccount
from issuer.foundation import actors
from issuer.foundation.actors import Actor
from issuer.instruments import chart
from issuer.instruments.models import Deployment
from issuer.ledger import services as ledger
from issuer.parties.models import Program
from issuer.people.roles import Role
from tests.make import chain, custody, instruments, parties, people, reconciliation

SIGNER = LocalKeySigner("11" * 32)
BEGINNING = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)

_serial = count(1)


@dataclass(frozen=True)
class World:
    """A program with one token on one chain, and the people who state its reserves."""

    program: Program
    deployment: Deployment
    account: CustodyAccount
    officer: Actor
    approver: Actor


def world(*, at: datetime, shares: Decimal = Decimal(602), tokens: Decimal = Decimal(600)) -> World:
    """Return a program that holds `shares` and owes `tokens`, each backed by one share."""
    program = parties.program()
    parties.criteria(program)
    token = instruments.token(program=program)
    deployment = instruments.deployment(token_=token)
    account = custody.account(token_=token)
    system = actors.system("make")
    custody.settled_shares(account, shares, at=at - timedelta(hours=2))
    if tokens:
        minted_at = at - timedelta(hours=1)
        lines = [
            ledger.Line(chart.tokens_issued(token), chart.tokens_outstanding(token), tokens),
            ledger.Line(chart.shares_own(token), chart.shares_owed_on_tokens(token), tokens),
        ]
        reference = f"mint-{next(_serial)}"
        ledger.post(reference, lines, effective_at=minted_at, actor=system, at=minted_at)
    chain.snapshot(
        deployment,
        total_supply_base_units=int(tokens.scaleb(18)),
        taken_at=at - timedelta(minutes=5),
    )
    register_key(at=at)
    return World(
        program=program,
        deployment=deployment,
        account=account,
        officer=people.staff_actor(Role.OPERATIONS_OFFICER),
        approver=people.staff_actor(Role.APPROVER),
    )


def register_key(*, at: datetime) -> None:
    """Tell the public of the key that signs in tests."""
    services.register_key(
        public_key=SIGNER.public_key,
        valid_from=at - timedelta(days=1),
        actor=actors.system("make"),
        at=at,
    )


def frozen(world_: World, *, at: datetime) -> Attestation:
    """Return a statement that waits for review, from a reconciliation of the same instant."""
    return services.propose(
        world_.program, run=reconciliation.run(world_.program, at=at), actor=world_.officer, at=at
    )


def reviewed(world_: World, *, at: datetime) -> Attestation:
    """Return a statement that waits to be signed."""
    attestation = frozen(world_, at=at)
    return services.confirm(attestation.pk, actor=world_.approver, at=at)


def published(world_: World, *, at: datetime) -> Attestation:
    """Return a statement that the public can read, with its whole package."""
    return signed_and_published(reviewed(world_, at=at), at=at)


def event(world_: World, *, at: datetime) -> Attestation:
    """Return a statement that was made by itself, from a reconciliation of the same instant.

    Something of it must be worse than what is stated.
    """
    reconciliation.run(world_.program, at=at)
    attestation = services.attest_event(world_.program, actor=actors.system("make"), at=at)
    assert attestation is not None, "nothing of it is worse than what is stated"
    return attestation


def corrected(wrong: Attestation, world_: World, *, at: datetime) -> Attestation:
    """Return a correction of a published statement, published, from a new reconciliation."""
    reconciliation.run(world_.program, at=at)
    attestation = services.propose_correction(
        wrong.pk, reason="The custodian restated its position.", actor=world_.officer, at=at
    )
    services.confirm(attestation.pk, actor=world_.approver, at=at)
    return signed_and_published(attestation, at=at)


def signed_and_published(attestation: Attestation, *, at: datetime) -> Attestation:
    """Return a statement that waited for its signature, with its whole package."""
    attestation.refresh_from_db()
    files = services.assemble(attestation, signer=SIGNER)
    services.sign(attestation.pk, files=files, actor=actors.system("make"), at=at)
    return services.publish(attestation.pk, actor=actors.system("make"), at=at)
