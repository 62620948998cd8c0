from datetime import datetime
from threading import Barrier, Thread
from uuid import UUID

import pytest
from django.db import connections, transaction

from issuer.events import selectors, services
from issuer.events.models import Event
from issuer.people.models import Person
from tests.make.people import person

NIL = UUID(int=0)


def happen(subject: Person, at: datetime, event_type: str) -> Event:
    """Record an event in a transaction of its own."""
    with transaction.atomic():
        return services.record(event_type, subject=subject, at=at)


@pytest.mark.django_db(transaction=True)
class TestAfter:
    def test_goes_on_from_the_last_event_seen(self, at: datetime) -> None:
        subject = person()
        with transaction.atomic():
            first = services.record("person.arrived", subject=subject, at=at)
            second = services.record("person.sat-down", subject=subject, at=at)
        third = happen(subject, at, "person.left")

        page = list(selectors.after(0, NIL, limit=1))
        rest = list(selectors.after(page[-1].transaction_id, page[-1].pk, limit=10))

        assert page == [first]
        assert rest == [second, third]
        assert list(selectors.after(third.transaction_id, third.pk, limit=10)) == []

    def test_waits_for_an_older_transaction_so_that_no_event_is_missed(self, at: datetime) -> None:
        subject, other = person(), person()
        written, may_commit = Barrier(2), Barrier(2)
        slow: list[Event] = []

        def write_slowly() -> None:
            with transaction.atomic():
                slow.append(services.record("person.dawdled", subject=other, at=at))
                written.wait(timeout=10)
                may_commit.wait(timeout=10)
            connections.close_all()

        thread = Thread(target=write_slowly)
        thread.start()
        written.wait(timeout=10)
        quick = happen(subject, at, "person.hurried")

        early = list(selectors.after(0, NIL, limit=10))
        may_commit.wait(timeout=10)
        thread.join(timeout=10)

        assert early == []
        assert list(selectors.after(0, NIL, limit=10)) == [*slow, quick]
