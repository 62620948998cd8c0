"""Statements that are made and published by themselves, because something got worse."""

import hashlib
from datetime import datetime

from django.db import transaction

from issuer.approvals import services as approvals
from issuer.attestation import document, selectors, standing
from issuer.attestation.document import Occasion, Officer
from issuer.attestation.models import Attestation
from issuer.attestation.services._freezing import freeze, lock_program
from issuer.attestation.services._overtaking import decline_overtaken
from issuer.attestation.services._statements import PUBLISH
from issuer.attestation.services._steps import lock, take
from issuer.attestation.states import AttestationKind, AttestationState, AttestationStep
from issuer.audit import services as audit
from issuer.events import services as events
from issuer.events.models import Event
from issuer.foundation import canonical
from issuer.foundation.actors import Actor
from issuer.foundation.errors import DomainError
from issuer.parties.models import Program
from issuer.reconciliation import selectors as reconciliation

#: What staff are told of if an event could not be stated.
WITHHELD = "attestation.withheld"


@transaction.atomic
def attest_event(program: Program, *, actor: Actor, at: datetime) -> Attestation | None:
    """State what the newest reconciliation found, if it is worse than what is stated now.

    It then waits for its signature, without anybody's approval. What is better than last stated
    is carried as that, and takes two persons to be stated anew. A statement that waits for review
    is declined and gives its number back, and so is one that waits for its signature if it is too
    good by now; else that one goes first. An event is never too good, unless publishing it has
    failed. Returns None if there is nothing to state, or nothing yet.

    Raises:
        StatementInconsistent: if the figures do not follow from one another, or from the last
            statement.
    """
    program = lock_program(program)
    # Nothing is begun while the program is locked, so nothing is published either from here on.
    busy = selectors.under_way(program)
    if busy is not None and decline_overtaken(busy.pk, actor=actor, at=at):
        busy = None
    if busy is not None and (busy := lock(busy.pk)).state != AttestationState.FROZEN:
        return None
    current, run = selectors.current(program), reconciliation.newest_run(program)
    if current is None or run is None or not selectors.may_follow(run.as_of, current):
        return None
    before, now = standing.stated(selectors.content_of(current)), standing.found(run)
    if not standing.calls_for_statement(before, now):
        return None
    if busy is not None:
        _decline(busy, actor=actor, at=at)
    attestation = freeze(
        run,
        program=program,
        occasion=Occasion(AttestationKind.EVENT),
        prepared_by=Officer(role="System", ref=actor.name, at=at),
        actor=actor,
        at=at,
    )
    complete = document.complete(selectors.content_of(attestation), approved_by=None)
    content = canonical.to_bytes(complete)
    return take(
        AttestationStep.ADMIT,
        attestation,
        actor=actor,
        at=at,
        document=content,
        sha256=hashlib.sha256(content).hexdigest(),
    )


@transaction.atomic
def record_withheld(program: Program, refusal: DomainError, *, actor: Actor, at: datetime) -> bool:
    """Tell staff that what got worse could not be stated, and why.

    Once for each kind of refusal until another statement of the program is out, however often it
    is tried. Returns whether they were told now.
    """
    program = lock_program(program)
    current = selectors.current(program)
    facts = {
        "program": program.code,
        "after": "0" if current is None else str(current.sequence),
        "code": refusal.code,
    }
    told = Event.objects.filter(type=WITHHELD, subject_id=program.pk, data__contains=facts)
    if told.exists():
        return False
    facts["reason"] = refusal.detail
    audit.record(WITHHELD, subject=program, actor=actor, at=at, **facts)
    events.record(WITHHELD, subject=program, at=at, **facts)
    return True


def _decline(frozen: Attestation, *, actor: Actor, at: datetime) -> None:
    """Decline a statement that nobody has approved yet."""
    reason = "Something got worse, which has to be stated first."
    approvals.void_open(subject=frozen, action=PUBLISH, reason=reason, actor=actor, at=at)
    take(AttestationStep.DECLINE, frozen, actor=actor, at=at, reason=reason)
