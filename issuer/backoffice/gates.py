"""What holds which gate shut, by the names that staff know, and when that is an alarm."""

from collections.abc import Iterable
from dataclasses import dataclass

from issuer.gate.models import GateState, Hold, ScopeKind
from issuer.gate.selectors import scope_names
from issuer.reserves.cover import CoverStatus


@dataclass(frozen=True, slots=True)
class NamedHold:
    """A hold, and the name of what it shuts."""

    hold: Hold
    scope_name: str


def is_alarming(status: CoverStatus, gate: GateState) -> bool:
    """Say whether staff have to be told before anything else: short, not known, or halted."""
    return status in {CoverStatus.SHORT, CoverStatus.UNKNOWN} or gate == GateState.HALTED


def named(holds: Iterable[Hold]) -> list[NamedHold]:
    """Return `holds` with the names of what they shut, by as many queries for one as for all."""
    keyed = [((ScopeKind(hold.scope.kind), hold.scope.subject_id), hold) for hold in holds]
    names = scope_names(key for key, _ in keyed)
    return [NamedHold(hold, names[key]) for key, hold in keyed]
