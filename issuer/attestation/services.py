"""Everything that writes statements of reserves."""

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.db import transaction

from issuer.approvals import selectors as approvals_selectors
from issuer.approvals import services as approvals
from issuer.approvals.errors import PersonRequired
from issuer.approvals.models import Approval
from issuer.attestation import document, errors, packaging, selectors
from issuer.attestation.models import (
    Attestation,
    AttestationTransition,
    Exhibit,
    StatementKey,
)
from issuer.attestation.package import verify_offline
from issuer.attestation.signers import StatementSigner, key_id
from issuer.attestation.states import AttestationState, AttestationStep
from issuer.audit import services as audit
from issuer.events import services as events
from issuer.foundation import canonical
from issuer.foundation.actors import Actor
from issuer.foundation.transactions import require_transaction
from issuer.parties.models import Program
from issuer.people import selectors as people
from issuer.people.models import Person
from issuer.people.roles import MATRIX
from issuer.reconciliation import selectors as reconciliation
from issuer.reconciliation.models import Run
from issuer.reserves.cover import CoverStatus

#: The act that two persons decide.
PUBLISH: Final = "attestation.publish"
PROPOSE_PERMISSION: Final = "attestation.propose_attestation"
CONFIRM_PERMISSION: Final = "attestation.confirm_attestation"


@transaction.atomic
def propose(program: Program, *, run: Run | None = None, actor: Actor, at: datetime) -> Attestation:
    """Freeze a statement of `program` and propose to publish it.

    It is made from `run`, or from the newest reconciliation if none is named.

    Raises:
        NothingToAttest: if there is no reconciliation, or no published criteria.
        RunNotNewest: if the last statement was made from this reconciliation or a later one.
        StatementInconsistent: if the figures do not follow from one another.
        AttestationUnderWay: if another statement of the program waits to be published.
        PersonRequired: if `actor` is nobody's login.
    """
    # Two proposals at once would both take the next number.
    program = Program.objects.select_for_update(of=("self",)).get(pk=program.pk)
    if (busy := selectors.under_way(program)) is not None:
        raise errors.AttestationUnderWay(f"{busy} is under way.", attestation=str(busy.pk))
    run = run or reconciliation.newest_run(program)
    if run is None or run.program_id != program.pk:
        raise errors.NothingToAttest(f"{program} has no such reconciliation.")
    previous = selectors.current(program)
    if previous is not None and run.as_of <= previous.as_of:
        raise errors.RunNotNewest(f"{previous} was made from a reconciliation as of then or later.")
    officer = _officer(actor, PROPOSE_PERMISSION, at=at)
    content_bytes = canonical.to_bytes(document.build(run, previous=previous, prepared_by=officer))
    content = json.loads(content_bytes)
    _require_consistent(content, at=at)
    attestation = Attestation.objects.create(
        program=program,
        run=run,
        sequence=content["sequence"],
        content=content_bytes,
        content_sha256=hashlib.sha256(content_bytes).hexdigest(),
        previous=previous,
        status=content["status"],
        as_of=run.as_of,
        valid_until=datetime.fromisoformat(content["validUntil"]),
        frozen_at=at,
    )
    approvals.propose(
        action=PUBLISH,
        subject=attestation,
        payload=payload_of(attestation),
        actor=actor,
        at=at,
    )
    audit.record(
        "attestation.propose",
        subject=attestation,
        actor=actor,
        at=at,
        content_sha256=attestation.content_sha256,
        status=attestation.status,
    )
    return attestation


def payload_of(attestation: Attestation) -> dict[str, Any]:
    """Return all that the second person signs: the hash of the content, and what it is of."""
    return {
        "attestation": attestation.pk,
        "program": attestation.program.code,
        "sequence": attestation.sequence,
        "status": attestation.status,
        "asOf": attestation.as_of,
        "validUntil": attestation.valid_until,
        "contentSha256": attestation.content_sha256,
    }


@transaction.atomic
def confirm(attestation_id: UUID, *, actor: Actor, at: datetime) -> Attestation:
    """Approve a statement as a second person; it is then signed and published by itself.

    Raises:
        IllegalTransition: if it does not wait for review.
        StatementExpired: if nobody may rely on it any more.
        SamePerson: if the person behind `actor` proposed it.
        ProposalChanged: if it is not what was proposed.
        PersonRequired: if `actor` is nobody's login.
    """
    attestation = _lock(attestation_id)
    AttestationStep.REVIEW.value.check(AttestationState(attestation.state))
    if at > attestation.valid_until and attestation.status != CoverStatus.UNKNOWN:
        raise errors.StatementExpired(f"{attestation} could not be relied on any more; decline it.")
    proposal = approvals.confirm(
        _open_proposal(attestation), payload=payload_of(attestation), actor=actor, at=at
    )
    approval = Approval.objects.get(proposal=proposal)
    officer = _officer(actor, CONFIRM_PERMISSION, at=approval.approved_at)
    complete = document.complete(selectors.content_of(attestation), approved_by=officer)
    content = canonical.to_bytes(complete)
    return _take(
        AttestationStep.REVIEW,
        attestation,
        actor=actor,
        at=at,
        document=content,
        sha256=hashlib.sha256(content).hexdigest(),
    )


