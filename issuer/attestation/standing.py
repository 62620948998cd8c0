"""How each token stands in a statement: what goes out by itself, and what takes people."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from issuer.attestation.holds import TIGHTNESS, gates
from issuer.attestation.package import verify_offline
from issuer.gate.models import GateState
from issuer.instruments.models import Deployment
from issuer.reconciliation.models import Run
from issuer.reserves.cover import SEVERITY, CoverStatus
from issuer.reserves.gates import holds_between


@dataclass(frozen=True, slots=True)
class Standing:
    """One token: the answer, its gate on each chain, and the shares that it is SHORT by."""

    status: CoverStatus
    gates: Mapping[str, GateState]
    lacking: Decimal

    @property
    def answer(self) -> tuple[int, Decimal]:
        """Where the answer stands between best and worst; SHORT by more is worse."""
        return SEVERITY.index(self.status), self.lacking

    def worse_than(self, before: "Standing") -> bool:
        """Say whether something of it calls for a statement at once: the answer, or any gate."""
        return self.answer > before.answer or any(
            TIGHTNESS.index(gate) > TIGHTNESS.index(before.gates.get(chain, gate))
            for chain, gate in self.gates.items()
        )

    def takes_people(self, before: "Standing") -> bool:
        """Say whether two persons have to state it after `before`, because it is better.

        A worse answer never waits for them, whatever has become of the gates.
        """
        if self.answer != before.answer:
            return self.answer < before.answer
        return any(
            TIGHTNESS.index(gate) < TIGHTNESS.index(before.gates.get(chain, gate))
            for chain, gate in self.gates.items()
        )


def stated(document: Mapping[str, Any]) -> dict[str, Standing]:
    """Return how each token stands in a statement, by its symbol; some as an earlier one said."""
    return {
        symbol: Standing(
            status=CoverStatus(entry["status"]),
            gates={room["chain"]: GateState(room["state"]) for room in entry["mint"]["headroom"]},
            lacking=Decimal(entry["lackingShares"] or 0),
        )
        for symbol, entry in verify_offline.last_stated(document).items()
    }


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
