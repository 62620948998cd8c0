"""Steps of stock splits: locked, taken, and left behind."""

from datetime import datetime
from typing import Any
from uuid import UUID

from issuer.audit import services as audit
from issuer.corporate_actions import errors
from issuer.corporate_actions.models import StockSplit, StockSplitTransition
from issuer.corporate_actions.states import SplitState, SplitStep
from issuer.events import services as events
from issuer.foundation import canonical
from issuer.foundation.actors import Actor
from issuer.foundation.transactions import require_transaction


def lock(stock_split_id: UUID) -> StockSplit:
    """Return a stock split, locked until the transaction ends.

    Raises:
        StockSplitMissing: if there is none of this id.
    """
    stock_split = (
        StockSplit.objects.select_for_update(of=("self",))
        .select_related("token__security", "token__program", "split")
        .filter(pk=stock_split_id)
        .first()
    )
    if stock_split is None:
        raise errors.StockSplitMissing(f"There is no stock split {stock_split_id}.")
    return stock_split


def take(
    step: SplitStep, stock_split: StockSplit, *, actor: Actor, at: datetime, **columns: Any
) -> StockSplit:
    """Take a step with a locked stock split: the only writer of `state`.

    The row, its transition, its event and the audit event are committed together or not at all.
    """
    require_transaction()
    origin = SplitState(stock_split.state)
    step.value.check(origin)
    stock_split.state = step.value.destination
    for name, value in columns.items():
        setattr(stock_split, name, value)
    stock_split.save(update_fields=["state", *columns])
    StockSplitTransition.objects.create(
        stock_split=stock_split,
        step=step.name,
        origin=origin,
        destination=stock_split.state,
        actor=str(actor),
        occurred_at=at,
    )
    audit.record(
        f"stock_split.{step.name.lower()}",
        subject=stock_split,
        actor=actor,
        at=at,
        **facts_of(stock_split),
    )
    events.record(
        f"stock_split.{stock_split.state.lower()}",
        subject=stock_split,
        at=at,
        **facts_of(stock_split),
    )
    return stock_split


def facts_of(stock_split: StockSplit) -> dict[str, str]:
    """Return what everybody may know of a stock split."""
    return {
        "token": stock_split.token.symbol,
        "ratio": stock_split.ratio,
        "effective_at": canonical.timestamp(stock_split.effective_at),
    }
