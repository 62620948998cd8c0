"""Looking after splits that were agreed on."""

from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

import structlog
from celery import shared_task

from issuer.corporate_actions import selectors, services
from issuer.corporate_actions.models import StockSplit
from issuer.corporate_actions.states import AGREED_STATES, ActPurpose, SplitState
from issuer.foundation import actors, clock
from issuer.foundation.actors import Actor
from issuer.foundation.errors import DomainError

logger = structlog.get_logger(__name__)


@shared_task(ignore_result=True, expires=60)
def advance_splits() -> None:
    """Take every split that is under way as far as it goes; safe to deliver more than once."""
    actor = actors.system("advance_splits")
    for stock_split_id in selectors.splits_under_way().values_list("pk", flat=True):
        _advance(stock_split_id, actor=actor, at=clock.now())


def _advance(stock_split_id: UUID, *, actor: Actor, at: datetime) -> None:
    """Shut the gate first and open it last, whatever happens between."""
    told: dict[str, Any] = {"actor": actor, "at": at}
    services.keep_window(stock_split_id, **told)
    stock_split = StockSplit.objects.get(pk=stock_split_id)
    if stock_split.state == SplitState.CONFIRMED and selectors.told_everywhere(
        stock_split, ActPurpose.SCHEDULE
    ):
        _try(services.note_scheduled, stock_split_id, **told)
    if stock_split.state in AGREED_STATES and at >= stock_split.effective_at:
        try:
            services.book(stock_split_id, **told)
        except DomainError as refusal:
            logger.warning("A split is not booked", split=str(stock_split), reason=refusal.detail)
            services.note_trouble(stock_split_id, reason=refusal.detail, **told)
    stock_split.refresh_from_db()
    if stock_split.state == SplitState.CANCELLING and selectors.called_off_everywhere(stock_split):
        _try(services.end_cancellation, stock_split_id, **told)
    if (
        stock_split.state == SplitState.EFFECTIVE
        and selectors.chains_agree(stock_split)
        and selectors.stated_by_custodians(stock_split)
    ):
        _try(services.close, stock_split_id, **told)
    services.keep_window(stock_split_id, **told)


def _try(service: Callable[..., StockSplit], stock_split_id: UUID, **told: Any) -> None:
    """Take a step that another worker may have taken in the meantime."""
    try:
        service(stock_split_id, **told)
    except DomainError as refusal:
        logger.info("A split stays where it is", split=str(stock_split_id), reason=refusal.detail)
