"""Each event once per channel, in whatever order and however often it is tried."""

from collections.abc import Callable
from datetime import datetime, timedelta
from threading import Barrier, Thread

import pytest
from django.db import IntegrityError, connections, transaction

from issuer.events.models import Event
from issuer.foundation.actors import Actor
from issuer.foundation.errors import IllegalTransition
from issuer.operations.alerts import services
from issuer.operations.alerts.states import DeliveryState
from issuer.operations.models import AlertCursor, AlertDelivery

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

    def test_does_not_flood_a_channel_that_is_configured_later(
        self, happen: Happen, system: Actor, at: datetime
    ) -> None:
        happen()
        services.raise_alerts(channels=[], actor=system, at=at)

        services.raise_alerts(channels=["mail"], actor=system, at=at)

        assert told() == []

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


@pytest.mark.django_db(transaction=True)
class TestBeginTry:
    def test_leaves_the_try_the_time_that_it_may_take(
        self, delivery: AlertDelivery, at: datetime
    ) -> None:
        taken = services.begin_try(delivery.pk, at=at)

        assert taken is not None
        assert (taken.due_at - at).total_seconds() == 100

    def test_is_not_for_a_second_worker(self, delivery: AlertDelivery, at: datetime) -> None:
        services.begin_try(delivery.pk, at=at)

        assert services.begin_try(delivery.pk, at=at) is None
        delivery.refresh_from_db()
        assert delivery.tries == 1

    def test_is_not_for_what_is_over(
        self, delivery: AlertDelivery, system: Actor, at: datetime
    ) -> None:
        services.record_sent(delivery.pk, actor=system, at=at)

        assert services.begin_try(delivery.pk, at=at) is None


@pytest.mark.django_db(transaction=True)
class TestRecordSent:
    def test_ends_the_delivery(self, delivery: AlertDelivery, system: Actor, at: datetime) -> None:
        services.record_sent(delivery.pk, actor=system, at=at)

        delivery.refresh_from_db()
        assert (delivery.state, delivery.sent_at) == (DeliveryState.SENT, at)

    def test_is_refused_twice(self, delivery: AlertDelivery, system: Actor, at: datetime) -> None:
        services.record_sent(delivery.pk, actor=system, at=at)

        with pytest.raises(IllegalTransition):
            services.record_sent(delivery.pk, actor=system, at=at + timedelta(seconds=1))

        delivery.refresh_from_db()
        assert delivery.sent_at == at


@pytest.mark.django_db(transaction=True)
class TestRecordFailure:
    def test_keeps_the_problem_and_goes_on_trying(
        self, delivery: AlertDelivery, system: Actor, at: datetime
    ) -> None:
        services.record_failure(delivery.pk, problem="It answered 500.", actor=system, at=at)

        delivery.refresh_from_db()
        assert (delivery.state, delivery.problem) == (DeliveryState.PENDING, "It answered 500.")

    def test_puts_the_next_try_off_further_each_time(
        self, delivery: AlertDelivery, system: Actor, at: datetime
    ) -> None:
        waits = []
        for _ in range(9):
            assert services.begin_try(delivery.pk, at=at) is not None
            failed = services.record_failure(delivery.pk, problem="No.", actor=system, at=at)
            waits.append((failed.due_at - at).total_seconds())
            at = failed.due_at

        assert waits == [10, 20, 40, 80, 160, 320, 640, 900, 900]

    def test_gives_up_after_a_day(
        self, delivery: AlertDelivery, system: Actor, at: datetime
    ) -> None:
        a_day_later = at + timedelta(hours=24)

        services.record_failure(delivery.pk, problem="No such host.", actor=system, at=a_day_later)

        delivery.refresh_from_db()
        assert (delivery.state, delivery.sent_at) == (DeliveryState.ABANDONED, None)

    def test_is_refused_after_it_was_sent(
        self, delivery: AlertDelivery, system: Actor, at: datetime
    ) -> None:
        services.record_sent(delivery.pk, actor=system, at=at)

        with pytest.raises(IllegalTransition):
            services.record_failure(delivery.pk, problem="Late.", actor=system, at=at)

        delivery.refresh_from_db()
        assert (delivery.state, delivery.problem) == (DeliveryState.SENT, "")


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

    def test_alert_delivery_once_per_event_and_channel(self, delivery: AlertDelivery) -> None:
        again = {"event": delivery.event, "channel": "mail"}
        when = {"raised_at": delivery.raised_at, "due_at": delivery.due_at}

        with (
            pytest.raises(IntegrityError, match="alert_delivery_once_per_event_and_channel"),
            transaction.atomic(),
        ):
            AlertDelivery.objects.create(**again, **when)
