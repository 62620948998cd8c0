"""Saving reference data so that its history tells the house's time, and who."""

from datetime import datetime
from typing import Any

from issuer.foundation.actors import Actor


def save(row: Any, *, actor: Actor, at: datetime) -> None:
    """Save a row of a model with history; its history row is dated `at` and names `actor`.

    Without these two, the history would ask a clock of its own and know only logins.
    """
    row._history_date = at
    row._change_reason = str(actor)
    row.save()
