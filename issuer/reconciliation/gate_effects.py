"""Which breaks shut which gate by themselves, how tight, and what the public reads of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from issuer.gate.models import Cause, GateState, ScopeKind
from issuer.gate.services import NewHold
from issuer.reconciliation.models import Break
from issuer.reconciliation.states import BreakCode, Severity


@dataclass(frozen=True, slots=True)
class GateEffect:
    """What a break does to a gate while it is open; `cause` says how that ends."""

    kind: ScopeKind
    effect: GateState
    cause: Cause


_HALTS_PROGRAM: Final = GateEffect(ScopeKind.PROGRAM, GateState.HALTED, Cause.BREAK)
_HALTS_TOKEN: Final = GateEffect(ScopeKind.TOKEN, GateState.HALTED, Cause.BREAK)
_LETS_REDEEM: Final = GateEffect(ScopeKind.TOKEN, GateState.REDEEM_ONLY, Cause.BREAK)
_WAITS_FOR_SOURCE: Final = GateEffect(ScopeKind.TOKEN, GateState.REDEEM_ONLY, Cause.STALE_SOURCE)

#: The other codes are worked on while minting goes on.
GATE_EFFECTS: Final[Mapping[BreakCode, GateEffect]] = {
    BreakCode.UNA_MINT: _HALTS_PROGRAM,
    BreakCode.CHN_UNK: _HALTS_PROGRAM,
    BreakCode.SUP_OVER: _HALTS_TOKEN,
    BreakCode.SUP_UNDER: _HALTS_TOKEN,
    BreakCode.CUS_SHORT: _HALTS_TOKEN,
    BreakCode.BAK_SHORT: _LETS_REDEEM,
    BreakCode.SRC_STALE: _WAITS_FOR_SOURCE,
    BreakCode.CHN_SRC: _WAITS_FOR_SOURCE,
}


def hold_for(row: Break) -> NewHold | None:
    """Return the hold that a break places when it opens, if its code and severity place one."""
    code = BreakCode(row.code)
    shut = GATE_EFFECTS.get(code)
    # A replaced signer of ours, in a role that makes no claims, is worked on like the other codes.
    if shut is None or (code == BreakCode.CHN_UNK and row.severity != Severity.CRITICAL):
        return None
    of_program = shut.kind == ScopeKind.PROGRAM
    label = f"{code.label[0].lower()}{code.label[1:]}"
    return NewHold(
        kind=shut.kind,
        subject_id=row.token.program_id if of_program else row.token_id,
        effect=shut.effect,
        cause=shut.cause,
        reason=f"{row.token.symbol}: {label} ({code.value}).",
        reference=row.pk,
    )
