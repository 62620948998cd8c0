from datetime import datetime

import pytest
from django.test import Client
from django.urls import reverse

from issuer.events import services
from issuer.people.roles import Role
from tests.make.people import person, user

pytestmark = pytest.mark.django_db


class TestEventAdmin:
    def test_lists_what_happened(self, at: datetime) -> None:
        event = services.record("person.arrived", subject=person(), at=at)
        client = Client()
        client.force_login(user(Role.AUDITOR))

        listed = client.get(reverse("admin:events_event_changelist"))
        shown = client.get(reverse("admin:events_event_change", args=[event.pk]))

        assert "person.arrived" in listed.content.decode()
        assert "person.arrived" in shown.content.decode()
