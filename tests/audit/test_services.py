from datetime import datetime, timedelta
from threading import Barrier, Thread
from uuid import UUID

import pytest
from django.db import connection, connections, transaction

from issuer.audit import selectors, services
from issuer.audit.errors import TrailOfAnotherCluster
from issuer.audit.models import AuditEvent, Seal, SealedEvent
from issuer.foundation.actors import Actor
from issuer.people.models import Person
from tests.make.people import person


def act(subject: Person, actor: Actor, at: datetime, action: str = "person.greet") -> UUID:
    """Record an act in a transaction of its own, and return the event's id."""
    with transaction.atomic():
        return services.record(action, subject=subject, actor=actor, at=at, words="Hello").pk


@pytest.mark.django_db
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
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_current_xact_id()::text::bigint")
            assert cursor.fetchone() == (event.transaction_id,)

    def test_leaves_no_person_for_the_house_itself(self, system: Actor, at: datetime) -> None:
        event = services.record("person.greet", subject=person(), actor=system, at=at)

        assert (event.actor, event.person_id) == ("SYSTEM:tests", None)

    @pytest.mark.django_db(transaction=True)
    def test_refuses_to_stand_alone(self, system: Actor, at: datetime) -> None:
        with pytest.raises(RuntimeError, match="half of a change"):
            services.record("person.greet", subject=person(), actor=system, at=at)

        assert not AuditEvent.objects.exists()


@pytest.mark.django_db(transaction=True)
class TestSeal:
    def test_gives_positions_without_a_gap_and_links_to_the_seal_before(
        self, system: Actor, at: datetime
    ) -> None:
        subject = person()
        first, second = act(subject, system, at), act(subject, system, at)
        one = services.seal(actor=system, at=at)
        third = act(subject, system, at)

        two = services.seal(actor=system, at=at + timedelta(seconds=15))

        assert one is not None
        assert two is not None
        assert (one.number, one.first_position, one.last_position) == (1, 1, 2)
        assert (two.number, two.first_position, two.last_position) == (2, 3, 3)
        assert (one.previous_hash, two.previous_hash) == ("0" * 64, one.hash)
        assert two.sealed_by == "SYSTEM:tests"
        positions = SealedEvent.objects.order_by("position").values_list("position", "event")
        assert list(positions) == [(1, first), (2, second), (3, third)]
        assert selectors.newest_seal() == two
        assert selectors.first_broken_seal() is None

    def test_has_nothing_to_do_without_new_events(self, system: Actor, at: datetime) -> None:
        act(person(), system, at)
        services.seal(actor=system, at=at)

        assert services.seal(actor=system, at=at) is None
        assert Seal.objects.count() == 1

    def test_leaves_events_for_the_next_seal_when_one_is_full(
        self, system: Actor, at: datetime, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(services, "EVENTS_PER_SEAL", 2)
        subject = person()
        with transaction.atomic():
            ids = [
                services.record("person.greet", subject=subject, actor=system, at=at).pk
                for _ in range(3)
            ]

        made = [services.seal(actor=system, at=at) for _ in range(3)]

        assert [seal and seal.last_position for seal in made] == [2, 3, None]
        positions = SealedEvent.objects.order_by("position").values_list("event", flat=True)
        assert list(positions) == ids
        assert selectors.first_broken_seal() is None

    def test_waits_for_an_older_transaction_so_that_no_event_is_passed_over(
        self, system: Actor, at: datetime
    ) -> None:
        subject = person()
        written, may_commit = Barrier(2), Barrier(2)
        slow: list[UUID] = []

        def write_slowly() -> None:
            with transaction.atomic():
                event = services.record("person.dawdle", subject=subject, actor=system, at=at)
                slow.append(event.pk)
                written.wait(timeout=10)
                may_commit.wait(timeout=10)
            connections.close_all()

        thread = Thread(target=write_slowly)
        thread.start()
        written.wait(timeout=10)
        quick = act(subject, system, at)  # later, and committed first

        early = services.seal(actor=system, at=at)
        may_commit.wait(timeout=10)
        thread.join(timeout=10)
        late = services.seal(actor=system, at=at)

        assert early is None
        assert late is not None
        positions = SealedEvent.objects.order_by("position").values_list("event", flat=True)
        assert list(positions) == [*slow, quick]

    def test_lets_one_sealer_work_at_a_time(self, system: Actor, at: datetime) -> None:
        subject = person()
        for _ in range(5):
            act(subject, system, at)
        start = Barrier(4)

        def seal() -> None:
            start.wait(timeout=10)
            services.seal(actor=system, at=at)
            connections.close_all()

        threads = [Thread(target=seal) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=10)

        assert Seal.objects.count() == 1
        assert SealedEvent.objects.count() == 5
        assert selectors.first_broken_seal() is None

    def test_refuses_a_trail_from_another_cluster(self, system: Actor, at: datetime) -> None:
        act(person(), system, at)
        services.seal(actor=system, at=at)
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE audit_auditevent DISABLE TRIGGER USER")
            cursor.execute("UPDATE audit_auditevent SET transaction_id = '99999999999'")
            cursor.execute("ALTER TABLE audit_auditevent ENABLE TRIGGER USER")

        with pytest.raises(TrailOfAnotherCluster):
            services.seal(actor=system, at=at)

        assert Seal.objects.count() == 1
