"""A split whose time passes while one chain does not follow."""

from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from issuer.chain import services as chain
from issuer.chain.states import IntentState
from issuer.corporate_actions import selectors, tasks
from issuer.corporate_actions.models import StockSplit
from issuer.corporate_actions.states import SplitState
from issuer.foundation.actors import Actor
from issuer.gate.models import Cause, GateState, Hold
from issuer.reconciliation.models import Break
from issuer.reconciliation.states import BreakCode, BreakState
from issuer.reserves import selectors as reserves_of
from tests.corporate_actions.backed import Backed
from tests.make import chain_acts, reconciliation
from tests.make import corporate_actions as make

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)


@pytest.fixture
def stock_split(backed: Backed, at: datetime) -> StockSplit:
    return make.stock_split(token_=backed.token, at=at)


class TestAChainThatWasNotTold:
    """Telling the second chain fails, and the time of the split passes."""

    def test_is_named_by_a_break_and_keeps_the_gate_shut_until_it_follows(
        self, stock_split: StockSplit, backed: Backed, staff: Actor, system: Actor, at: datetime
    ) -> None:
        first, second = backed.deployments
        make.confirmed(stock_split, at=at)
        for act in selectors.acts(stock_split):
            chain_acts.sign(act, at=at)
            if act.network == first.network:
                chain_acts.finalize(act)
                chain.complete_act(act.pk, actor=system, at=at)
            else:
                chain_acts.end(act, IntentState.REVERTED)
                chain.fail_act(act.pk, reason="Reverted.", actor=system, at=at)
        backed.read_chains(at=at + HOUR)
        make.lagging(second, at=at + HOUR)

        tasks._advance(stock_split.pk, actor=system, at=at + HOUR)
        run = reconciliation.run(backed.token.program, at=at + HOUR + SECOND)

        stock_split.refresh_from_db()
        assert (stock_split.state, stock_split.trouble) == (SplitState.EFFECTIVE, "")
        window = Hold.objects.get(cause=Cause.WINDOW)
        assert (window.released_at, window.effect) == (None, GateState.HALTED)
        found = Break.objects.get(code=BreakCode.CHN_SRC, opened_run=run)
        assert (found.token, found.subject) == (backed.token, second.network.caip2)
        assert found.detail == (f"The multiplier of {second} is 1 on chain and 4 in the books.")
        assert reserves_of.cover_of(backed.token, at=at + HOUR).held == 2408
        # Two persons repeat what failed; a final block shows it.
        make.chain_act(second, Decimal(4), at + 2 * HOUR, actor=staff, at=at + HOUR)
        make.ahead(second, tokens=100, at=at + 2 * HOUR)

        tasks._advance(stock_split.pk, actor=system, at=at + 2 * HOUR)
        reconciliation.run(backed.token.program, at=at + 2 * HOUR)

        window.refresh_from_db()
        found.refresh_from_db()
        assert window.released_at == at + 2 * HOUR
        assert found.state == BreakState.CLEARED
