"""Statements that are made and published by themselves, because something got worse."""

import hashlib
from datetime import datetime

from django.db import transaction

from issuer.approvals import services as approvals
from issuer.attestation import document, errors, selectors, standing
from issuer.attestation.document import Occasion, Officer
from issuer.attestation.models import Attestation
from issuer.attestation.services._freezing import freeze, lock_program
from issuer.attestation.services._statements import PUBLISH
from issuer.attestation.services._steps import lock, take
from issuer.attestation.states import AttestationKind, AttestationState, AttestationStep
from issuer.foundation import canonical
from issuer.foundation.actors import Actor
from issuer.parties.models import Program
from issuer.reconciliation import selectors as reconciliation


@transaction.atomic
def attest_event(program: Program, *, actor: Actor, at: datetime) -> Attestation | None:
    """State what the newest reconciliation found, if it is worse than what is stated now.

    It then waits for its signature, without anybody's approval. A statement that waits for review
    is declined and gives its number back; one that waits for its signature goes first. Returns
    None if there is nothing to state, or nothing yet.

    Raises:
        EventTakesPeople: if some token has got worse and another one better.
        StatementInconsistent: if the figures do not follow from one another.
    """
    program = lock_program(program)
    current, run = selectors.current(program), reconciliation.newest_run(program)
    if current is None or run is None or run.as_of <= current.as_of:
        return None
    before = standing.stated(selectors.content_of(current))
    now = {symbol: one for symbol, one in standing.found(run).items() if symbol in before}
    if not standing.calls_for_statement(before, now):
        return None
    if better := standing.better(before, now):
        tokens = ", ".join(better)
        detail = f"{tokens} would be better than in {current}; two persons have to say so."
        raise errors.EventTakesPeople(detail, tokens=tokens)
    busy = selectors.under_way(program)
    if busy is not None and not _declined(busy, actor=actor, at=at):
        return None
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


def _declined(busy: Attestation, *, actor: Actor, at: datetime) -> bool:
    """Decline a statement under way if nobody has approved it yet, and say whether that was so."""
    attestation = lock(busy.pk)
    if attestation.state != AttestationState.FROZEN:
        return False
    reason = "Something got worse, which has to be stated first."
    approvals.void_open(subject=attestation, action=PUBLISH, reason=reason, actor=actor, at=at)
    take(AttestationStep.DECLINE, attestation, actor=actor, at=at)
    return True
