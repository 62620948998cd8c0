"""What two persons sign when they have shares split, or call a split off."""

from typing import Any, Final

from issuer.corporate_actions.models import StockSplit
from issuer.foundation import canonical, quantities
from issuer.instruments import selectors as instruments
from issuer.instruments.models import Deployment, Split

#: The actions under which approvals keep them.
CONFIRM_SPLIT: Final = "stock_split.confirm"
CANCEL_SPLIT: Final = "stock_split.cancel"


def confirmation_payload(stock_split: StockSplit) -> dict[str, Any]:
    """Return everything that decides what a split does to tokens, and when.

    Raises:
        MultiplierUnknown: if a contract has no multiplier just before it.
        SplitInexact: if a new one cannot be written down exactly.
    """
    after = instruments.split_multipliers(as_split(stock_split))
    return _terms(CONFIRM_SPLIT, stock_split) | {
        "multipliers": {
            deployment.caip10: quantities.to_text(value) for deployment, value in after.items()
        },
    }


def cancellation_payload(stock_split: StockSplit, reason: str) -> dict[str, Any]:
    """Return everything that decides what calling a split off leaves as it is."""
    before = multipliers_before(stock_split)
    return _terms(CANCEL_SPLIT, stock_split) | {
        "multipliers": {
            deployment.caip10: quantities.to_text(value) for deployment, value in before.items()
        },
        "reason": reason,
    }


def multipliers_before(stock_split: StockSplit) -> dict[Deployment, Any]:
    """Return the multiplier of each contract just before the split."""
    deployments = list(stock_split.token.deployments.select_related("token", "network"))
    values = instruments.multipliers_at(deployments, stock_split.effective_at - instruments.INSTANT)
    return {deployment: values[deployment.pk] for deployment in deployments}


def as_split(stock_split: StockSplit) -> Split:
    """Return what `stock_split` is to instruments, unsaved."""
    return Split(
        token=stock_split.token,
        shares_after=stock_split.shares_after,
        shares_before=stock_split.shares_before,
        effective_at=stock_split.effective_at,
    )


def _terms(action: str, stock_split: StockSplit) -> dict[str, Any]:
    token = stock_split.token
    return {
        "action": action,
        "stock_split": str(stock_split.pk),
        "token": token.symbol,
        "security": token.security.isin,
        "ratio": stock_split.ratio,
        "effective_at": canonical.timestamp(stock_split.effective_at),
        "window_seconds": str(stock_split.window_seconds),
        "source": stock_split.source,
    }
