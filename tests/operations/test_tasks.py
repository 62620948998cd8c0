"""Alerts by the beat: raised, tried, repeated and never sent twice by two workers."""

from collections.abc import Callable
from pathlib import Path

import pytest
from django.core import mail
from pytest_django import Settings

from issuer.events.models import Event
from issuer.operations import tasks
from issuer.operations.alerts.states import DeliveryState
from issuer.operations.models import AlertDelivery

Happen = Callable[..., Event]
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("market_clock")]


@pytest.fixture(autouse=True)
def desk(settings: Settings) -> None:
    settings.ALERT_MAIL_TO = ["desk@issuer.example"]
    settings.ALERT_WEBHOOK_URL = ""


@pytest.fixture
def raised(happen: Happen, monkeypatch: pytest.MonkeyPatch) -> AlertDelivery:
    happen("break.opened", code="UNA-MINT", token="AAPLx", severity="CRITICAL")
    begun: list[dict[str, str]] = []
    monkeypatch.setattr(
        tasks.deliver_alert, "apply_async", lambda **sent: begun.append(sent["kwargs"])
    )
    tasks.alert_staff()
    delivery = AlertDelivery.objects.get()
    assert begun == [{"delivery_id": str(delivery.pk)}]
    return delivery


class TestDeliverAlert:
    def test_sends_it_once(self, raised: AlertDelivery) -> None:
        tasks.deliver_alert(delivery_id=str(raised.pk))
        tasks.deliver_alert(delivery_id=str(raised.pk))

        raised.refresh_from_db()
        assert (raised.state, raised.tries) == (DeliveryState.SENT, 1)
        assert [sent.subject for sent in mail.outbox] == ["[Now] Break UNA-MINT on AAPLx"]

    def test_keeps_it_for_later_when_nobody_takes_it(
        self, raised: AlertDelivery, settings: Settings
    ) -> None:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 9

        tasks.deliver_alert(delivery_id=str(raised.pk))

        raised.refresh_from_db()
        assert (raised.state, raised.tries) == (DeliveryState.PENDING, 1)
        assert "refused" in raised.problem

    def test_keeps_it_while_its_channel_is_not_configured(
        self, raised: AlertDelivery, settings: Settings, tmp_path: Path
    ) -> None:
        settings.ALERT_MAIL_TO = []

        tasks.deliver_alert(delivery_id=str(raised.pk))

        raised.refresh_from_db()
        assert raised.problem == "No channel mail is configured any more."
