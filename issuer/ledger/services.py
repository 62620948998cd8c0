"""Everything that writes the books."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import groupby
from operator import itemgetter
from typing import Any, Final
from uuid import UUID

from django.db import IntegrityError, connection, transaction
from psycopg.errors import UniqueViolation

from issuer.foundation import quantities
from issuer.foundation.actors import Actor
from issuer.foundation.errors import DomainError
from issuer.foundation.identifiers import uuid7
from issuer.ledger import errors
from issuer.ledger.models import Account, Side

_ONCE: Final = "transfer_once_per_reference_and_line"
_POST: Final = """
SELECT refusal, facts, reference, line, transfer_id, booked_at FROM ledger_post(
    %s::text[], %s::smallint[], %s::text[], %s::text[], %s::numeric[], %s::timestamptz[],
    %s::uuid[], %s::uuid[], %s::uuid[], %s, %s
)
"""


@dataclass(frozen=True, slots=True)
class Line:
    """Debits one account and credits another, both by code, with `quantity` of their unit."""

    debit: str
    credit: str
    quantity: Decimal


@dataclass(frozen=True, slots=True)
class PostingRequest:
    """What is to be posted under one reference; the world saw it at `effective_at`."""

    reference: str
    lines: Sequence[Line]
    effective_at: datetime


@dataclass(frozen=True, slots=True)
class Posting:
    """What stands in the books under one reference: a transfer per line, in their order."""

    reference: str
    transfer_ids: tuple[UUID, ...]
    booked_at: datetime


@transaction.atomic
def open_account(*, code: str, unit: str, side: Side, at: datetime) -> Account:
    """Open an account, or return the one that is open with the same unit and side.

    Raises:
        AccountDiffers: if `code` is open with another unit or side.
    """
    account, _ = Account.objects.get_or_create(
        code=code, defaults={"unit": unit, "side": side, "opened_at": at}
    )
    if (account.unit, account.side) != (unit, side):
        raise errors.AccountDiffers(
            f"{code} holds {account.unit} and grows on the {account.side.lower()} side.",
            account=code,
            unit=account.unit,
            side=account.side,
        )
    return account


def post(
    reference: str,
    lines: Sequence[Line],
    *,
    effective_at: datetime,
    actor: Actor,
    at: datetime,
) -> Posting:
    """Post one business event; all its lines, in their order, or none.

    Repeating it with the same content returns what was posted the first time. It is booked at
    `at`, or when its accounts were booked last if that is later.

    Raises:
        AccountMissing: if a line names an account that is not open.
        SameAccount: if a line debits the account that it credits.
        UnitsDiffer: if the accounts of a line hold different units.
        QuantityNotPositive: if a line moves nothing, or less.
        QuantityTooFine: if a quantity has over 18 decimal places.
        Overdrawn: if a line takes more from an account than it holds by then.
        ReferenceReused: if `reference` stands for a posting with other content.
    """
    request = PostingRequest(reference, lines, effective_at)
    (posting,) = post_batch([request], actor=actor, at=at)
    return posting


def post_batch(requests: Sequence[PostingRequest], *, actor: Actor, at: datetime) -> list[Posting]:
    """Post several business events in one call, in their order; all of them or none.

    Raises:
        DomainError: as `post`, for the first event refused.
    """
    if not requests:
        return []
    references = [request.reference for request in requests]
    assert len(set(references)) == len(references), "A reference stands for one posting."
    assert all(request.lines for request in requests), "A posting has a line at least."
    rows = [
        (request.reference, number, line.debit, line.credit, _checked(line), request.effective_at)
        for request in requests
        for number, line in enumerate(request.lines, start=1)
    ]
    ids = [[uuid7() for _ in rows] for _ in range(3)]  # transfers, debit and credit entries
    columns = [list(column) for column in zip(*rows, strict=True)]
    try:
        with connection.cursor() as cursor:
            cursor.execute(_POST, [*columns, *ids, str(actor), at])
            answers = cursor.fetchall()
    except IntegrityError as exc:
        # Posted by somebody else at this moment, over accounts that these lines do not lock. No
        # savepoint, whose two round trips would cost more than the posting itself.
        cause = exc.__cause__
        if isinstance(cause, UniqueViolation) and cause.diag.constraint_name == _ONCE:
            raise errors.ReferenceReused("A reference stands for another posting.") from exc
        raise
    if answers[0][0] is not None:
        refusal, facts, *_ = answers[0]
        raise _REFUSALS[refusal](json.loads(facts))
    return [
        _posting(reference, list(transfers))
        for reference, transfers in groupby(answers, key=itemgetter(2))
    ]


def _checked(line: Line) -> Decimal:
    """Return the quantity of `line` if it can be posted to the last of its 18 places."""
    if line.debit == line.credit:
        raise errors.SameAccount(f"{line.debit} would owe itself.", account=line.debit)
    assert isinstance(line.quantity, Decimal), "A quantity is a Decimal."
    text = quantities.to_text(line.quantity)
    if line.quantity.is_finite() and line.quantity <= 0:
        raise errors.QuantityNotPositive(f"{text} is not above zero.", quantity=text)
    return quantities.from_text(text)


def _posting(reference: str, transfers: Sequence[Any]) -> Posting:
    ids = tuple(transfer_id for *_, transfer_id, _ in transfers)
    *_, booked_at = transfers[0]
    return Posting(reference, ids, booked_at)


def _missing(facts: Mapping[str, str]) -> DomainError:
    return errors.AccountMissing(f"No account is called {facts['account']}.", **facts)


def _units_differ(facts: Mapping[str, str]) -> DomainError:
    detail = (
        f"{facts['debit']} holds {facts['debit_unit']}, "
        f"and {facts['credit']} holds {facts['credit_unit']}."
    )
    return errors.UnitsDiffer(detail, **facts)


def _overdrawn(facts: Mapping[str, str]) -> DomainError:
    balance = quantities.to_text(Decimal(facts["balance"]))
    quantity = quantities.to_text(Decimal(facts["quantity"]))
    detail = f"{facts['account']} holds {balance}, and {quantity} would be taken from it."
    return errors.Overdrawn(detail, account=facts["account"], balance=balance, quantity=quantity)


def _reference_reused(facts: Mapping[str, str]) -> DomainError:
    return errors.ReferenceReused(f"{facts['reference']} stands for another posting.", **facts)


#: What `ledger_post` answers when it refuses, and what that means.
_REFUSALS: Final[Mapping[str, Callable[[Mapping[str, str]], DomainError]]] = {
    "missing": _missing,
    "units-differ": _units_differ,
    "overdrawn": _overdrawn,
    "reference-reused": _reference_reused,
}
