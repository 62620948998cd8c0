"""How good a statement is, token by token: what decides whether people have to make the next one.

SHORT and UNKNOWN are equally bad: neither lets anybody rely on the shares being there.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from issuer.attestation.holds import TIGHTNESS, gates, holds_between
from issuer.gate.models import GateState
from issuer.instruments.models import Deployment
from issuer.reconciliation.models import Run
from issuer.reserves.cover import CoverStatus

_BADNESS: Final[Mapping[CoverStatus, int]] = {
    CoverStatus.COVERED: 0,
    CoverStatus.IN_TRANSIT: 1,
    CoverStatus.SHORT: 2,
    CoverStatus.UNKNOWN: 2,
}


@dataclass(frozen=True, slots=True)
class Standing:
    """One token: the answer, its gate on each chain, and the shares that it is SHORT by."""

    status: CoverStatus
    gates: Mapping[str, GateState]
    lacking: Decimal

    def no_better_than(self, before: "Standing") -> bool:
        """Say whether nobody who relied on `before` is told anything better."""
        return _BADNESS[self.status] >= _BADNESS[before.status] and all(
            TIGHTNESS.index(gate) >= TIGHTNESS.index(before.gates.get(chain, gate))
            for chain, gate in self.gates.items()
        )

    def worse_than(self, before: "Standing") -> bool:
        """Say whether something of it calls for a statement at once.

        That is a worse answer or a tighter gate; of what is as bad as before, another answer or
        another quantity.
        """
        badness = _BADNESS[self.status] - _BADNESS[before.status]
        tighter = any(
            TIGHTNESS.index(gate) > TIGHTNESS.index(before.gates.get(chain, gate))
            for chain, gate in self.gates.items()
        )
        if badness > 0 or tighter:
            return True
        return badness == 0 and (self.status, self.lacking) != (before.status, before.lacking)


def stated(document: Mapping[str, Any]) -> dict[str, Standing]:
    """Return how each token stands in a statement, by its symbol."""
    standings = {}
    for token in document["tokens"]:
        lines = {line["code"]: line["qty"] for line in token["reconciliation"]}
        status = CoverStatus(token["status"])
        lacking = Decimal(0)
        if status == CoverStatus.SHORT:
            lacking = -Decimal(lines["C8"]) - Decimal(lines["C6"])
        shut = {room["chain"]: GateState(room["state"]) for room in token["mint"]["headroom"]}
        standings[token["symbol"]] = Standing(status, shut, lacking)
    return standings


def found(run: Run) -> dict[str, Standing]:
    """Return how each token stands in a reconciliation, by its symbol."""
    results = list(run.results.select_related("token"))
    tokens = [result.token for result in results]
    holds = holds_between(tokens, run.as_of, run.as_of)
    deployments: dict[UUID, list[Deployment]] = defaultdict(list)
    for one in Deployment.objects.filter(token__in=tokens).select_related("network"):
        deployments[one.token_id].append(one)
    standings = {}
    for result in results:
        status = CoverStatus(result.status)
        lacking = Decimal(0)
        if status == CoverStatus.SHORT:
            assert result.surplus_shares is not None, "what is SHORT is known"
            lacking = -result.surplus_shares - (result.disclosed_shares or Decimal(0))
        shut = gates(holds.get(result.token_id, []), deployments[result.token_id])
        standings[result.token.symbol] = Standing(status, shut, lacking)
    return standings


def calls_for_statement(before: Mapping[str, Standing], now: Mapping[str, Standing]) -> bool:
    """Say whether a token that was stated before has got worse since."""
    return any(symbol in now and now[symbol].worse_than(before[symbol]) for symbol in before)


def better(before: Mapping[str, Standing], now: Mapping[str, Standing]) -> list[str]:
    """Return the tokens that are better than before, or that were not stated then or are not now.

    While there is one, it takes people to say so.
    """
    return [
        symbol
        for symbol in sorted(before.keys() | now.keys())
        if symbol not in before
        or symbol not in now
        or not now[symbol].no_better_than(before[symbol])
    ]
