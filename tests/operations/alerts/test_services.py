"""Each event once per channel, in whatever order and however often it is tried."""

from collections.abc import Callable
from datetime import datetime, timedelta
from threading import Barrier, Thread

import pytest
from django.db import IntegrityError, connection, connections, transaction
from pytest_django import DjangoAssertNumQueries

from issuer.events.models import Event
from issuer.foundation.actors import Actor
from issuer.foundation.errors import IllegalTransition
from issuer.operations.alerts import services
from issuer.operations.alerts.states import DeliveryState
from issuer.operations.models import AlertAttempt, AlertCursor, AlertDelivery

CHANNELS = ("mail", "webhook")
Happen = Callable[..., Event]


def told() -> list[tuple[str, str]]:
    deliveries = AlertDelivery.objects.order_by("event_id", "channel")
    return list(deliveries.values_list("event__type", "channel"))


@pytest.mark.django_db(transaction=True)
class TestRaiseAlerts:
    def test_begins_a_delivery_for_each_channel(
        self, happen: Happen, system: Actor, at: datetime
    ) -> None:
        happen()

        begun = services.raise_alerts(channels=CHANNELS, actor=system, at=at)

        assert begun == 2
        assert told() == [("gate.hold_placed", "mail"), ("gate.hold_placed", "webhook")]

    def test_tells_nothing_twice(self, happen: Happen, system: Actor, at: datetime) -> None:
        happen()
        services.raise_alerts(channels=CHANNELS, actor=system, at=at)

        assert services.raise_alerts(channels=CHANNELS, actor=system, at=at) == 0
        assert len(told()) == 2

    def test_goes_on_with_what_came_later(
        self, happen: Happen, system: Actor, at: datetime
    ) -> None:
        happen()
        services.raise_alerts(channels=["mail"], actor=system, at=at)
        happen("break.opened", severity="CRITICAL", code="UNA-MINT", token="AAPLx")

        services.raise_alerts(channels=["mail"], actor=system, at=at)

        assert told() == [("gate.hold_placed", "mail"), ("break.opened", "mail")]

    def test_leaves_out_what_is_no_alert(self, happen: Happen, system: Actor, at: datetime) -> None:
        happen("break.opened", severity="INFO", code="BAK-SETTLED", token="AAPLx")
        happen("issuance.requested")

        assert services.raise_alerts(channels=CHANNELS, actor=system, at=at) == 0
        assert told() == []

    def test_keeps_what_nobody_can_be_told(
        self, happen: Happen, system: Actor, at: datetime
    ) -> None:
        happen()
        happen("issuance.requested")

        assert services.raise_alerts(channels=[], actor=system, at=at) == 1

        delivery = AlertDelivery.objects.get()
        assert (delivery.channel, delivery.state) == ("", DeliveryState.UNADDRESSED)
        assert delivery.problem == "No channel is configured."

    def test_tells_it_to_the_channels_that_are_configured_later(
        self, happen: Happen, system: Actor, at: datetime
    ) -> None:
        happen()
        services.raise_alerts(channels=[], actor=system, at=at)

        later = at + timedelta(hours=23)
        services.raise_alerts(channels=CHANNELS, actor=system, at=later)

        assert told() == [("gate.hold_placed", "mail"), ("gate.hold_placed", "webhook")]
        deliveries = AlertDelivery.objects.values_list("state", "due_at", "problem")
        assert set(deliveries) == {(DeliveryState.PENDING, later, "")}

    def test_does_not_flood_them_with_what_is_a_day_old(
        self, happen: Happen, system: Actor, at: datetime
    ) -> None:
        happen()
        services.raise_alerts(channels=[], actor=system, at=at)

        services.raise_alerts(channels=CHANNELS, actor=system, at=at + timedelta(hours=24))

        delivery = AlertDelivery.objects.get()
        assert (delivery.channel, delivery.state) == ("", DeliveryState.ABANDONED)

    def test_of_two_at_once_tells_each_event_once(
        self, happen: Happen, system: Actor, at: datetime
    ) -> None:
        for _ in range(5):
            happen()
        start = Barrier(2)

        def raise_alerts() -> None:
            start.wait(timeout=10)
            services.raise_alerts(channels=CHANNELS, actor=system, at=at)
            connections.close_all()

        threads = [Thread(target=raise_alerts) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=30)

        assert len(told()) == 10


