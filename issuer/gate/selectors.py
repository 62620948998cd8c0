"""Questions about gates."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, TypeAlias
from uuid import UUID

from django.db.models import OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce

from issuer.gate.models import GateState, Hold, Scope, ScopeKind
from issuer.instruments.models import Network, Token
from issuer.parties.models import Custodian, Program

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


def scope_names(scopes: Iterable[ScopeKey]) -> Mapping[ScopeKey, str]:
    """Return what people call each of `scopes`: a symbol, or a name; its id if there is no such."""
    wanted: dict[ScopeKind, set[UUID]] = defaultdict(set)
    for kind, subject_id in scopes:
        wanted[kind].add(subject_id)
    found: dict[ScopeKind, Mapping[UUID, str]] = {}
    for kind, ids in wanted.items():
        match kind:
            case ScopeKind.PROGRAM:
                found[kind] = dict(Program.objects.filter(pk__in=ids).values_list("pk", "name"))
            case ScopeKind.TOKEN:
                found[kind] = dict(Token.objects.filter(pk__in=ids).values_list("pk", "symbol"))
            case ScopeKind.NETWORK:
                found[kind] = dict(Network.objects.filter(pk__in=ids).values_list("pk", "name"))
            case ScopeKind.CUSTODIAN:
                custodians = Custodian.objects.filter(pk__in=ids)
                found[kind] = dict(custodians.values_list("pk", "entity__name"))
    return {
        (kind, subject_id): found[kind].get(subject_id, str(subject_id))
        for kind, ids in wanted.items()
        for subject_id in ids
    }


def subject_name(column: str) -> Coalesce:
    """Return, for a query, what people call the subject whose id stands in `column`."""
    return Coalesce(
        *(
            Subquery(subjects.filter(pk=OuterRef(column)).order_by().values(name)[:1])
            for subjects, name in (
                (Program.objects.all(), "name"),
                (Token.objects.all(), "symbol"),
                (Network.objects.all(), "name"),
                (Custodian.objects.all(), "entity__name"),
            )
        )
    )


def name_of(scope: Scope) -> str:
    """Return what people call the subject of a gate, and its kind, as in: Token AAPLx."""
    kind = ScopeKind(scope.kind)
    return f"{kind.label} {scope_names([(kind, scope.subject_id)])[kind, scope.subject_id]}"


def tightest(effects: Iterable[GateState]) -> GateState:
    """Return the effect that is furthest from open; open if there are none."""
    return max(effects, key=_FROM_OPEN_TO_SHUT.index, default=GateState.OPEN)
