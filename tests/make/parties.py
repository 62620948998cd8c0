"""Parties for tests: valid, saved rows with right check digits."""

import hashlib
import itertools
from datetime import UTC, datetime

from eth_utils.address import to_checksum_address
from stdnum.iso7064 import mod_97_10

from issuer.parties.models import (
    AuthorizedParticipant,
    Criteria,
    Custodian,
    LegalEntity,
    Program,
    Wallet,
)

_serial = itertools.count(1)
BEFORE = datetime(2026, 11, 1, tzinfo=UTC)


def lei() -> str:
    """Return an LEI with right check digits that no other call returns."""
    number = f"529900{next(_serial):012d}"
    return number + mod_97_10.calc_check_digits(number)


def evm_address() -> str:
    """Return an address with its EIP-55 checksum that no other call returns."""
    return to_checksum_address(
        "0x" + hashlib.sha256(f"address {next(_serial)}".encode()).hexdigest()[:40]
    )


def legal_entity(*, name: str | None = None, jurisdiction: str = "US") -> LegalEntity:
    return LegalEntity.objects.create(
        name=name or f"Entity {next(_serial)} Ltd", lei=lei(), jurisdiction=jurisdiction
    )


def program(*, code: str | None = None, spv: LegalEntity | None = None) -> Program:
    n = next(_serial)
    return Program.objects.create(
        code=code or f"program-{n}",
        name=f"Program {n}",
        spv=spv or legal_entity(name=f"SPV {n} Ltd", jurisdiction="JE"),
        arranger=legal_entity(name=f"Arranger {n} Ltd"),
        security_agent=legal_entity(name=f"Security Agent {n} Ltd"),
    )


def criteria(program_: Program | None = None, *, version: str = "1.0") -> Criteria:
    text = "Shares held, free and settled, are at least the shares owed on tokens."
    return Criteria.objects.create(
        program=program_ or program(),
        name="Reserve criteria",
        version=version,
        text=text,
        sha256=hashlib.sha256(text.encode()).hexdigest(),
        published_at=BEFORE,
    )


def custodian(*, code: str | None = None) -> Custodian:
    n = next(_serial)
    return Custodian.objects.create(
        code=code or f"custodian-{n}", entity=legal_entity(name=f"Custodian {n} Bank")
    )


def participant(
    *,
    code: str | None = None,
    entity: LegalEntity | None = None,
    program_: Program | None = None,
) -> AuthorizedParticipant:
    """Return a participant whose entity has no KYC case; `tests.make.kyc.cleared` opens one."""
    n = next(_serial)
    return AuthorizedParticipant.objects.create(
        code=code or f"participant-{n}",
        entity=entity or legal_entity(name=f"Participant {n} Ltd"),
        program=program_ or program(),
    )


def wallet(
    participant_: AuthorizedParticipant | None = None, *, address: str | None = None
) -> Wallet:
    return Wallet.objects.create(
        participant=participant_ or participant(),
        namespace="eip155",
        address=address or evm_address(),
        bound_at=BEFORE,
    )
