"""Shutting gates, opening them again, and refusing whoever comes to a shut one."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from django.db import connection, transaction

from issuer.approvals import services as approvals
from issuer.approvals.models import Proposal
from issuer.audit import services as audit
from issuer.events import services as events
from issuer.foundation import canonical
from issuer.foundation.actors import Actor
from issuer.foundation.transactions import require_transaction
from issuer.gate import errors, selectors
from issuer.gate.models import Cause, GateState, Hold, Scope, ScopeKind
from issuer.gate.selectors import ScopeKey

RELEASE = "gate.release_hold"


@transaction.atomic
def place_hold(
    *,
    kind: ScopeKind,
    subject_id: UUID,
    effect: GateState,
    cause: Cause,
    reason: str,
    reference: UUID | None = None,
    actor: Actor,
    at: datetime,
) -> Hold:
    """Hold the gate of one program, token, network or custodian shut until the hold's release.

    Waits for approvals that are under way under this gate; none that comes later gets through.
    `reason` is public; `reference` names what caused the hold, such as a break.
    """
    assert effect != GateState.OPEN, "a hold shuts something"
    _create_missing([(kind, subject_id)])
    scope = Scope.objects.select_for_update().get(kind=kind, subject_id=subject_id)
    hold = Hold.objects.create(
        scope=scope,
        effect=effect,
        cause=cause,
        reason=reason,
        reference=reference,
        placed_by=str(actor),
        placed_at=at,
    )
    facts = {"scope": str(kind), "scope_id": str(subject_id), "effect": str(effect)}
    audit.record(
        "gate.place_hold",
        subject=hold,
        actor=actor,
        at=at,
        cause=str(cause),
        reason=reason,
        **facts,
    )
    events.record("gate.hold_placed", subject=hold, at=at, **facts)
    return hold


@transaction.atomic
def release_hold(hold_id: UUID, *, actor: Actor, at: datetime) -> Hold:
    """Release the hold of an automatic cause; other holds on the gate stay in force.

    Raises:
        ReleaseTakesTwo: if a person placed the hold; see `propose_release`.
        HoldReleased: if it was released before.
    """
    hold = _lock_in_force(hold_id)
    if hold.cause == Cause.PERSON:
        raise errors.ReleaseTakesTwo("One person proposes the release, another confirms it.")
    return _release(hold, actor=actor, at=at)


@transaction.atomic
def propose_release(hold_id: UUID, *, explanation: str, actor: Actor, at: datetime) -> Proposal:
    """Propose to release a hold, of whatever cause, and say why it may be.

    Raises:
        HoldReleased: if it was released before.
        PersonRequired: if `actor` is not a person.
        ProposalOpen: if somebody has proposed it.
    """
    assert explanation, "doors ask for an explanation"
    hold = _lock_in_force(hold_id)
    payload = _release_payload(hold, explanation)
    return approvals.propose(action=RELEASE, subject=hold, payload=payload, actor=actor, at=at)


@transaction.atomic
def confirm_release(proposal: Proposal, *, actor: Actor, at: datetime) -> Hold:
    """Confirm the proposal of another person to release a hold, and release it.

    Raises:
        HoldReleased: if it was released before.
        PersonRequired: if `actor` is not a person.
        SamePerson: if `actor` is the person who proposed it.
        ProposalNotOpen: if it was confirmed, declined or voided before.
    """
    assert proposal.action == RELEASE, "a proposal to release a hold"
    hold = _lock_in_force(proposal.subject_id)
    payload = _release_payload(hold, proposal.payload["explanation"])
    approvals.confirm(proposal.pk, payload=payload, actor=actor, at=at)
    return _release(hold, actor=actor, at=at)


def require_open(*, scopes: Sequence[ScopeKey]) -> None:
    """Refuse unless every one of `scopes` is open, and keep them so until the transaction ends.

    Gates are locked in shared mode: approvals do not wait for one another, but a hold waits for
    them, and they for it.

    Raises:
        GateClosed: if a hold is in force on any of them.
    """
    require_transaction()
    _create_missing(scopes)
    _lock_shared(scopes)
    # A statement of its own: what was committed while it waited for the locks is seen only now.
    holds = list(selectors.holds_in_force(scopes))
    if holds:
        state = selectors.tightest(GateState(hold.effect) for hold in holds)
        hold = next(hold for hold in holds if hold.effect == state)
        raise errors.GateClosed(
            f"{state.label} since {canonical.timestamp(hold.placed_at)}: {hold.reason}",
            scope=f"{hold.scope.kind}:{hold.scope.subject_id}",
            state=state.value,
            since=canonical.timestamp(hold.placed_at),
            reason=hold.reason,
        )


def _create_missing(scopes: Sequence[ScopeKey]) -> None:
    """Create the gates that nobody has asked for before; in one order, lest two wait crosswise."""
    Scope.objects.bulk_create(
        [Scope(kind=kind, subject_id=subject_id) for kind, subject_id in sorted(set(scopes))],
        ignore_conflicts=True,
    )


def _lock_shared(scopes: Sequence[ScopeKey]) -> None:
    """Lock the gates FOR SHARE, in the order of their ids; the ORM knows no such lock."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT scope.id
              FROM gate_scope AS scope
              JOIN unnest(%s::text[], %s::uuid[]) AS wanted (kind, subject_id)
             USING (kind, subject_id)
             ORDER BY scope.id
               FOR SHARE OF scope
            """,
            [[str(kind) for kind, _ in scopes], [subject_id for _, subject_id in scopes]],
        )


def _lock_in_force(hold_id: UUID) -> Hold:
    hold = Hold.objects.select_for_update(of=("self",)).select_related("scope").get(pk=hold_id)
    if hold.released_at is not None:
        released_at = canonical.timestamp(hold.released_at)
        raise errors.HoldReleased("The hold is over.", released_at=released_at)
    return hold


def _release_payload(hold: Hold, explanation: str) -> Mapping[str, str]:
    return {
        "hold": str(hold.pk),
        "scope": f"{hold.scope.kind}:{hold.scope.subject_id}",
        "effect": hold.effect,
        "reason": hold.reason,
        "explanation": explanation,
    }


def _release(hold: Hold, *, actor: Actor, at: datetime) -> Hold:
    """Release a locked hold: the only writer of `released_at`."""
    require_transaction()
    hold.released_by, hold.released_at = str(actor), at
    hold.save(update_fields=["released_by", "released_at"])
    approvals.void_open(
        subject=hold, action=RELEASE, reason="The hold is over.", actor=actor, at=at
    )
    facts = {
        "scope": hold.scope.kind,
        "scope_id": str(hold.scope.subject_id),
        "effect": hold.effect,
    }
    audit.record(RELEASE, subject=hold, actor=actor, at=at, cause=hold.cause, **facts)
    events.record("gate.hold_released", subject=hold, at=at, **facts)
    return hold
