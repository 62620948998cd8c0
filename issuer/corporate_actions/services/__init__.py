"""Everything that writes what companies do to their shares."""

from issuer.corporate_actions.services._agreement import (
    announce,
    confirm,
    confirm_cancellation,
    decline,
    propose_cancellation,
    propose_confirmation,
    withdraw,
)
from issuer.corporate_actions.services._following import (
    book,
    close,
    end_cancellation,
    keep_window,
    note_scheduled,
    note_trouble,
)

__all__ = [
    "announce",
    "book",
    "close",
    "confirm",
    "confirm_cancellation",
    "decline",
    "end_cancellation",
    "keep_window",
    "note_scheduled",
    "note_trouble",
    "propose_cancellation",
    "propose_confirmation",
    "withdraw",
]