@pytest.fixture
def delivery(happen: Happen, system: Actor, at: datetime) -> AlertDelivery:
    happen()
    services.raise_alerts(channels=["mail"], actor=system, at=at)
    return AlertDelivery.objects.get()


def attempts() -> list[tuple[int, str]]:
    return list(AlertAttempt.objects.order_by("id").values_list("number", "problem"))


def begin(system: Actor, at: datetime, channel: str = "mail") -> AlertDelivery:
    delivery = services.begin_try(channel, actor=system, at=at)
    assert delivery is not None
    return delivery


@pytest.mark.django_db(transaction=True)
class TestBeginTry:
    def test_leaves_the_try_the_time_that_it_may_take(
        self, delivery: AlertDelivery, system: Actor, at: datetime
    ) -> None:
        taken = begin(system, at)

        assert (taken.pk, taken.begun_at, taken.tries) == (delivery.pk, at, 1)
        assert (taken.due_at - at).total_seconds() == 140

    def test_is_not_for_a_second_worker(
        self, delivery: AlertDelivery, system: Actor, at: datetime
    ) -> None:
        begin(system, at)

        assert services.begin_try("mail", actor=system, at=at) is None
        delivery.refresh_from_db()
        assert delivery.tries == 1

    def test_keeps_a_slow_channel_to_one_worker_and_lets_others_go_on(
        self, happen: Happen, system: Actor, at: datetime
    ) -> None:
        happen()
        happen()
        services.raise_alerts(channels=CHANNELS, actor=system, at=at)
        begin(system, at, "webhook")

        assert services.begin_try("webhook", actor=system, at=at) is None
        for _ in range(2):
            services.record_sent(begin(system, at).pk, actor=system, at=at)
        assert services.begin_try("mail", actor=system, at=at) is None

    def test_of_two_at_once_lets_one_try(self, happen: Happen, system: Actor, at: datetime) -> None:
        for _ in range(4):
            happen()
        services.raise_alerts(channels=["mail"], actor=system, at=at)
        start, taken = Barrier(2), []

        def try_it() -> None:
            start.wait(timeout=10)
            taken.append(services.begin_try("mail", actor=system, at=at))
            connections.close_all()

        threads = [Thread(target=try_it) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=30)

        assert sorted(one is None for one in taken) == [False, True]

    def test_of_many_that_wait_asks_as_little_as_of_one(
        self,
        happen: Happen,
        system: Actor,
        at: datetime,
        django_assert_num_queries: DjangoAssertNumQueries,
    ) -> None:
        begun_with = 6  # with the two that are the transaction
        happen()
        services.raise_alerts(channels=["mail"], actor=system, at=at)
        with django_assert_num_queries(begun_with):
            first = begin(system, at)
        services.record_sent(first.pk, actor=system, at=at)
        for _ in range(40):
            happen()
        services.raise_alerts(channels=["mail"], actor=system, at=at)

        with django_assert_num_queries(begun_with):
            begin(system, at)

    def test_locks_no_other_delivery(self, happen: Happen, system: Actor, at: datetime) -> None:
        for _ in range(3):
            happen()
        services.raise_alerts(channels=["mail"], actor=system, at=at)
        free: list[int] = []

        def lock_what_is_free() -> None:
            with transaction.atomic():
                rows = AlertDelivery.objects.select_for_update(skip_locked=True)
                free.append(len(rows))
            connections.close_all()

        with transaction.atomic():
            begin(system, at)
            other = Thread(target=lock_what_is_free)
            other.start()
            other.join(timeout=30)

        assert free == [2]

    def test_waits_for_no_delivery_that_is_being_put_off(
        self, happen: Happen, system: Actor, at: datetime
    ) -> None:
        for _ in range(2):
            happen()
        services.raise_alerts(channels=["mail"], actor=system, at=at)
        least = AlertDelivery.objects.earliest("pk")
        taken: list[AlertDelivery | None] = []

        def try_it() -> None:
            taken.append(services.begin_try("mail", actor=system, at=at))
            connections.close_all()

        with transaction.atomic():
            AlertDelivery.objects.filter(pk=least.pk).update(problem="It answered 500.")
            other = Thread(target=try_it)
            other.start()
            other.join(timeout=30)

            assert [row is not None and row.pk != least.pk for row in taken] == [True]

    def test_of_one_whose_end_is_recorded_meanwhile_loses_nothing(
        self, happen: Happen, system: Actor, at: datetime
    ) -> None:
        for _ in range(2):
            happen()
        services.raise_alerts(channels=["mail"], actor=system, at=at)
        late, taken = begin(system, at), []
        expired = at + timedelta(seconds=140)

        def try_it() -> None:
            taken.append(services.begin_try("mail", actor=system, at=expired))
            connections.close_all()

        other = Thread(target=try_it)
        with transaction.atomic():
            services.record_sent(late.pk, actor=system, at=expired)
            other.start()
            other.join(timeout=0.5)
        other.join(timeout=30)

        late.refresh_from_db()
        assert late.state == DeliveryState.SENT
        assert attempts() == [(1, "")]
        assert [row is not None and row.pk != late.pk for row in taken] == [True]

    def test_takes_what_was_tried_least(self, happen: Happen, system: Actor, at: datetime) -> None:
        happen()
        services.raise_alerts(channels=["mail"], actor=system, at=at)
        first = begin(system, at)
        services.record_failure(first.pk, problem="It answered 400.", actor=system, at=at)
        happen()
        services.raise_alerts(channels=["mail"], actor=system, at=at)

        assert begin(system, at + timedelta(minutes=1)).pk != first.pk

    def test_counts_a_try_that_died_as_failed(
        self, delivery: AlertDelivery, system: Actor, at: datetime
    ) -> None:
        begin(system, at)
        later = at + timedelta(seconds=140)

        assert services.begin_try("mail", actor=system, at=later) is None

        delivery.refresh_from_db()
        assert (delivery.state, delivery.problem) == (DeliveryState.PENDING, services.LOST)
        assert attempts() == [(1, services.LOST)]
        assert begin(system, later + timedelta(seconds=10)).tries == 2

    def test_gives_up_when_tries_have_died_for_a_day(
        self, delivery: AlertDelivery, system: Actor, at: datetime
    ) -> None:
        begin(system, at)

        assert services.begin_try("mail", actor=system, at=at + timedelta(hours=24)) is None

        delivery.refresh_from_db()
        assert delivery.state == DeliveryState.ABANDONED

    def test_is_not_for_what_is_over(
        self, delivery: AlertDelivery, system: Actor, at: datetime
    ) -> None:
        services.record_sent(begin(system, at).pk, actor=system, at=at)

        assert services.begin_try("mail", actor=system, at=at) is None


