"""Half changes are stopped, and violated constraints become refusals."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from django.db import IntegrityError, connection, transaction
from psycopg import errors as psycopg_errors

from issuer.foundation.errors import DomainError


def require_transaction() -> None:
    """Stop a programmer who writes one half of a change outside the transaction of the other."""
    if not connection.in_atomic_block:
        message = "This write is only half of a change; call it inside transaction.atomic()."
        raise RuntimeError(message)


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
