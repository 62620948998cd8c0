"""A worker that dies while it books a split: nothing half, and the next one books it once."""

import os
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection, connections

from issuer.corporate_actions import services
from issuer.corporate_actions.models import StockSplit
from issuer.corporate_actions.states import SplitState
from issuer.ledger import selectors as books
from issuer.ledger.models import Transfer
from issuer.reserves.models import ShareHold
from tests.corporate_actions.backed import Backed
from tests.make import corporate_actions as make
from tests.make import custody, reserves
from tests.make.redemptions import SYSTEM

pytestmark = pytest.mark.django_db(transaction=True)

KILLED = 137
HOUR = timedelta(hours=1)


def book_and_die(stock_split: StockSplit, *, before: str, at: datetime) -> int:
    """Book in a process that is killed before a statement that says so; return its exit."""
    connections.close_all()  # or both processes would talk through one
    child = os.fork()
    if child == 0:
        _die_before(stock_split, before, at)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)


def _die_before(stock_split: StockSplit, before: str, at: datetime) -> None:
    """Be the process that dies; nothing of it outlives this function."""

    def watch(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if before in sql:
            os._exit(KILLED)
        return execute(sql, params, many, context)

    try:
        with connection.execute_wrapper(watch):
            services.book(stock_split.pk, actor=SYSTEM, at=at)
    finally:
        os._exit(0)


class TestBookerKilled:
    @pytest.mark.parametrize(
        "before",
        [
            'UPDATE "custody_settlementinstruction"',
            'INSERT INTO "custody_instructiontransition"',
            'UPDATE "reserves_sharehold"',
            "ledger_post",
            'UPDATE "instruments_split"',
            'UPDATE "corporate_actions_stocksplit"',
            'INSERT INTO "corporate_actions_stocksplittransition"',
            'INSERT INTO "events_event"',
        ],
    )
    def test_leaves_nothing_half_and_the_next_one_books_it_once(
        self, before: str, backed: Backed, at: datetime
    ) -> None:
        coming = custody.instruction(backed.account, Decimal(10), at=at)
        hold = reserves.share_hold(backed.token, Decimal(1), at=at)
        stock_split = make.scheduled(make.stock_split(token_=backed.token, at=at), at=at)
        shares = backed.shares()

        assert book_and_die(stock_split, before=before, at=at + HOUR) == KILLED

        stock_split.refresh_from_db()
        coming.refresh_from_db()
        assert (stock_split.state, coming.quantity) == (SplitState.SCHEDULED, 10)
        assert ShareHold.objects.get(pk=hold.pk).quantity == 1
        assert backed.shares() == shares
        assert stock_split.split is not None
        assert stock_split.split.booked_at is None

        services.book(stock_split.pk, actor=SYSTEM, at=at + HOUR)

        coming.refresh_from_db()
        assert coming.quantity == 40
        assert ShareHold.objects.get(pk=hold.pk).quantity == 4
        assert backed.shares() == {
            "settled": "2408",
            "owed-on-tokens": "2400",
            "own": "8",
            "pending-receipt": "40",
            "awaited": "40",
        }
        assert set(books.trial_balance().values()) == {Decimal(0)}
        transfers = Transfer.objects.filter(reference=f"split/{stock_split.split_id}")
        assert sum(one.quantity for one in transfers) == 1806 + 30
