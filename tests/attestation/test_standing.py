"""What goes out by itself, whatever is found in whatever order."""

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from issuer.attestation import standing
from issuer.attestation.holds import TIGHTNESS
from issuer.attestation.standing import Standing
from issuer.gate.models import GateState
from issuer.gate.selectors import tightest
from issuer.reserves.cover import CoverStatus

CHAINS = ("eip155:1", "eip155:2")
TOKENS = ("AAPLx", "NVDAx")


def stand(status: str, lacking: int = 0, *gates: str) -> Standing:
    shut = dict(zip(CHAINS, map(GateState, gates), strict=False))
    return Standing(CoverStatus(status), shut, Decimal(lacking))


@st.composite
def standings(draw: st.DrawFn) -> Standing:
    status = draw(st.sampled_from(CoverStatus.values))
    lacking = draw(st.integers(1, 3)) if status == "SHORT" else 0
    return stand(status, lacking, *(draw(st.sampled_from(TIGHTNESS)) for _ in CHAINS))


FINDINGS = st.fixed_dictionaries(dict.fromkeys(TOKENS, standings()))


def stated_after(before: dict[str, Standing], now: dict[str, Standing]) -> dict[str, Standing]:
    """Return what is stated once it is known how tokens stand now, as an event states it."""
    if not standing.calls_for_statement(before, now):
        return before
    return {
        symbol: replace(
            last if now[symbol].takes_people(last) else now[symbol],
            gates={
                chain: tightest([gate, last.gates[chain]])
                for chain, gate in now[symbol].gates.items()
            },
        )
        for symbol, last in before.items()
    }


class TestStanding:
    @pytest.mark.parametrize(
        ("before", "now"),
        [
            (stand("COVERED"), stand("IN_TRANSIT")),
            (stand("IN_TRANSIT"), stand("UNKNOWN")),
            (stand("COVERED"), stand("UNKNOWN")),
            (stand("UNKNOWN"), stand("SHORT", 3)),
            (stand("SHORT", 3), stand("SHORT", 5)),
            (stand("COVERED", 0, "OPEN", "OPEN"), stand("COVERED", 0, "OPEN", "REDEEM_ONLY")),
        ],
    )
    def test_is_stated_by_itself_when_worse(self, before: Standing, now: Standing) -> None:
        assert now.worse_than(before)
        assert not now.takes_people(before)
        assert not before.worse_than(now)
        assert before.takes_people(now)

    def test_that_is_the_same_calls_for_nothing(self) -> None:
        one = stand("SHORT", 3, "OPEN", "HALTED")

        assert not one.worse_than(one)
        assert not one.takes_people(one)

    def test_whose_answer_is_worse_never_waits_for_people(self) -> None:
        assert not stand("SHORT", 1, "OPEN").takes_people(stand("COVERED", 0, "HALTED"))

    def test_does_not_compare_the_gate_of_a_chain_that_is_new(self) -> None:
        assert not stand("COVERED", 0, "OPEN", "HALTED").worse_than(stand("COVERED", 0, "OPEN"))


class TestCallsForStatement:
    @given(FINDINGS, st.lists(FINDINGS, max_size=12))
    def test_states_every_worsening_at_once_and_nothing_better(
        self, stated: dict[str, Standing], findings: list[dict[str, Standing]]
    ) -> None:
        for now in findings:
            before, stated = stated, stated_after(stated, now)
            for symbol in TOKENS:
                assert not now[symbol].worse_than(stated[symbol])
                assert stated[symbol].answer >= before[symbol].answer
                assert not before[symbol].worse_than(stated[symbol])

    @given(FINDINGS, st.lists(FINDINGS, min_size=1, max_size=4))
    def test_comes_to_rest_however_often_the_same_is_found(
        self, stated: dict[str, Standing], findings: list[dict[str, Standing]]
    ) -> None:
        for now in findings:
            stated = stated_after(stated, now)

        rest = stated
        for now in findings * 3:
            stated = stated_after(stated, now)

        # One round may still tell what the first one carried; after it, nothing is news.
        assert all(not standing.calls_for_statement(stated, now) for now in findings)
        assert {symbol: one.answer for symbol, one in stated.items()} == {
            symbol: max(rest[symbol].answer, *(now[symbol].answer for now in findings))
            for symbol in TOKENS
        }
