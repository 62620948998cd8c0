"""Registering parties, and binding the wallets of participants."""

import hashlib
import secrets
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.conf import settings
from django.db import transaction

from issuer.audit import services as audit
from issuer.events import services as events
from issuer.foundation import canonical, history, identifiers
from issuer.foundation.actors import Actor
from issuer.foundation.errors import Malformed
from issuer.foundation.transactions import require_transaction, translating
from issuer.parties import errors, ownership_proofs
from issuer.parties.models import (
    AuthorizedParticipant,
    Criteria,
    Custodian,
    LegalEntity,
    Program,
    Wallet,
    WalletChallenge,
)
from issuer.parties.states import WalletState, WalletStep

CHALLENGE_VALIDITY: Final = timedelta(minutes=10)

_CHALLENGE: Final = """\
{spv} asks you to prove that you control this address, at {url}.

Participant: {participant} ({lei})
Address: {namespace}:{address}
Nonce: {nonce}
Issued at: {issued_at}
Expires at: {expires_at}

Signing this costs nothing and moves nothing."""


@transaction.atomic
def register_legal_entity(
    *, name: str, lei: str, jurisdiction: str, actor: Actor, at: datetime
) -> LegalEntity:
    """Register a company by its LEI; `jurisdiction` is ISO 3166-1 alpha-2.

    Raises:
        Malformed: if the LEI or the jurisdiction is not one.
        PartyKnown: if an entity with this LEI is registered.
    """
    entity = LegalEntity(name=name, lei=identifiers.lei(lei), jurisdiction=jurisdiction)
    known = errors.PartyKnown(f"An entity with the LEI {lei} is registered.", lei=lei)
    nowhere = Malformed(f"{jurisdiction!r} is not a country code.", field="jurisdiction")
    with translating(
        {"parties_legalentity_lei_key": known, "legal_entity_has_a_jurisdiction": nowhere}
    ):
        history.save(entity, actor=actor, at=at)
    audit.record("legal_entity.register", subject=entity, actor=actor, at=at, lei=lei)
    return entity


@transaction.atomic
def register_program(
    *,
    code: str,
    name: str,
    spv: LegalEntity,
    arranger: LegalEntity,
    security_agent: LegalEntity,
    actor: Actor,
    at: datetime,
) -> Program:
    """Register an SPV's program, who arranged it and who holds the pledge for token holders.

    Raises:
        SecurityAgentNotIndependent: if the SPV would hold the pledge over its own shares.
        PartyKnown: if a program with this code is registered.
    """
    program = Program(
        code=code, name=name, spv=spv, arranger=arranger, security_agent=security_agent
    )
    not_independent = errors.SecurityAgentNotIndependent(
        f"{security_agent} cannot hold a pledge over shares of its own."
    )
    known = errors.PartyKnown(f"A program with the code {code} is registered.", program=code)
    with translating(
        {"security_agent_is_not_the_spv": not_independent, "parties_program_code_key": known}
    ):
        history.save(program, actor=actor, at=at)
    audit.record("program.register", subject=program, actor=actor, at=at, code=code)
    return program


@transaction.atomic
def publish_criteria(
    *, program: Program, name: str, version: str, text: str, actor: Actor, at: datetime
) -> Criteria:
    """Publish the policy that statements of `program` are measured against from now on.

    Raises:
        CriteriaPublished: if this version is out already.
    """
    sha256 = hashlib.sha256(text.encode()).hexdigest()
    published = errors.CriteriaPublished(
        f"Criteria {version} of {program} are out and cannot be changed.", version=version
    )
    with translating({"criteria_version_once_per_program": published}):
        criteria = Criteria.objects.create(
            program=program, name=name, version=version, text=text, sha256=sha256, published_at=at
        )
    audit.record(
        "criteria.publish", subject=criteria, actor=actor, at=at, version=version, sha256=sha256
    )
    return criteria


@transaction.atomic
def register_custodian(*, code: str, entity: LegalEntity, actor: Actor, at: datetime) -> Custodian:
    """Register an entity as one that holds shares for the SPV.

    Raises:
        PartyKnown: if the entity is a custodian, or another one has this code.
    """
    custodian = Custodian(code=code, entity=entity)
    known = errors.PartyKnown(f"{entity} or the code {code} is registered.", custodian=code)
    with translating(
        {"parties_custodian_code_key": known, "parties_custodian_entity_id_key": known}
    ):
        history.save(custodian, actor=actor, at=at)
    audit.record("custodian.register", subject=custodian, actor=actor, at=at, code=code)
    return custodian


@transaction.atomic
def register_participant(
    *, code: str, entity: LegalEntity, program: Program, actor: Actor, at: datetime
) -> AuthorizedParticipant:
    """Authorize an entity to request issuance and redemption under `program`.

    Registered is not cleared: each request asks for the entity's KYC besides.

    Raises:
        PartyKnown: if the entity takes part in the program, or another one has this code.
    """
    participant = AuthorizedParticipant(code=code, entity=entity, program=program)
    known = errors.PartyKnown(f"{entity} or the code {code} is registered.", participant=code)
    with translating(
        {"participant_once_per_program": known, "parties_authorizedparticipant_code_key": known}
    ):
        history.save(participant, actor=actor, at=at)
    audit.record(
        "participant.register",
        subject=participant,
        actor=actor,
        at=at,
        code=code,
        program=program.code,
    )
    return participant


