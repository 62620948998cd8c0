"""Freezing a statement: from now on, what it says never changes."""

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from issuer.attestation import document, errors, packaging, selectors
from issuer.attestation.document import Occasion, Officer
from issuer.attestation.models import Attestation
from issuer.attestation.package import verify_offline
from issuer.attestation.services._steps import require_passed
from issuer.attestation.states import AttestationKind
from issuer.audit import services as audit
from issuer.foundation import canonical
from issuer.foundation.actors import Actor
from issuer.foundation.transactions import require_transaction
from issuer.parties.models import Program
from issuer.reconciliation.models import Run


def lock_program(program: Program) -> Program:
    """Return `program`, locked: two who begin a statement at once would take the same number."""
    require_transaction()
    return Program.objects.select_for_update(of=("self",)).get(pk=program.pk)


def freeze(
    run: Run | None,
    *,
    program: Program,
    occasion: Occasion,
    prepared_by: Officer,
    actor: Actor,
    at: datetime,
) -> Attestation:
    """Write the next statement of a locked program from `run`, to wait until it may be signed.

    Raises:
        NothingToAttest: if there is no such reconciliation, or no published criteria.
        RunNotNewest: if the last statement was made from this reconciliation, from a later one, or
            as of the same second, in which documents count.
        StatementInconsistent: if the figures do not follow from one another, or from the last
            statement.
    """
    require_transaction()
    if run is None or run.program_id != program.pk:
        raise errors.NothingToAttest(f"{program} has no such reconciliation.")
    previous = selectors.current(program)
    if previous is not None and not selectors.may_follow(run.as_of, previous):
        raise errors.RunNotNewest(f"{previous} was made from a reconciliation as of then or later.")
    built = document.build(run, previous=previous, occasion=occasion, prepared_by=prepared_by)
    content_bytes = canonical.to_bytes(built)
    content = json.loads(content_bytes)
    _require_consistent(content, previous=previous, at=at)
    attestation = Attestation.objects.create(
        program=program,
        run=run,
        sequence=content["sequence"],
        kind=occasion.kind,
        content=content_bytes,
        content_sha256=hashlib.sha256(content_bytes).hexdigest(),
        previous=previous,
        corrects=occasion.corrects,
        correction_reason=occasion.reason,
        status=content["status"],
        as_of=run.as_of,
        # The document counts in whole seconds, and may end in the one of its cut-off.
        valid_until=max(datetime.fromisoformat(content["validUntil"]), run.as_of),
        frozen_at=at,
    )
    audit.record(
        "attestation.propose",
        subject=attestation,
        actor=actor,
        at=at,
        content_sha256=attestation.content_sha256,
        kind=attestation.kind,
        status=attestation.status,
    )
    return attestation


def _require_consistent(
    content: Mapping[str, Any], *, previous: Attestation | None, at: datetime
) -> None:
    """Run the checker over a statement that nobody has approved yet, and the one before it.

    What it finds only once the statement is to be signed would hold up every later one.

    Raises:
        StatementInconsistent: if it finds anything.
    """
    stand_in = Officer(role="Nobody", ref="nobody", at=at)
    unattended = content["kind"] == AttestationKind.EVENT
    trial = document.complete(content, approved_by=None if unattended else stand_in)
    report = verify_offline.Report()
    verify_offline.check_shape(trial, packaging.enclosed(verify_offline.SCHEMA), report)
    require_passed(report)
    verify_offline.check_times(trial, report)
    verify_offline.check_document(trial, report)
    before = None if previous is None else selectors.package_files(previous)
    verify_offline.check_sequence(trial, before, selectors.published_keys(), report)
    require_passed(report)
