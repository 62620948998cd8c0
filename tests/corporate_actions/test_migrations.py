"""Splits of before a cancellation was followed to its end, brought to where they stand."""

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from issuer.chain.states import ActState
from issuer.corporate_actions import selectors
from issuer.corporate_actions.models import StockSplit
from issuer.corporate_actions.states import ActPurpose, SplitState
from issuer.foundation.actors import Actor
from issuer.instruments.selectors import multiplier_at
from tests.corporate_actions.backed import Backed, backed_at
from tests.make import corporate_actions as make

pytestmark = pytest.mark.django_db(transaction=True)

FIRST = ("corporate_actions", "0001_initial")
MENDED = ("corporate_actions", "0002_end_a_split_called_off_once_every_chain_knows")
HOUR = timedelta(hours=1)


def migrate(target: tuple[str, str]) -> None:
    MigrationExecutor(connection).migrate([target])


@pytest.fixture(autouse=True)
def _as_it_is_now(request: pytest.FixtureRequest) -> Iterator[None]:
    """Leave the tables as every other test expects them, whatever became of the rows."""
    request.getfixturevalue("transactional_db")
    yield
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE corporate_actions_stocksplit CASCADE")
    executor = MigrationExecutor(connection)
    executor.migrate(
        [node for node in executor.loader.graph.leaf_nodes() if node[0] == "corporate_actions"]
    )


def called_off(backed: Backed, *withdrawals: ActState, at: datetime) -> StockSplit:
    """Return a split that was called off, and ended at once as it used to be.

    `withdrawals` are how it stands with telling each chain.
    """
    stock_split = make.stock_split(token_=backed.token, at=at)
    make.scheduled(stock_split, at=at)
    make.canceled(stock_split, at=at)
    acts = selectors.acts(stock_split, ActPurpose.WITHDRAW)
    for act, state in zip(acts, withdrawals, strict=True):
        why = "Reverted." if state == ActState.FAILED else ""
        selectors.acts(stock_split).filter(pk=act.pk).update(state=state, stopped_reason=why)
    StockSplit.objects.filter(pk=stock_split.pk).update(state=SplitState.CANCELLED)
    return stock_split


def state_of(stock_split: StockSplit) -> str:
    return StockSplit.objects.get(pk=stock_split.pk).state


class TestEndASplitCalledOffOnceEveryChainKnows:
    def test_goes_on_with_what_a_chain_was_not_told(self, at: datetime) -> None:
        failed = called_off(backed_at(at), ActState.DONE, ActState.FAILED, at=at)
        on_its_way = called_off(backed_at(at), ActState.SENT, ActState.DONE, at=at)
        over = called_off(backed_at(at), ActState.DONE, ActState.DONE, at=at)
        told = set(selectors.acts(failed).values_list("part_of_id", flat=True))

        migrate(FIRST)
        migrate(MENDED)

        assert state_of(failed) == state_of(on_its_way) == SplitState.CANCELLING
        assert state_of(over) == SplitState.CANCELLED
        # Acts were told anew what they are a part of.
        assert told == {failed.pk}
        assert set(selectors.acts(failed).values_list("part_of_id", flat=True)) == told

    def test_leaves_what_was_told_again_by_hand(self, staff: Actor, at: datetime) -> None:
        backed = backed_at(at)
        split = called_off(backed, ActState.DONE, ActState.FAILED, at=at)
        second = backed.deployments[1]
        before = multiplier_at(second, split.effective_at)
        make.chain_act(second, before, split.effective_at, actor=staff, at=at)

        migrate(FIRST)
        migrate(MENDED)

        assert state_of(split) == SplitState.CANCELLED

    def test_leaves_what_another_split_of_the_token_came_after(self, at: datetime) -> None:
        backed = backed_at(at)
        split = called_off(backed, ActState.FAILED, ActState.FAILED, at=at)
        other = make.stock_split(token_=backed.token, at=at, effective_at=at + 2 * HOUR)

        migrate(FIRST)
        migrate(MENDED)

        assert (state_of(split), state_of(other)) == (SplitState.CANCELLED, SplitState.ANNOUNCED)

    def test_goes_on_with_the_last_of_two(self, at: datetime) -> None:
        backed = backed_at(at)
        splits = [
            called_off(backed, ActState.FAILED, ActState.FAILED, at=at + minute * HOUR / 60)
            for minute in range(2)
        ]

        migrate(FIRST)
        migrate(MENDED)

        assert [state_of(split) for split in splits] == [
            *(SplitState.CANCELLED, SplitState.CANCELLING)
        ]