@transaction.atomic
def challenge_wallet(
    *,
    participant: AuthorizedParticipant,
    namespace: str,
    address: str,
    actor: Actor,
    at: datetime,
) -> WalletChallenge:
    """Write the message by whose signature `participant` proves to control `address`.

    It is for one use within ten minutes, and names the two sides, so that a signature given to
    somebody else, or for something else, is worth nothing here.

    Raises:
        NamespaceUnsupported: if wallets of `namespace` cannot be bound.
        Malformed: if `address` is not written as its namespace prescribes.
    """
    address = ownership_proofs.proof_for(namespace).normalized(address)
    expires_at = at + CHALLENGE_VALIDITY
    message = _CHALLENGE.format(
        spv=participant.program.spv.name,
        url=settings.PUBLIC_URL,
        participant=participant.entity.name,
        lei=participant.entity.lei,
        namespace=namespace,
        address=address,
        nonce=secrets.token_hex(16),
        issued_at=canonical.timestamp(at),
        expires_at=canonical.timestamp(expires_at),
    )
    challenge = WalletChallenge.objects.create(
        participant=participant,
        namespace=namespace,
        address=address,
        message=message,
        issued_at=at,
        expires_at=expires_at,
    )
    audit.record("wallet.challenge", subject=challenge, actor=actor, at=at, address=address)
    return challenge


@transaction.atomic
def bind_wallet(
    *,
    challenge_id: UUID,
    participant: AuthorizedParticipant,
    signature: str,
    actor: Actor,
    at: datetime,
) -> Wallet:
    """Bind the address of a challenge to `participant`, whose `signature` of it is hex with 0x.

    Raises:
        ChallengeMissing: if the participant was not issued this challenge.
        ChallengeUsed: if it has bound a wallet before.
        ChallengeExpired: if its ten minutes are over.
        SignatureMalformed: if the signature is not of the only form that is accepted.
        SignatureMismatch: if another key signed, or another message was signed.
        WalletBound: if the participant has bound the address already.
        WalletBoundElsewhere: if another participant has.
    """
    challenge = (
        WalletChallenge.objects.select_for_update(of=("self",))
        .filter(pk=challenge_id, participant=participant)
        .first()
    )
    if challenge is None:
        raise errors.ChallengeMissing(f"{participant} was issued no challenge {challenge_id}.")
    if challenge.used_at is not None:
        raise errors.ChallengeUsed("A challenge binds one wallet once; ask for another.")
    if at > challenge.expires_at:
        expired_at = canonical.timestamp(challenge.expires_at)
        raise errors.ChallengeExpired("Ask for another challenge.", expired_at=expired_at)
    namespace, address = challenge.namespace, challenge.address
    ownership_proofs.proof_for(namespace).check(
        challenge.message, address=address, signature=signature
    )

    wallet = _create_wallet(participant, namespace, address, at=at)
    challenge.used_at = at
    challenge.save(update_fields=["used_at"])
    facts = {"participant": participant.code, "namespace": namespace, "address": address}
    audit.record(
        "wallet.bind", subject=wallet, actor=actor, at=at, challenge=str(challenge.pk), **facts
    )
    events.record("wallet.bound", subject=wallet, at=at, **facts)
    return wallet


@transaction.atomic
def revoke_wallet(wallet: Wallet, *, reason: str, actor: Actor, at: datetime) -> Wallet:
    """End the binding of a wallet; nothing is minted to it from now on.

    Raises:
        IllegalTransition: if it was revoked before.
    """
    assert reason, "doors ask for a reason"
    locked = (
        Wallet.objects.select_for_update(of=("self",))
        .select_related("participant")
        .get(pk=wallet.pk)
    )
    _take(
        WalletStep.REVOKE,
        locked,
        actor=actor,
        at=at,
        reason=reason,
        revoked_at=at,
        revocation_reason=reason,
    )
    events.record(
        "wallet.revoked",
        subject=locked,
        at=at,
        participant=locked.participant.code,
        namespace=locked.namespace,
        address=locked.address,
    )
    return locked


def _create_wallet(
    participant: AuthorizedParticipant, namespace: str, address: str, *, at: datetime
) -> Wallet:
    bound = Wallet.objects.filter(
        participant=participant, namespace=namespace, address=address, state=WalletState.BOUND
    )
    if bound.exists():
        raise errors.WalletBound(f"{address} is bound to {participant}.", address=address)
    elsewhere = errors.WalletBoundElsewhere(
        f"{address} is bound to another participant.", address=address
    )
    with translating({"wallet_bound_to_one_participant": elsewhere}):
        return Wallet.objects.create(
            participant=participant, namespace=namespace, address=address, bound_at=at
        )


def _take(
    step: WalletStep,
    wallet: Wallet,
    *,
    actor: Actor,
    at: datetime,
    reason: str,
    **columns: object,
) -> None:
    """Take a step with a locked wallet, and set the columns that its new state requires.

    The only writer of `state` after the binding itself.
    """
    require_transaction()
    step.value.check(WalletState(wallet.state))
    wallet.state = step.value.destination
    for name, value in columns.items():
        setattr(wallet, name, value)
    wallet.save(update_fields=["state", *columns])
    audit.record(f"wallet.{step.name.lower()}", subject=wallet, actor=actor, at=at, reason=reason)
