from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

import pytest
from django.db import connection, transaction

from issuer.audit import selectors, services
from issuer.audit.models import Seal
from issuer.foundation.actors import Actor
from tests.make.people import person

pytestmark = pytest.mark.django_db(transaction=True)


@contextmanager
def guards_off(*tables: str) -> Iterator[None]:
    """Let rows change that never do, as somebody with the owner's password could."""
    with connection.cursor() as cursor:
        for table in tables:
            cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER ALL")
        yield
        for table in tables:
            cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER ALL")


def execute(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


@pytest.fixture
def sealed(system: Actor, at: datetime) -> None:
    """Three seals over two events each."""
    subject = person()
    for _ in range(3):
        with transaction.atomic():
            for words in ("Hello", "Good-bye"):
                services.record("person.greet", subject=subject, actor=system, at=at, words=words)
        services.seal(actor=system, at=at)


class TestEventsOf:
    def test_returns_what_was_done_to_one_subject_newest_first(
        self, system: Actor, at: datetime
    ) -> None:
        one, other = person(), person()
        with transaction.atomic():
            services.record("person.greet", subject=one, actor=system, at=at)
            services.record("person.greet", subject=other, actor=system, at=at)
            services.record("person.thank", subject=one, actor=system, at=at)

        assert [event.action for event in selectors.events_of(one)] == [
            "person.thank",
            "person.greet",
        ]


@pytest.mark.usefixtures("sealed")
class TestFirstBrokenSeal:
    def test_finds_none_in_an_honest_trail(self) -> None:
        assert Seal.objects.count() == 3
        assert selectors.first_broken_seal() is None

    @pytest.mark.parametrize(
        ("statement", "number"),
        [
            pytest.param(
                'UPDATE audit_auditevent SET facts = \'{"words": "Hm"}\' FROM audit_sealedevent s'
                " WHERE s.event_id = id AND position = 3",
                2,
                id="a fact changed",
            ),
            pytest.param(
                "UPDATE audit_auditevent SET person_id = gen_random_uuid()"
                " FROM audit_sealedevent s WHERE s.event_id = id AND position = 5",
                3,
                id="a person changed",
            ),
            pytest.param(
                "DELETE FROM audit_sealedevent WHERE position = 4", 2, id="an event left out"
            ),
            pytest.param(
                "DELETE FROM audit_sealedevent WHERE position <= 2;"
                " DELETE FROM audit_seal WHERE number = 1",
                2,
                id="a seal left out",
            ),
            pytest.param(
                "UPDATE audit_seal SET sealed_at = sealed_at + interval '1 day' WHERE number = 2",
                2,
                id="a seal dated otherwise",
            ),
            pytest.param(
                "UPDATE audit_seal SET hash = repeat('a', 64) WHERE number = 1",
                1,
                id="a hash changed",
            ),
        ],
    )
    def test_finds_the_first_that_does_not_fit(self, statement: str, number: int) -> None:
        with guards_off("audit_auditevent", "audit_seal", "audit_sealedevent"):
            execute(statement)

        broken = selectors.first_broken_seal()

        assert broken is not None
        assert broken.number == number
