"""Alerts by the beat: raised, tried, repeated and never sent twice by two workers."""

import os
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.db import connection, connections
from pytest_django import Settings

from issuer.events.models import Event
from issuer.foundation import clock
from issuer.foundation.actors import Actor
from issuer.operations import tasks
from issuer.operations.alerts import channels, services
from issuer.operations.alerts.messages import Alert
from issuer.operations.alerts.states import DeliveryState
from issuer.operations.models import AlertAttempt, AlertDelivery

Happen = Callable[..., Event]
KILLED = 137
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("market_clock")]


@pytest.fixture(autouse=True)
def desk(settings: Settings) -> None:
    settings.ALERT_MAIL_TO = ["desk@issuer.example"]
    settings.ALERT_WEBHOOK_URL = ""


@pytest.fixture
def raised(happen: Happen, monkeypatch: pytest.MonkeyPatch) -> AlertDelivery:
    happen("break.opened", code="UNA-MINT", token="AAPLx", severity="CRITICAL")
    begun: list[Mapping[str, str]] = []
    monkeypatch.setattr(
        tasks.deliver_alerts, "apply_async", lambda **sent: begun.append(sent["kwargs"])
    )
    tasks.alert_staff()
    assert begun == [{"channel": "mail"}]
    return AlertDelivery.objects.get()


class Fuse:
    """A channel with a fault of ours in it."""

    def send(self, alert: Alert) -> None:
        raise ValueError(f"whsec_c2VjcmV0 does not sign {alert.id}")


class TestAlertStaff:
    def test_gives_each_channel_a_task_of_its_own(
        self, happen: Happen, settings: Settings, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        settings.ALERT_WEBHOOK_URL, settings.ALERT_WEBHOOK_SECRET = "http://127.0.0.1:9/", "whsec_"
        begun: list[Mapping[str, str]] = []
        monkeypatch.setattr(
            tasks.deliver_alerts, "apply_async", lambda **sent: begun.append(sent["kwargs"])
        )
        happen()
        happen()

        tasks.alert_staff()

        assert begun == [{"channel": "mail"}, {"channel": "webhook"}]

    def test_has_nothing_delivered_where_no_channel_is(
        self, happen: Happen, settings: Settings
    ) -> None:
        settings.ALERT_MAIL_TO = []
        happen()

        tasks.alert_staff()

        assert AlertDelivery.objects.get().state == DeliveryState.UNADDRESSED


class TestDeliverAlerts:
    def test_sends_it_once(self, raised: AlertDelivery) -> None:
        tasks.deliver_alerts(channel="mail")
        tasks.deliver_alerts(channel="mail")

        raised.refresh_from_db()
        assert (raised.state, raised.tries) == (DeliveryState.SENT, 1)
        assert [sent.subject for sent in mail.outbox] == ["[Now] Break UNA-MINT on AAPLx"]

    def test_goes_on_until_nothing_is_due(
        self, raised: AlertDelivery, happen: Happen, system: Actor
    ) -> None:
        for _ in range(3):
            happen()
        services.raise_alerts(channels=["mail"], actor=system, at=clock.now())

        tasks.deliver_alerts(channel="mail")

        assert len(mail.outbox) == 4

    def test_keeps_it_for_later_when_nobody_takes_it(
        self, raised: AlertDelivery, settings: Settings
    ) -> None:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 9

        tasks.deliver_alerts(channel="mail")

        raised.refresh_from_db()
        assert (raised.state, raised.tries) == (DeliveryState.PENDING, 1)
        assert raised.problem == "The mail server did not take it: ConnectionRefusedError."

    def test_keeps_it_while_its_channel_is_not_configured(
        self, raised: AlertDelivery, settings: Settings
    ) -> None:
        settings.ALERT_MAIL_TO = []

        tasks.deliver_alerts(channel="mail")

        raised.refresh_from_db()
        assert raised.problem == "No channel mail is configured any more."

    def test_writes_down_that_a_fault_of_ours_ended_a_try_but_not_its_words(
        self, raised: AlertDelivery, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(channels, "configured", lambda: {"mail": Fuse()})

        with pytest.raises(ValueError, match="does not sign"):
            tasks.deliver_alerts(channel="mail")

        raised.refresh_from_db()
        assert (raised.state, raised.begun_at) == (DeliveryState.PENDING, None)
        assert raised.due_at > clock.now()
        problem = "It ended unexpectedly; the log says how."
        assert list(AlertAttempt.objects.values_list("number", "problem")) == [(1, problem)]


class TestWorkerKilledOverAnAlert:
    def test_tells_it_again_under_the_same_id(
        self, raised: AlertDelivery, system: Actor, settings: Settings, tmp_path: Any
    ) -> None:
        settings.EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
        settings.EMAIL_FILE_PATH = str(tmp_path / "mail")

        assert deliver_and_die(before='INSERT INTO "operations_alertattempt"') == KILLED

        raised.refresh_from_db()
        assert (raised.state, raised.tries) == (DeliveryState.PENDING, 1)
        later = clock.now() + services.LEASE + timedelta(seconds=1)
        assert services.begin_try("mail", actor=system, at=later) is None
        AlertDelivery.objects.update(due_at=clock.now())
        tasks.deliver_alerts(channel="mail")

        raised.refresh_from_db()
        assert (raised.state, raised.tries) == (DeliveryState.SENT, 2)
        sent = [path.read_text() for path in sorted((tmp_path / "mail").iterdir())]
        assert len(sent) == 2
        assert all(f"Message-ID: <{raised.pk}@" in message for message in sent)
        problems = AlertAttempt.objects.order_by("number").values_list("problem", flat=True)
        assert list(problems) == [services.LOST, ""]


def deliver_and_die(*, before: str) -> int:
    """Deliver by mail in a process that is killed before a statement; return its exit."""
    connections.close_all()  # or both processes would talk through one
    child = os.fork()
    if child == 0:
        try:
            with connection.execute_wrapper(_dying(before)):
                tasks.deliver_alerts(channel="mail")
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)


def _dying(words: str) -> Callable[..., Any]:
    def watch(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if words in sql:
            os._exit(KILLED)
        return execute(sql, params, many, context)

    return watch
