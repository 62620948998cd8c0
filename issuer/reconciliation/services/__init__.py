"""Everything that writes runs and breaks, and lets gates that they shut go on."""

from issuer.reconciliation.services._breaks import (
    CLOSE,
    confirm_close_break,
    decline_close_break,
    propose_close_break,
)
from issuer.reconciliation.services._resuming import (
    confirm_resume,
    decline_resume,
    propose_resume,
)
from issuer.reconciliation.services._runs import reconcile

__all__ = [
    "CLOSE",
    "confirm_close_break",
    "confirm_resume",
    "decline_close_break",
    "decline_resume",
    "propose_close_break",
    "propose_resume",
    "reconcile",
]
