"""What PostgreSQL refuses, past all Python."""

from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest

from issuer.corporate_actions.models import StockSplit, StockSplitAct, StockSplitTransition
from tests.make import corporate_actions as make
from tests.violations import refused_by

pytestmark = pytest.mark.django_db


class TestStockSplit:
    @pytest.mark.parametrize(
        ("columns", "name"),
        [
            ({"state": "RUMORED"}, "stock_split_state_known"),
            ({"shares_after": 1}, "stock_split_changes_the_number_of_shares"),
            ({"shares_before": 0}, "stock_split_changes_the_number_of_shares"),
            ({"window_seconds": 0}, "stock_split_window_within_a_day"),
            ({"window_seconds": 86_401}, "stock_split_window_within_a_day"),
            ({"source": ""}, "stock_split_names_its_source"),
            ({"state": "CONFIRMED"}, "stock_split_moves_multipliers_once_confirmed"),
            ({"state": "CLOSED"}, "stock_split_moves_multipliers_once_confirmed"),
        ],
    )
    def test_has_a_shape(self, columns: dict[str, Any], name: str, at: datetime) -> None:
        stock_split = make.stock_split(at=at)
        # An unknown state moves no multiplier, which PostgreSQL would name before the state.
        if columns.get("state") == "RUMORED":
            make.confirmed(stock_split, at=at)

        with refused_by(name):
            StockSplit.objects.filter(pk=stock_split.pk).update(**columns)

    def test_is_announced_ahead(self, at: datetime) -> None:
        stock_split = make.stock_split(at=at)

        with refused_by("stock_split_announced_ahead"):
            StockSplit.objects.filter(pk=stock_split.pk).update(
                announced_at=stock_split.effective_at
            )

    def test_is_the_only_one_pending_of_its_token(self, at: datetime) -> None:
        one, other = make.stock_split(at=at), make.stock_split(at=at)

        with refused_by("stock_split_one_pending_per_token"):
            StockSplit.objects.filter(pk=other.pk).update(token=one.token)

    def test_has_no_trouble_once_it_is_booked(self, at: datetime) -> None:
        booked = make.effective(make.stock_split(at=at), at=at)

        with refused_by("stock_split_trouble_before_it_is_booked"):
            StockSplit.objects.filter(pk=booked.pk).update(trouble="None of it.")


class TestStockSplitAct:
    def test_has_a_purpose(self, at: datetime) -> None:
        stock_split = make.confirmed(make.stock_split(at=at), at=at)

        with refused_by("stock_split_act_purpose_known"):
            StockSplitAct.objects.create(
                stock_split=stock_split, act=self.another(at), purpose="GUESS"
            )

    def test_and_transitions_are_append_only(self, at: datetime) -> None:
        make.confirmed(make.stock_split(at=at), at=at)

        with refused_by("corporate_actions_stocksplitact_append_only"):
            StockSplitAct.objects.update(purpose="WITHDRAW")
        with refused_by("corporate_actions_stocksplittransition_append_only"):
            StockSplitTransition.objects.all().delete()

    def another(self, at: datetime) -> Any:
        """An act that no split names."""
        other = make.confirmed(make.stock_split(at=at), at=at)
        return make.chain_act(
            other.token.deployments.get(),
            Decimal(4),
            other.effective_at,
            actor=make.officer(),
            at=at,
        )
