"""Statements that one officer proposes and another confirms."""

import hashlib
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.db import transaction

from issuer.approvals import selectors as approvals_selectors
from issuer.approvals import services as approvals
from issuer.approvals.errors import PersonRequired
from issuer.approvals.models import Approval
from issuer.attestation import document, errors, selectors
from issuer.attestation.document import Occasion
from issuer.attestation.models import Attestation
from issuer.attestation.package import verify_offline
from issuer.attestation.services._freezing import freeze, lock_program
from issuer.attestation.services._overtaking import require_not_overtaken
from issuer.attestation.services._steps import lock, take
from issuer.attestation.states import AttestationKind, AttestationState, AttestationStep
from issuer.foundation import canonical
from issuer.foundation.actors import Actor
from issuer.foundation.transactions import translating
from issuer.parties.models import Program
from issuer.people import selectors as people
from issuer.people.models import Person
from issuer.people.roles import MATRIX
from issuer.reconciliation import selectors as reconciliation
from issuer.reconciliation.models import Run

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
    return _propose(program, Occasion(AttestationKind.SCHEDULED), run, actor=actor, at=at)


@transaction.atomic
def propose_correction(
    attestation_id: UUID, *, reason: str, actor: Actor, at: datetime
) -> Attestation:
    """Freeze a statement that supersedes the figures of an earlier one, and propose to publish it.

    It is made from the newest reconciliation and says what it corrects and why. What it corrects
    stays readable, unchanged.

    Raises:
        AttestationNotPublished: if what is to be corrected is not published.
        AttestationCorrected: if it is corrected already.
        NothingToAttest, RunNotNewest, StatementInconsistent, AttestationUnderWay, PersonRequired:
            as `propose`.
    """
    assert reason, "doors ask for a reason"
    # The program first, as for every statement: an event that follows this one locks it second.
    lock_program(Attestation.objects.select_related("program").get(pk=attestation_id).program)
    wrong = lock(attestation_id)
    if wrong.state not in selectors.OUT:
        raise errors.AttestationNotPublished(f"{wrong} has not been published.")
    corrected = errors.AttestationCorrected(f"{wrong} is corrected already.")
    with translating({"attestation_corrected_once": corrected}):
        occasion = Occasion(AttestationKind.CORRECTION, corrects=wrong, reason=reason)
        return _propose(wrong.program, occasion, None, actor=actor, at=at)


def payload_of(attestation: Attestation) -> dict[str, Any]:
    """Return all that the second person signs: the hash of the content, and what it is of."""
    return {
        "attestation": attestation.pk,
        "program": attestation.program.code,
        "sequence": attestation.sequence,
        "kind": attestation.kind,
        "correctionReason": attestation.correction_reason,
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
        StatementOvertaken: if a newer reconciliation found something worse than it says.
        SamePerson: if the person behind `actor` proposed it.
        ProposalChanged: if it is not what was proposed.
        PersonRequired: if `actor` is nobody's login.
    """
    attestation = lock(attestation_id)
    AttestationStep.REVIEW.value.check(AttestationState(attestation.state))
    content = selectors.content_of(attestation)
    if at > attestation.valid_until and not verify_offline.extends_nothing(content):
        raise errors.StatementExpired(f"{attestation} could not be relied on any more; decline it.")
    require_not_overtaken(attestation)
    proposal = approvals.confirm(
        _open_proposal(attestation), payload=payload_of(attestation), actor=actor, at=at
    )
    approval = Approval.objects.get(proposal=proposal)
    officer = _officer(actor, CONFIRM_PERMISSION, at=approval.approved_at)
    signed = canonical.to_bytes(document.complete(content, approved_by=officer))
    return take(
        AttestationStep.REVIEW,
        attestation,
        actor=actor,
        at=at,
        document=signed,
        sha256=hashlib.sha256(signed).hexdigest(),
    )


@transaction.atomic
def decline(attestation_id: UUID, *, reason: str, actor: Actor, at: datetime) -> Attestation:
    """Give a statement up before it is approved; its number is free again.

    Raises:
        IllegalTransition: if it does not wait for review.
        PersonRequired: if `actor` is nobody's login.
    """
    attestation = lock(attestation_id)
    AttestationStep.DECLINE.value.check(AttestationState(attestation.state))
    approvals.decline(_open_proposal(attestation), reason=reason, actor=actor, at=at)
    return take(AttestationStep.DECLINE, attestation, actor=actor, at=at, reason=reason)


@transaction.atomic
def withdraw(attestation_id: UUID, *, reason: str, actor: Actor, at: datetime) -> Attestation:
    """Give a statement up that waits for its signature; its number is free again.

    Whoever approved it approved nothing else, so that approval ends with it. The statement of an
    event is kept back by nobody while it can still go out. What is signed is not withdrawn: it may
    have left the house, so it is published, and corrected if it is wrong.

    Raises:
        IllegalTransition: if it does not wait for its signature.
        EventNotWithdrawn: if it says what got worse, and publishing it has not failed.
        PersonRequired: if `actor` is nobody's login.
    """
    assert reason, "doors ask for a reason"
    if actor.person is None:
        raise PersonRequired(f"{actor} is not the login of a person.")
    attestation = lock(attestation_id)
    AttestationStep.WITHDRAW.value.check(AttestationState(attestation.state))
    if attestation.kind == AttestationKind.EVENT and attestation.publishing_failed_at is None:
        raise errors.EventNotWithdrawn(f"{attestation} says what got worse, and goes out.")
    return take(AttestationStep.WITHDRAW, attestation, actor=actor, at=at, reason=reason)


def _propose(
    program: Program, occasion: Occasion, run: Run | None, *, actor: Actor, at: datetime
) -> Attestation:
    program = lock_program(program)
    if (busy := selectors.under_way(program)) is not None:
        raise errors.AttestationUnderWay(f"{busy} is under way.", attestation=str(busy.pk))
    officer = _officer(actor, PROPOSE_PERMISSION, at=at)
    attestation = freeze(
        run or reconciliation.newest_run(program),
        program=program,
        occasion=occasion,
        prepared_by=officer,
        actor=actor,
        at=at,
    )
    payload = payload_of(attestation)
    approvals.propose(action=PUBLISH, subject=attestation, payload=payload, actor=actor, at=at)
    return attestation


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


def _open_proposal(attestation: Attestation) -> UUID:
    proposal = approvals_selectors.open_proposal(attestation, PUBLISH)
    assert proposal is not None, "A frozen attestation has an open proposal."
    return proposal.pk
