from datetime import datetime
from threading import Barrier, Thread

import pytest
from django.db import connections, transaction

from issuer.events import services
from issuer.events.models import Event
from tests.make.people import person


class TestRecord:
    @pytest.mark.django_db
    def test_numbers_the_events_of_each_subject(self, at: datetime) -> None:
        one, other = person(), person()

        services.record("person.arrived", subject=one, at=at, place="Zug")
        services.record("person.arrived", subject=other, at=at)
        services.record("person.left", subject=one, at=at)

        numbered = Event.objects.filter(subject_id=one.pk).values_list("type", "sequence", "data")
        assert list(numbered) == [
            ("person.arrived", 1, {"place": "Zug"}),
            ("person.left", 2, {}),
        ]
        event = Event.objects.get(subject_id=other.pk)
        assert (event.sequence, event.subject_type) == (1, "people.person")
        assert event.occurred_at == at

    @pytest.mark.django_db(transaction=True)
    def test_refuses_to_stand_alone(self, at: datetime) -> None:
        with pytest.raises(RuntimeError, match="half of a change"):
            services.record("person.arrived", subject=person(), at=at)

        assert not Event.objects.exists()

    @pytest.mark.django_db(transaction=True)
    def test_numbers_them_without_a_gap_when_several_happen_at_once(self, at: datetime) -> None:
        subject = person()
        start = Barrier(4)

        def record() -> None:
            start.wait(timeout=10)
            for _ in range(5):
                with transaction.atomic():
                    services.record("person.arrived", subject=subject, at=at)
            connections.close_all()

        threads = [Thread(target=record) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=30)

        numbers = Event.objects.order_by("sequence").values_list("sequence", flat=True)
        assert list(numbers) == list(range(1, 21))