@transaction.atomic
def decline(attestation_id: UUID, *, reason: str, actor: Actor, at: datetime) -> Attestation:
    """Give a statement up before it is approved; its number is free again.

    Raises:
        IllegalTransition: if it does not wait for review.
        PersonRequired: if `actor` is nobody's login.
    """
    attestation = _lock(attestation_id)
    AttestationStep.DECLINE.value.check(AttestationState(attestation.state))
    approvals.decline(_open_proposal(attestation), reason=reason, actor=actor, at=at)
    return _take(AttestationStep.DECLINE, attestation, actor=actor, at=at)


@transaction.atomic
def sign(
    attestation_id: UUID, *, files: Mapping[str, bytes], actor: Actor, at: datetime
) -> Attestation:
    """Keep the signed files of a reviewed statement, if they pass the checker that goes with them.

    `files` are as `packaging.assemble` returns them. Signing what is signed already changes
    nothing, so a task that was killed in between may simply run again.

    Raises:
        IllegalTransition: if the statement is not reviewed.
        StatementInconsistent: if `files` are not a package of this statement that verifies.
    """
    attestation = _lock(attestation_id)
    if attestation.state != AttestationState.REVIEWED:
        if attestation.exhibits.exists():
            return attestation
        AttestationStep.SIGN.value.check(AttestationState(attestation.state))
    if files.get(verify_offline.DOCUMENT) != bytes(attestation.document or b""):
        raise errors.StatementInconsistent("The files are of another statement.")
    report, _ = verify_offline.verify(
        files, keys=selectors.published_keys(), previous=_files_before(attestation)
    )
    _require_passed(report)
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
    return _take(AttestationStep.SIGN, attestation, actor=actor, at=at)


@transaction.atomic
def publish(attestation_id: UUID, *, actor: Actor, at: datetime) -> Attestation:
    """Make a signed statement the current one of its program, and supersede the one before.

    Publishing what is published already changes nothing.

    Raises:
        IllegalTransition: if the statement is not signed.
    """
    attestation = _lock(attestation_id)
    if attestation.state in selectors.OUT:
        return attestation
    AttestationStep.PUBLISH.value.check(AttestationState(attestation.state))
    if attestation.previous_id is not None:
        _take(AttestationStep.SUPERSEDE, _lock(attestation.previous_id), actor=actor, at=at)
    _take(AttestationStep.PUBLISH, attestation, actor=actor, at=at, published_at=at)
    events.record(
        "attestation.published",
        subject=attestation,
        at=at,
        program=attestation.program.code,
        sequence=str(attestation.sequence),
        status=attestation.status,
        sha256=attestation.sha256,
    )
    return attestation


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


def _officer(actor: Actor, permission: str, *, at: datetime) -> document.Officer:
    """Return how a document names the person behind `actor`: by role and reference, not by name.

    Raises:
        PersonRequired: if `actor` is nobody's login.
    """
    if actor.person is None:
        raise PersonRequired(f"{actor} is not the login of a person.")
    roles = people.roles_of(Person(pk=actor.person))
    acting = sorted(role.label for role in roles if permission in MATRIX[role])
    return document.Officer(role=acting[0] if acting else "Staff", ref=str(actor.person), at=at)


def _require_consistent(content: Mapping[str, Any], *, at: datetime) -> None:
    """Run the checker over a statement that nobody has approved yet.

    Raises:
        StatementInconsistent: if it finds anything.
    """
    stand_in = document.Officer(role="Nobody", ref="nobody", at=at)
    trial = document.complete(content, approved_by=stand_in)
    report = verify_offline.Report()
    verify_offline.check_shape(trial, packaging.enclosed(verify_offline.SCHEMA), report)
    _require_passed(report)
    verify_offline.check_times(trial, report)
    verify_offline.check_document(trial, report)
    verify_offline.check_sequence(trial, None, (), report)
    _require_passed(report)


def _require_passed(report: verify_offline.Report) -> None:
    if report.failed:
        failures = [line.strip() for line in report.lines() if line.startswith("      ")]
        raise errors.StatementInconsistent("; ".join(failures[:5]), failures=str(len(failures)))


def _files_before(attestation: Attestation) -> dict[str, bytes] | None:
    if attestation.previous is None:
        return None
    return selectors.package_files(attestation.previous)


def _open_proposal(attestation: Attestation) -> UUID:
    proposal = approvals_selectors.open_proposal(attestation, PUBLISH)
    assert proposal is not None, "A frozen attestation has an open proposal."
    return proposal.pk


def _lock(attestation_id: UUID) -> Attestation:
    locked = Attestation.objects.select_for_update(of=("self",))
    return locked.select_related("program").get(pk=attestation_id)


def _take(
    step: AttestationStep, attestation: Attestation, *, actor: Actor, at: datetime, **columns: Any
) -> Attestation:
    """Take a step with a locked attestation, and set the columns that its new state requires.

    The only writer of `state`.
    """
    require_transaction()
    origin = AttestationState(attestation.state)
    step.value.check(origin)
    attestation.state = step.value.destination
    for name, value in columns.items():
        setattr(attestation, name, value)
    attestation.save(update_fields=["state", *columns])
    AttestationTransition.objects.create(
        attestation=attestation,
        step=step.name,
        origin=origin,
        destination=attestation.state,
        actor=str(actor),
        occurred_at=at,
    )
    facts = {"sha256": attestation.sha256} if attestation.sha256 else {}
    audit.record(
        f"attestation.{step.name.lower()}", subject=attestation, actor=actor, at=at, **facts
    )
    return attestation
