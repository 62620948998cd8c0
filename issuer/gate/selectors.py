"""Questions about gates."""

from collections.abc import Iterable, Sequence
from typing import Final, TypeAlias
from uuid import UUID

from django.db.models import Q, QuerySet

from issuer.gate.models import GateState, Hold, ScopeKind

#: A program, token, network or custodian, and its id.
ScopeKey: TypeAlias = tuple[ScopeKind, UUID]

_FROM_OPEN_TO_SHUT: Final = (GateState.OPEN, GateState.REDEEM_ONLY, GateState.HALTED)


def state_of(scopes: Sequence[ScopeKey]) -> GateState:
    """Return how far all of `scopes` together are open: the tightest hold in force decides."""
    effects = holds_in_force(scopes).order_by().values_list("effect", flat=True)
    return tightest(GateState(effect) for effect in effects.distinct())


def holds_in_force(scopes: Sequence[ScopeKey]) -> QuerySet[Hold]:
    """Return the holds on any of `scopes` that nobody has released, oldest first."""
    assert scopes, "a gate of nothing would always be open"
    on_any = Q()
    for kind, subject_id in scopes:
        on_any |= Q(scope__kind=kind, scope__subject_id=subject_id)
    holds = Hold.objects.filter(on_any, released_at=None).select_related("scope")
    return holds.order_by("placed_at", "id")


def tightest(effects: Iterable[GateState]) -> GateState:
    """Return the effect that is furthest from open; open if there are none."""
    return max(effects, key=_FROM_OPEN_TO_SHUT.index, default=GateState.OPEN)
