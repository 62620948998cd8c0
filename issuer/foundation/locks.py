"""Work that one process at a time is at, while it waits for the outside."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from django.db import connection

#: The key of these locks; apart from all others of the house.
_ALONE: Final = 0x616C  # "al"


@contextmanager
def alone(name: str) -> Iterator[bool]:
    """Yield whether nobody else is at what `name` names; while it lasts, nobody else is.

    Waits for nobody. It is held by a transaction of a connection of its own: so the caller's
    transactions begin and end as they like, a process that dies lets go of it at once, and it
    holds behind a pooler, which lends out connections by the transaction.
    """
    own = connection.copy()
    try:
        own.set_autocommit(False)
        with own.cursor() as cursor:
            # Work that waits for the outside is bounded by its task's time limit.
            cursor.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
            cursor.execute("SELECT pg_try_advisory_xact_lock(%s, hashtext(%s))", [_ALONE, name])
            [is_alone] = cursor.fetchone()
        yield is_alone
    finally:
        own.close()
