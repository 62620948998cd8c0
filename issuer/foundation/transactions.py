"""Half changes are stopped, and violated constraints become refusals."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from django.db import IntegrityError, connection, transaction
from django.db.models import Func
from psycopg import errors as psycopg_errors

from issuer.foundation.errors import DomainError
from issuer.foundation.fields import TransactionIdField

#: Below this id every transaction has ended: its rows are all to be seen, or never will be.
HORIZON: Final = Func(
    Func(function="pg_current_snapshot"),
    function="pg_snapshot_xmin",
    output_field=TransactionIdField(),
)


def require_transaction() -> None:
    """Stop a programmer who writes one half of a change outside the transaction of the other."""
    if not connection.in_atomic_block:
        message = "This write is only half of a change; call it inside transaction.atomic()."
        raise RuntimeError(message)


@contextmanager
def one_snapshot() -> Iterator[None]:
    """Let all that is read be of one instant; inside a transaction, the caller has chosen."""
    if connection.in_atomic_block:
        yield
        return
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        yield


@contextmanager
def translating(violations: Mapping[str, DomainError]) -> Iterator[None]:
    """Turn the violation of a named constraint into the refusal it stands for.

    Runs its body in a savepoint, so the caller's transaction stays usable after the refusal.
    """
    try:
        with transaction.atomic():
            yield
    except IntegrityError as exc:
        cause = exc.__cause__
        if isinstance(cause, psycopg_errors.IntegrityError):
            refusal = violations.get(cause.diag.constraint_name or "")
            if refusal is not None:
                raise refusal from exc
        raise