@pytest.mark.django_db(transaction=True)
class TestRecordSent:
    def test_ends_the_delivery(self, delivery: AlertDelivery, system: Actor, at: datetime) -> None:
        services.record_sent(begin(system, at).pk, actor=system, at=at)

        delivery.refresh_from_db()
        assert (delivery.state, delivery.sent_at) == (DeliveryState.SENT, at)
        assert attempts() == [(1, "")]

    def test_makes_due_what_waited_for_the_channel(
        self, happen: Happen, delivery: AlertDelivery, system: Actor, at: datetime
    ) -> None:
        for _ in range(6):
            failed = begin(system, at)
            at = services.record_failure(failed.pk, problem="No.", actor=system, at=at).due_at
        services.record_failure(begin(system, at).pk, problem="No.", actor=system, at=at)
        happen()
        services.raise_alerts(channels=["mail"], actor=system, at=at)

        services.record_sent(begin(system, at).pk, actor=system, at=at)

        assert begin(system, at).pk == delivery.pk

    def test_is_refused_twice(self, delivery: AlertDelivery, system: Actor, at: datetime) -> None:
        services.record_sent(begin(system, at).pk, actor=system, at=at)

        with pytest.raises(IllegalTransition):
            services.record_sent(delivery.pk, actor=system, at=at + timedelta(seconds=1))

        delivery.refresh_from_db()
        assert delivery.sent_at == at
        assert attempts() == [(1, "")]


