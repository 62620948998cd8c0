"""Alerts that reached nobody, on Today and in their list."""

from collections.abc import Callable
from datetime import datetime

import pytest
from pytest_django import Settings

from issuer.events.models import Event
from issuer.foundation.actors import Actor
from issuer.operations.alerts import services
from issuer.operations.alerts.states import DeliveryState
from issuer.operations.models import AlertDelivery
from issuer.people.roles import Role
from tests.backoffice.clients import client_of, text_of
from tests.make.people import user

Happen = Callable[..., Event]
LIST = "/admin/operations/alertdelivery/"
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("market_clock")]


@pytest.fixture
def untold(happen: Happen, system: Actor, at: datetime) -> AlertDelivery:
    happen("break.opened", code="UNA-MINT", token="AAPLx", severity="CRITICAL")
    services.raise_alerts(channels=[], actor=system, at=at)
    return AlertDelivery.objects.get()


class TestToday:
    def test_says_what_nobody_was_told(self, untold: AlertDelivery) -> None:
        page = text_of(client_of(user(Role.AUDITOR)), "/admin/")

        assert "1 alert told to nobody" in page
        assert "Break UNA-MINT on AAPLx" in page

    def test_says_that_nobody_would_be_told(self, settings: Settings) -> None:
        settings.ALERT_MAIL_TO, settings.ALERT_WEBHOOK_URL = [], ""

        page = text_of(client_of(user(Role.AUDITOR)), "/admin/")

        assert "No channel for alerts is configured" in page
        assert "told to nobody" not in page

    def test_is_silent_where_all_were_told(self) -> None:
        page = text_of(client_of(user(Role.AUDITOR)), "/admin/")

        assert "untold-title" not in page


class TestAcknowledge:
    def test_marks_what_was_selected_as_read(self, untold: AlertDelivery) -> None:
        chosen = {"action": "acknowledge", "_selected_action": [str(untold.pk)]}

        client_of(user(Role.OPERATIONS_OFFICER)).post(LIST, chosen)

        untold.refresh_from_db()
        assert untold.state == DeliveryState.ACKNOWLEDGED

    def test_is_not_for_auditors(self, untold: AlertDelivery) -> None:
        chosen = {"action": "acknowledge", "_selected_action": [str(untold.pk)]}

        client_of(user(Role.AUDITOR)).post(LIST, chosen)

        untold.refresh_from_db()
        assert untold.state == DeliveryState.UNADDRESSED
