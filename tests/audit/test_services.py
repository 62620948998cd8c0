from datetime import datetime

import pytest

from issuer.audit import services
from issuer.audit.models import AuditEvent
from issuer.foundation.actors import Actor
from tests.make.people import person

pytestmark = pytest.mark.django_db


class TestRecord:
    def test_writes_down_who_did_what_to_what_and_when(self, staff: Actor, at: datetime) -> None:
        subject = person()

        services.record("person.greet", subject=subject, actor=staff, at=at, words="Good morning")

        event = AuditEvent.objects.latest("id")
        assert event.action == "person.greet"
        assert (event.subject_type, event.subject_id) == ("people.person", subject.pk)
        assert (event.actor, event.person_id) == (str(staff), staff.person)
        assert event.facts == {"words": "Good morning"}
        assert event.occurred_at == at
        assert event.transaction_id > 0

    def test_leaves_no_person_for_the_house_itself(self, system: Actor, at: datetime) -> None:
        event = services.record("person.greet", subject=person(), actor=system, at=at)

        assert (event.actor, event.person_id) == ("SYSTEM:tests", None)

    @pytest.mark.django_db(transaction=True)
    def test_refuses_to_stand_alone(self, system: Actor, at: datetime) -> None:
        with pytest.raises(RuntimeError, match="half of a change"):
            services.record("person.greet", subject=person(), actor=system, at=at)

        assert not AuditEvent.objects.exists()
