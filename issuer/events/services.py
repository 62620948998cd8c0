"""Everything that writes facts for other parties."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from django.db import connection, models
from django.db.models import Max

from issuer.events.models import Event
from issuer.foundation.transactions import require_transaction

#: The key of the locks that number the events of a subject; apart from all others of the house.
_NUMBERING: Final = 0x6576  # "ev"


def record(event_type: str, *, subject: models.Model, at: datetime, **data: str) -> Event:
    """Write down that something happened to `subject`, as in issuance.funded.

    `data` are strings, without secrets and without personal data. Fails outside a transaction,
    for a fact and its event are committed together or not at all.
    """
    require_transaction()
    assert all(isinstance(value, str) for value in data.values()), "Data are strings."
    subject_type = subject._meta.label_lower
    with connection.cursor() as cursor:
        # Two transactions about one subject would give their events the same number.
        cursor.execute(
            "SELECT pg_advisory_xact_lock(%s, hashtext(%s))",
            [_NUMBERING, f"{subject_type}:{subject.pk}"],
        )
    earlier = Event.objects.filter(subject_type=subject_type, subject_id=subject.pk)
    last: int | None = earlier.aggregate(last=Max("sequence"))["last"]
    return Event.objects.create(
        type=event_type,
        subject_type=subject_type,
        subject_id=subject.pk,
        sequence=(last or 0) + 1,
        data=data,
        occurred_at=at,
    )


def record_each(
    event_type: str, told: Sequence[tuple[models.Model, Mapping[str, str]]], *, at: datetime
) -> list[Event]:
    """Write down that something happened to each of many subjects, in two statements.

    As `record` otherwise, but takes no lock: the caller has made the subjects, or holds their
    rows locked, and each is of one kind and told once.
    """
    require_transaction()
    assert all(isinstance(value, str) for _, data in told for value in data.values())
    if not told:
        return []
    subject_type = told[0][0]._meta.label_lower
    earlier = Event.objects.filter(
        subject_type=subject_type, subject_id__in=[subject.pk for subject, _ in told]
    )
    last = dict(earlier.order_by().values_list("subject_id").annotate(last=Max("sequence")))
    return Event.objects.bulk_create(
        Event(
            type=event_type,
            subject_type=subject_type,
            subject_id=subject.pk,
            sequence=last.get(subject.pk, 0) + 1,
            data=dict(data),
            occurred_at=at,
        )
        for subject, data in told
    )