@pytest.mark.django_db(transaction=True)
class TestRecordFailure:
    def test_keeps_the_problem_and_goes_on_trying(
        self, delivery: AlertDelivery, system: Actor, at: datetime
    ) -> None:
        begin(system, at)

        services.record_failure(delivery.pk, problem="It answered 500.", actor=system, at=at)

        delivery.refresh_from_db()
        assert (delivery.state, delivery.problem) == (DeliveryState.PENDING, "It answered 500.")
        assert attempts() == [(1, "It answered 500.")]

    def test_puts_the_next_try_off_further_each_time(
        self, delivery: AlertDelivery, system: Actor, at: datetime
    ) -> None:
        waits = []
        for _ in range(9):
            begin(system, at)
            failed = services.record_failure(delivery.pk, problem="No.", actor=system, at=at)
            waits.append((failed.due_at - at).total_seconds())
            at = failed.due_at

        assert waits == [10, 20, 40, 80, 160, 320, 640, 900, 900]
        assert attempts() == [(number, "No.") for number in range(1, 10)]

    def test_lets_the_channel_rest(self, happen: Happen, system: Actor, at: datetime) -> None:
        happen()
        happen()
        services.raise_alerts(channels=CHANNELS, actor=system, at=at)

        services.record_failure(begin(system, at).pk, problem="No.", actor=system, at=at)

        assert services.begin_try("mail", actor=system, at=at + timedelta(seconds=9)) is None
        begin(system, at, "webhook")
        begin(system, at + timedelta(seconds=10))

    def test_gives_up_after_a_day(
        self, delivery: AlertDelivery, system: Actor, at: datetime
    ) -> None:
        a_day_later = at + timedelta(hours=24)
        begin(system, a_day_later)

        services.record_failure(delivery.pk, problem="No such host.", actor=system, at=a_day_later)

        delivery.refresh_from_db()
        assert (delivery.state, delivery.sent_at) == (DeliveryState.ABANDONED, None)

    def test_is_refused_after_it_was_sent(
        self, delivery: AlertDelivery, system: Actor, at: datetime
    ) -> None:
        services.record_sent(begin(system, at).pk, actor=system, at=at)

        with pytest.raises(IllegalTransition):
            services.record_failure(delivery.pk, problem="Late.", actor=system, at=at)

        delivery.refresh_from_db()
        assert (delivery.state, delivery.problem) == (DeliveryState.SENT, "")
        assert attempts() == [(1, "")]


@pytest.mark.django_db(transaction=True)
class TestAcknowledge:
    def test_ends_what_nobody_could_be_told(
        self, happen: Happen, system: Actor, staff: Actor, at: datetime
    ) -> None:
        event = happen()
        services.raise_alerts(channels=[], actor=system, at=at)

        assert services.acknowledge(event_ids=[event.pk], actor=staff, at=at) == 1

        assert AlertDelivery.objects.get().state == DeliveryState.ACKNOWLEDGED
        services.raise_alerts(channels=CHANNELS, actor=system, at=at)
        assert told() == [("gate.hold_placed", "")]

    def test_is_of_all_or_of_none(
        self, happen: Happen, system: Actor, staff: Actor, at: datetime
    ) -> None:
        read = [happen().pk for _ in range(2)]
        services.raise_alerts(channels=[], actor=system, at=at)
        newest = AlertDelivery.objects.latest("pk")
        with connection.cursor() as cursor:  # as if the database stopped with the second one
            cursor.execute(
                "ALTER TABLE operations_alertdelivery ADD CONSTRAINT stopped_half_way "
                f"CHECK (id <> '{newest.pk}' OR state = 'UNADDRESSED')"
            )
        try:
            with pytest.raises(IntegrityError, match="stopped_half_way"):
                services.acknowledge(event_ids=read, actor=staff, at=at)
        finally:
            with connection.cursor() as cursor:
                cursor.execute(
                    "ALTER TABLE operations_alertdelivery DROP CONSTRAINT stopped_half_way"
                )

        states = set(AlertDelivery.objects.values_list("state", flat=True))
        assert states == {DeliveryState.UNADDRESSED}
        assert services.acknowledge(event_ids=read, actor=staff, at=at) == 2

    def test_counts_an_event_that_two_channels_gave_up_once(
        self, happen: Happen, system: Actor, staff: Actor, at: datetime
    ) -> None:
        event = happen()
        services.raise_alerts(channels=CHANNELS, actor=system, at=at)
        AlertDelivery.objects.update(state=DeliveryState.ABANDONED)

        assert services.acknowledge(event_ids=[event.pk], actor=staff, at=at) == 1

        states = AlertDelivery.objects.values_list("state", flat=True)
        assert list(states) == [DeliveryState.ACKNOWLEDGED] * 2

    def test_leaves_alone_what_is_still_tried(
        self, delivery: AlertDelivery, staff: Actor, at: datetime
    ) -> None:
        assert services.acknowledge(event_ids=[delivery.event_id], actor=staff, at=at) == 0

        delivery.refresh_from_db()
        assert delivery.state == DeliveryState.PENDING


