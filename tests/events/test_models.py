"""What PostgreSQL refuses of events, whoever asks."""

from datetime import datetime

import pytest

from issuer.events import services
from issuer.events.models import Event
from tests.make.people import person
from tests.violations import refused_by

pytestmark = pytest.mark.django_db


class TestEvent:
    def test_has_a_type(self, at: datetime) -> None:
        with refused_by("event_has_a_type"):
            services.record("", subject=person(), at=at)

    def test_has_a_number_of_its_own(self, at: datetime) -> None:
        event = services.record("person.arrived", subject=person(), at=at)

        with refused_by("event_sequence_once_per_subject"):
            Event.objects.create(
                type="person.left",
                subject_type=event.subject_type,
                subject_id=event.subject_id,
                sequence=1,
                occurred_at=at,
            )

    def test_says_what_it_is(self, at: datetime) -> None:
        subject = person()

        event = services.record("person.arrived", subject=subject, at=at)

        assert str(event) == f"person.arrived of {subject.pk}"
