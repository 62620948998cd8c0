"""How far the holds on a token shut its minting on each chain."""

from collections.abc import Iterable
from typing import Final

from issuer.gate.models import GateState, Hold, ScopeKind
from issuer.gate.selectors import tightest
from issuer.instruments.models import Deployment

#: From open to shut.
TIGHTNESS: Final = (GateState.OPEN, GateState.REDEEM_ONLY, GateState.HALTED)


def gates(holds: Iterable[Hold], deployments: Iterable[Deployment]) -> dict[str, GateState]:
    """Return how far a token may be minted on each of its chains, by CAIP-2; `holds` are its own.

    A hold on a network shuts that one, and any other all of them.
    """
    holds = list(holds)
    return {
        one.network.caip2: tightest(
            GateState(hold.effect)
            for hold in holds
            if hold.scope.kind != ScopeKind.NETWORK or hold.scope.subject_id == one.network_id
        )
        for one in deployments
    }
