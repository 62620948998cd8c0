"""Shutting gates, opening them again, and refusing whoever comes to a shut one.

Whoever writes holds locks their gates first, in the order of the gates' ids: an approval, a halt
and a resumption under one gate happen one after the other, and each sees what the one before did.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from django.db import connection, transaction
from django.db.models import QuerySet

from issuer.approvals import services as approvals
from issuer.approvals.models import Proposal
from issuer.approvals.selectors import open_proposals
from issuer.approvals.states import ProposalState
from issuer.audit import services as audit
from issuer.events import services as events
from issuer.foundation import canonical
from issuer.foundation.actors import Actor
from issuer.foundation.transactions import require_transaction
from issuer.gate import errors, selectors
from issuer.gate.models import (
    RESUMED_BY_PERSONS,
    Cause,
    GateState,
    Hold,
    Resumption,
    Scope,
    ScopeKind,
)
from issuer.gate.selectors import ScopeKey

#: What two persons agree to when they resume; the subject of the proposal is the gate.
RESUME: Final = "gate.resume"

_NOT_OPEN: Final = frozenset({GateState.REDEEM_ONLY, GateState.HALTED})
_HALTED: Final = frozenset({GateState.HALTED})


@dataclass(frozen=True, slots=True)
class NewHold:
    """A hold to be placed: on what, how tight, and why. `reason` is public."""

    kind: ScopeKind
    subject_id: UUID
    effect: GateState
    cause: Cause
    reason: str
    reference: UUID | None = None


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
    new = NewHold(kind, subject_id, effect, cause, reason, reference)
    (hold,) = place_holds([new], actor=actor, at=at)
    return hold


@transaction.atomic
def place_holds(new: Sequence[NewHold], *, actor: Actor, at: datetime) -> list[Hold]:
    """Place many holds, each as by `place_hold`, in as many statements as it takes for one."""
    assert all(one.effect != GateState.OPEN for one in new), "a hold shuts something"
    scopes = _lock([(one.kind, one.subject_id) for one in new])
    holds = Hold.objects.bulk_create(
        Hold(
            scope=scopes[one.kind, one.subject_id],
            effect=one.effect,
            cause=one.cause,
            reason=one.reason,
            reference=one.reference,
            placed_by=str(actor),
            placed_at=at,
        )
        for one in new
    )
    _void_resumptions(holds, reason="Another hold was placed.", actor=actor, at=at)
    told = [(hold, {**facts, "reason": hold.reason}) for hold, facts in _with_facts(holds)]
    audited = [(hold, {**facts, "cause": hold.cause}) for hold, facts in told]
    audit.record_each("gate.place_hold", audited, actor=actor, at=at)
    events.record_each("gate.hold_placed", told, at=at)
    return holds


@transaction.atomic
def release_hold(hold_id: UUID, *, actor: Actor, at: datetime) -> Hold:
    """Release the hold of an automatic cause; other holds on the gate stay in force.

    Raises:
        ReleaseTakesTwo: if a person placed the hold; two resume, see `resume`.
        HoldReleased: if it was released before.
    """
    hold = Hold.objects.select_related("scope").get(pk=hold_id)
    if hold.cause == Cause.PERSON:
        raise errors.ReleaseTakesTwo("One person proposes to resume, another confirms it.")
    released = _release_in_force(Hold.objects.filter(pk=hold_id), actor=actor, at=at)
    if not released:
        hold.refresh_from_db(fields=["released_at"])
        assert hold.released_at is not None, "a hold is in force or released"
        released_at = canonical.timestamp(hold.released_at)
        raise errors.HoldReleased("The hold is over.", released_at=released_at)
    return released[0]


@transaction.atomic
def release_holds(
    references: Collection[UUID], *, cause: Cause, actor: Actor, at: datetime
) -> list[Hold]:
    """Release the holds of one cause that refer to any of `references`; return which.

    Whatever else holds the same gates shut stays in force, if it refers to the same thing by
    another cause, too.
    """
    assert cause != Cause.PERSON, "two persons resume, see `resume`"
    if not references:
        return []
    holds = Hold.objects.filter(cause=cause, reference__in=references)
    return _release_in_force(holds, actor=actor, at=at)


def lock_gate(kind: ScopeKind, subject_id: UUID) -> Scope:
    """Return the gate of a subject, locked against whoever approves, halts or resumes under it."""
    require_transaction()
    return _lock([(kind, subject_id)])[kind, subject_id]


@transaction.atomic
def resume(
    scope: Scope,
    *,
    run_id: UUID,
    reconciled_as_of: datetime,
    explanation: str,
    proposal: Proposal,
    actor: Actor,
    at: datetime,
) -> Resumption:
    """End the holds of persons and breaks on a gate as two persons agreed in `proposal`.

    Called by reconciliation alone, which has seen that run `run_id`, as of `reconciled_as_of`,
    is clean. Holds of stale sources and of windows stay until their own cause ends them.

    Raises:
        NothingToResume: if no hold of a person or a break is in force.
        HoldPlacedSince: if a hold on the gate is not older than what was reconciled.
    """
    assert proposal.state == ProposalState.CONFIRMED, "two persons agreed"
    scope = lock_gate(ScopeKind(scope.kind), scope.subject_id)
    holds = list(scope.holds.filter(released_at=None).order_by("placed_at", "id"))
    ended = [hold for hold in holds if hold.cause in RESUMED_BY_PERSONS]
    if not ended:
        raise errors.NothingToResume(f"{selectors.name_of(scope)} is held by nobody's decision.")
    if holds[-1].placed_at >= reconciled_as_of:
        placed_at = canonical.timestamp(holds[-1].placed_at)
        raise errors.HoldPlacedSince(f"A hold was placed at {placed_at}.", placed_at=placed_at)
    resumption = Resumption.objects.create(
        scope=scope,
        proposal=proposal,
        run_id=run_id,
        reconciled_as_of=reconciled_as_of,
        explanation=explanation,
        proposed_by=proposal.proposer,
        confirmed_by=proposal.approval.approver,
        resumed_at=at,
    )
    _release(ended, resumption=resumption, actor=actor, at=at)
    key = (ScopeKind(scope.kind), scope.subject_id)
    facts = {
        "scope": scope.kind,
        "scope_id": str(scope.subject_id),
        "scope_name": selectors.scope_names([key])[key],
        "state": selectors.state_of([key]).value,
        "explanation": explanation,
    }
    audit.record(RESUME, subject=resumption, actor=actor, at=at, run=str(run_id), **facts)
    events.record("gate.resumed", subject=resumption, at=at, **facts)
    return resumption


def require_open(*, scopes: Sequence[ScopeKey]) -> None:
    """Refuse unless every one of `scopes` is open, and keep them so until the transaction ends.

    Gates are locked in shared mode: approvals do not wait for one another, but a hold waits for
    them, and they for it.

    Raises:
        GateClosed: if a hold is in force on any of them.
    """
    _require_none(_NOT_OPEN, scopes)


def require_redeemable(*, scopes: Sequence[ScopeKey]) -> None:
    """Refuse if any of `scopes` is halted, and keep it so until the transaction ends.

    Locks as `require_open`; a gate that is open for redemption only lets redemptions through.

    Raises:
        GateClosed: if a hold that halts is in force on any of them.
    """
    _require_none(_HALTED, scopes)


def _require_none(effects: Collection[GateState], scopes: Sequence[ScopeKey]) -> None:
    require_transaction()
    _create_missing(scopes)
    _lock_shared(scopes)
    # A statement of its own: what was committed while it waited for the locks is seen only now.
    holds = list(selectors.holds_in_force(scopes).filter(effect__in=effects))
    if not holds:
        return
    state = selectors.tightest(GateState(hold.effect) for hold in holds)
    hold = next(hold for hold in holds if hold.effect == state)
    kind, since = ScopeKind(hold.scope.kind), canonical.timestamp(hold.placed_at)
    key = (kind, hold.scope.subject_id)
    name = selectors.scope_names([key])[key]
    raise errors.GateClosed(
        f"{kind.label} {name}: {state.label.lower()} since {since}. {hold.reason}",
        scope=kind.value,
        scope_id=str(hold.scope.subject_id),
        scope_name=name,
        state=state.value,
        since=since,
        reason=hold.reason,
    )


def _create_missing(scopes: Iterable[ScopeKey]) -> None:
    """Create the gates that nobody has asked for before; in one order, lest two wait crosswise."""
    Scope.objects.bulk_create(
        [Scope(kind=kind, subject_id=subject_id) for kind, subject_id in sorted(set(scopes))],
        ignore_conflicts=True,
    )


def _lock(scopes: Collection[ScopeKey]) -> dict[ScopeKey, Scope]:
    """Lock gates against everybody else, in the order of their ids."""
    _create_missing(scopes)
    wanted = Scope.objects.filter(subject_id__in={subject_id for _, subject_id in scopes})
    locked = wanted.select_for_update().order_by("pk")
    return {(ScopeKind(scope.kind), scope.subject_id): scope for scope in locked}


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


def _release_in_force(rows: QuerySet[Hold], *, actor: Actor, at: datetime) -> list[Hold]:
    """Lock the gates of those of `rows` that are in force, and release them."""
    in_force = rows.filter(released_at=None).select_related("scope").order_by("id")
    keys = {(ScopeKind(hold.scope.kind), hold.scope.subject_id) for hold in in_force}
    if not keys:
        return []
    _lock(keys)
    # Asked again: somebody may have released them while we waited for their gates.
    holds = list(in_force.all())
    _release(holds, resumption=None, actor=actor, at=at)
    return holds


def _release(
    holds: Sequence[Hold], *, resumption: Resumption | None, actor: Actor, at: datetime
) -> None:
    """Release holds behind the locks of their gates: the only writer of `released_at`."""
    require_transaction()
    for hold in holds:
        hold.released_by, hold.released_at, hold.resumption = str(actor), at, resumption
    Hold.objects.filter(pk__in=[hold.pk for hold in holds]).update(
        released_by=str(actor), released_at=at, resumption=resumption
    )
    if resumption is None:
        _void_resumptions(holds, reason="A hold is over by itself.", actor=actor, at=at)
    told = list(_with_facts(holds))
    audited = [(hold, {**facts, "cause": hold.cause}) for hold, facts in told]
    audit.record_each("gate.release_hold", audited, actor=actor, at=at)
    events.record_each("gate.hold_released", told, at=at)


def _void_resumptions(holds: Iterable[Hold], *, reason: str, actor: Actor, at: datetime) -> None:
    """Void what is proposed for the gates of `holds`: it named the holds that it would end."""
    proposed = set(
        open_proposals()
        .filter(action=RESUME, subject_type=Scope._meta.label_lower)
        .values_list("subject_id", flat=True)
    )
    scopes = {
        hold.scope_id: hold.scope
        for hold in holds
        if hold.cause in RESUMED_BY_PERSONS and hold.scope_id in proposed
    }
    for _, scope in sorted(scopes.items()):
        approvals.void_open(subject=scope, action=RESUME, reason=reason, actor=actor, at=at)


def _with_facts(holds: Sequence[Hold]) -> Iterator[tuple[Hold, dict[str, str]]]:
    """Yield each hold with what the trail and others are told of it."""
    keys = {hold: (ScopeKind(hold.scope.kind), hold.scope.subject_id) for hold in holds}
    names = selectors.scope_names(keys.values())
    for hold, (kind, subject_id) in keys.items():
        yield (
            hold,
            {
                "scope": kind.value,
                "scope_id": str(subject_id),
                "scope_name": names[kind, subject_id],
                "effect": hold.effect,
            },
        )
