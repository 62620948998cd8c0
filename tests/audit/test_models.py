"""What PostgreSQL refuses of the trail, whoever asks."""

from datetime import datetime
from typing import Any

import pytest

from issuer.audit import services
from issuer.audit.models import AuditEvent, Seal, SealedEvent
from issuer.foundation.actors import Actor
from issuer.foundation.identifiers import uuid7
from tests.make.people import person
from tests.violations import refused_by

pytestmark = pytest.mark.django_db


def seal(at: datetime, **columns: Any) -> Seal:
    defaults: dict[str, Any] = {
        "number": 1,
        "first_position": 1,
        "last_position": 1,
        "previous_hash": "0" * 64,
        "hash": "1" * 64,
        "sealed_at": at,
        "sealed_by": "SYSTEM:tests",
    }
    return Seal.objects.create(**defaults | columns)


class TestAuditEvent:
    @pytest.mark.parametrize(
        ("columns", "name"),
        [
            ({"action": ""}, "audit_event_names_its_action"),
            ({"actor": ""}, "audit_event_names_its_actor"),
        ],
    )
    def test_is_whole(self, columns: dict[str, str], name: str, at: datetime) -> None:
        defaults = {"action": "person.greet", "actor": "SYSTEM:tests"}

        with refused_by(name):
            AuditEvent.objects.create(
                subject_type="people.person",
                subject_id=uuid7(),
                occurred_at=at,
                **defaults | columns,
            )

    def test_says_what_was_done_by_whom(self, system: Actor, at: datetime) -> None:
        event = services.record("person.greet", subject=person(), actor=system, at=at)

        assert str(event) == "person.greet by SYSTEM:tests"


class TestSeal:
    @pytest.mark.parametrize("positions", [(0, 1), (2, 1)])
    def test_covers_a_run_of_events(self, positions: tuple[int, int], at: datetime) -> None:
        first, last = positions

        with refused_by("seal_covers_a_run_of_events"):
            seal(at, first_position=first, last_position=last)

    @pytest.mark.parametrize(
        ("columns", "name"),
        [
            ({"first_position": 1, "previous_hash": "1" * 64}, "seal_starts_where_no_other_does"),
            ({"first_position": 2}, "seal_follows_another_once"),
        ],
    )
    def test_forks_nowhere(self, columns: dict[str, Any], name: str, at: datetime) -> None:
        seal(at)

        with refused_by(name):
            seal(at, number=2, last_position=2, hash="2" * 64, **columns)

    def test_says_its_number(self, at: datetime) -> None:
        assert str(seal(at, number=7)) == "Seal 7"


class TestSealedEvent:
    def test_says_its_position(self) -> None:
        assert str(SealedEvent(position=3)) == "Position 3"