@pytest.mark.django_db(transaction=True)
class TestConstraints:
    def test_alert_cursor_is_one_row(self) -> None:
        with pytest.raises(IntegrityError, match="alert_cursor_is_one_row"):
            AlertCursor.objects.create(pk=2)

    def test_alert_delivery_state_known(self, delivery: AlertDelivery) -> None:
        with pytest.raises(IntegrityError, match="alert_delivery_state_known"):
            AlertDelivery.objects.update(state="LOST")

    def test_alert_delivery_sent_iff_time(self, delivery: AlertDelivery) -> None:
        with pytest.raises(IntegrityError, match="alert_delivery_sent_iff_time"):
            AlertDelivery.objects.update(state=DeliveryState.SENT)

    def test_alert_delivery_needs_a_channel_to_be_tried(self, delivery: AlertDelivery) -> None:
        for wrong in ({"channel": ""}, {"state": DeliveryState.UNADDRESSED}):
            with pytest.raises(IntegrityError, match="alert_delivery_needs_a_channel_to_be_tried"):
                AlertDelivery.objects.update(**wrong)

    def test_alert_delivery_is_tried_while_pending(self, delivery: AlertDelivery) -> None:
        with pytest.raises(IntegrityError, match="alert_delivery_is_tried_while_pending"):
            AlertDelivery.objects.update(state=DeliveryState.ABANDONED, begun_at=delivery.raised_at)

    def test_alert_delivery_one_try_per_channel(
        self, delivery: AlertDelivery, happen: Happen, system: Actor, at: datetime
    ) -> None:
        happen()
        services.raise_alerts(channels=["mail"], actor=system, at=at)

        with pytest.raises(IntegrityError, match="alert_delivery_one_try_per_channel"):
            AlertDelivery.objects.update(begun_at=at)

    def test_alert_attempt_once_per_number(
        self, delivery: AlertDelivery, system: Actor, at: datetime
    ) -> None:
        services.record_sent(begin(system, at).pk, actor=system, at=at)

        with pytest.raises(IntegrityError, match="alert_attempt_once_per_number"):
            AlertAttempt.objects.create(delivery=delivery, number=1, begun_at=at, ended_at=at)

    def test_operations_alertattempt_append_only(
        self, delivery: AlertDelivery, system: Actor, at: datetime
    ) -> None:
        services.record_sent(begin(system, at).pk, actor=system, at=at)

        with pytest.raises(IntegrityError, match="append-only"):
            AlertAttempt.objects.update(problem="It was never taken.")
        with pytest.raises(IntegrityError, match="append-only"):
            AlertAttempt.objects.all().delete()

    def test_alert_delivery_once_per_event_and_channel(self, delivery: AlertDelivery) -> None:
        again = {"event": delivery.event, "channel": "mail"}
        when = {"raised_at": delivery.raised_at, "due_at": delivery.due_at}

        with (
            pytest.raises(IntegrityError, match="alert_delivery_once_per_event_and_channel"),
            transaction.atomic(),
        ):
            AlertDelivery.objects.create(**again, **when)
