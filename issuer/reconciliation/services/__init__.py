"""Everything that writes runs and breaks."""

from issuer.reconciliation.services._breaks import (
    CLOSE,
    confirm_close_break,
    decline_close_break,
    propose_close_break,
)
from issuer.reconciliation.services._runs import reconcile

__all__ = [
    "CLOSE",
    "confirm_close_break",
    "decline_close_break",
    "propose_close_break",
    "reconcile",
]
