"""What happens to a statement that is ready: signing, publishing, and the keys for it."""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from django.db import transaction

from issuer.attestation import errors, packaging, selectors
from issuer.attestation.models import REASON_LENGTH, Attestation, Exhibit, StatementKey
from issuer.attestation.package import verify_offline
from issuer.attestation.services._overtaking import require_not_overtaken
from issuer.attestation.services._steps import lock, require_passed, take
from issuer.attestation.signers import StatementSigner, key_id
from issuer.attestation.states import AttestationState, AttestationStep
from issuer.audit import services as audit
from issuer.events import services as events
from issuer.foundation.actors import Actor


@transaction.atomic
def sign(
    attestation_id: UUID, *, files: Mapping[str, bytes], actor: Actor, at: datetime
) -> Attestation:
    """Keep the signed files of a reviewed statement, if they pass the checker that goes with them.

    `files` are as `packaging.assemble` returns them. Signing what is signed already changes
    nothing, so a task that was killed in between may simply run again.

    Raises:
        IllegalTransition: if the statement is not reviewed.
        StatementOvertaken: if a newer reconciliation found something worse than it says.
        StatementInconsistent: if `files` are not a package of this statement that verifies.
    """
    attestation = lock(attestation_id)
    if attestation.state != AttestationState.REVIEWED:
        if attestation.exhibits.exists():
            return attestation
        AttestationStep.SIGN.value.check(AttestationState(attestation.state))
    require_not_overtaken(attestation)
    if files.get(verify_offline.DOCUMENT) != bytes(attestation.document or b""):
        raise errors.StatementInconsistent("The files are of another statement.")
    report, _ = verify_offline.verify(
        files, keys=selectors.published_keys(), previous=_files_before(attestation)
    )
    require_passed(report)
    Exhibit.objects.bulk_create(
        Exhibit(
            attestation=attestation,
            name=name,
            media_type=packaging.media_type(name),
            content=content,
            sha256=hashlib.sha256(content).hexdigest(),
        )
        for name, content in sorted(files.items())
    )
    return take(AttestationStep.SIGN, attestation, actor=actor, at=at)


@transaction.atomic
def publish(attestation_id: UUID, *, actor: Actor, at: datetime) -> Attestation:
    """Make a signed statement the current one of its program, and supersede the one before.

    Publishing what is published already changes nothing.

    Raises:
        IllegalTransition: if the statement is not signed.
    """
    attestation = lock(attestation_id)
    if attestation.state in selectors.OUT:
        return attestation
    AttestationStep.PUBLISH.value.check(AttestationState(attestation.state))
    if attestation.previous_id is not None:
        take(AttestationStep.SUPERSEDE, lock(attestation.previous_id), actor=actor, at=at)
    take(AttestationStep.PUBLISH, attestation, actor=actor, at=at, published_at=at)
    events.record(
        "attestation.published",
        subject=attestation,
        at=at,
        program=attestation.program.code,
        sequence=str(attestation.sequence),
        kind=attestation.kind,
        status=attestation.status,
        sha256=attestation.sha256,
    )
    return attestation


@transaction.atomic
def record_failure(attestation_id: UUID, *, reason: str, actor: Actor, at: datetime) -> bool:
    """Tell staff that a statement under way cannot be published; once for each, however often.

    Returns whether they were told now. Until the reason is mended or the statement
    withdrawn, no other one of the program goes out.
    """
    assert reason, "a failure has a reason"
    attestation = lock(attestation_id)
    waits = attestation.state in {AttestationState.REVIEWED, AttestationState.SIGNED}
    if not waits or attestation.publishing_failed_at is not None:
        return False
    attestation.publishing_failed_at = at
    attestation.publishing_failure = reason[:REASON_LENGTH]
    attestation.save(update_fields=["publishing_failed_at", "publishing_failure"])
    facts = {"reason": attestation.publishing_failure}
    audit.record("attestation.publishing_failed", subject=attestation, actor=actor, at=at, **facts)
    events.record(
        "attestation.publishing_failed",
        subject=attestation,
        at=at,
        program=attestation.program.code,
        sequence=str(attestation.sequence),
        kind=attestation.kind,
        **facts,
    )
    return True


def assemble(attestation: Attestation, *, signer: StatementSigner) -> dict[str, bytes]:
    """Render and sign the files of a reviewed statement; writes nothing, outside any transaction.

    Raises:
        SigningKeyUnknown: if the public has not been told of the signer's key.
        SigningKeyUnusable: as the signer.
    """
    known = {key.public_key for key in selectors.published_keys()}
    if signer.public_key not in known:
        name = key_id(signer.public_key)
        raise errors.SigningKeyUnknown(f"Register the key {name} before it signs.", key_id=name)
    return packaging.assemble(bytes(attestation.document or b""), signer=signer)


@transaction.atomic
def register_key(
    *, public_key: bytes, valid_from: datetime, actor: Actor, at: datetime
) -> StatementKey:
    """Tell the public of the key that statements are signed with from `valid_from` on.

    A key that is registered already stays as it is.

    Raises:
        SigningKeyUnusable: if it is not a key, or begins before the newest one.
    """
    known = StatementKey.objects.filter(public_key=public_key.hex()).first()
    if known is not None:
        return known
    newest = StatementKey.objects.order_by("-valid_from").first()
    if len(public_key) != 32 or (newest is not None and valid_from <= newest.valid_from):
        raise errors.SigningKeyUnusable("A key has 32 bytes, and begins after the one before it.")
    key = StatementKey.objects.create(
        key_id=key_id(public_key),
        public_key=public_key.hex(),
        valid_from=valid_from,
        registered_by=str(actor),
    )
    audit.record("attestation.register_key", subject=key, actor=actor, at=at, key_id=key.key_id)
    return key


def _files_before(attestation: Attestation) -> dict[str, bytes] | None:
    if attestation.previous is None:
        return None
    return selectors.package_files(attestation.previous)
