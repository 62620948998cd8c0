"""Gates as staff read them: what holds each, who placed it, and what is in the way of going on."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from issuer.approvals.models import Proposal
from issuer.approvals.selectors import open_proposals
from issuer.gate import selectors as gates
from issuer.gate.models import RESUMED_BY_PERSONS, GateState, Hold, Scope, ScopeKind
from issuer.gate.services import RESUME
from issuer.people.actors import names_of
from issuer.reconciliation import selectors
from issuer.reconciliation.clean import what_is_unclean
from issuer.reconciliation.models import Break


@dataclass(frozen=True, slots=True)
class HoldToday:
    """A hold in force, by whom, and the break behind it, if it is one."""

    hold: Hold
    placed_by: str
    found: Break | None

    @property
    def ends_by_persons(self) -> bool:
        """Whether two persons end it; the others end by their own cause alone."""
        return self.hold.cause in RESUMED_BY_PERSONS


@dataclass(frozen=True, slots=True)
class GateToday:
    """A gate now: its state, the oldest hold first, and what is proposed."""

    scope: Scope
    name: str
    state: GateState
    holds: tuple[HoldToday, ...]
    proposal: Proposal | None

    @property
    def since(self) -> datetime | None:
        """Since when it has not been open; None if it is."""
        return min((one.hold.placed_at for one in self.holds), default=None)


def gates_today(scopes: Iterable[Scope]) -> list[GateToday]:
    """Return how `scopes` stand, the tightest and of those the longest shut first."""
    by_id = {scope.pk: scope for scope in scopes}
    holds: dict[UUID, list[Hold]] = defaultdict(list)
    in_force = Hold.objects.filter(scope__in=by_id, released_at=None)
    for hold in in_force.order_by("placed_at", "id"):
        holds[hold.scope_id].append(hold)
    found = _breaks_behind(in_force)
    actors = names_of({hold.placed_by for listed in holds.values() for hold in listed})
    names = gates.scope_names(_key(scope) for scope in by_id.values())
    proposed = {
        proposal.subject_id: proposal
        for proposal in open_proposals().filter(action=RESUME, subject_id__in=by_id)
    }
    standing = [
        GateToday(
            scope=scope,
            name=f"{ScopeKind(scope.kind).label} {names[_key(scope)]}",
            state=gates.tightest(GateState(hold.effect) for hold in holds[key]),
            holds=tuple(
                HoldToday(hold, actors[hold.placed_by], _behind(hold, found)) for hold in holds[key]
            ),
            proposal=proposed.get(key),
        )
        for key, scope in by_id.items()
    ]
    tightest_first = list(reversed(GateState))
    return sorted(
        standing,
        key=lambda gate: (
            tightest_first.index(gate.state),
            gate.holds[0].hold.placed_at.timestamp() if gate.holds else 0,
        ),
    )


def in_the_way(scope: Scope) -> list[str]:
    """Return why two persons could not resume now; nothing of a gate that they cannot open."""
    holds = list(scope.holds.filter(released_at=None).order_by("placed_at", "id"))
    if not any(hold.cause in RESUMED_BY_PERSONS for hold in holds):
        return []
    runs = selectors.newest_runs(selectors.programs_under(scope))
    return what_is_unclean(scope, runs, since=holds[-1].placed_at)


def _key(scope: Scope) -> gates.ScopeKey:
    return ScopeKind(scope.kind), scope.subject_id


def _breaks_behind(holds: Iterable[Hold]) -> Mapping[UUID, Break]:
    references = [hold.reference for hold in holds if hold.reference is not None]
    return Break.objects.select_related("token").in_bulk(references)


def _behind(hold: Hold, found: Mapping[UUID, Break]) -> Break | None:
    return None if hold.reference is None else found.get(hold.reference)
