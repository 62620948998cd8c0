import pytest
from django.test import Client
from django.urls import reverse

from issuer.foundation.identifiers import uuid7
from issuer.gate.models import ScopeKind
from issuer.people.roles import Role
from tests.make import gate as make
from tests.make import people

pytestmark = pytest.mark.django_db


class TestHolds:
    def test_are_shown_with_their_reasons_and_changed_by_nobody(self) -> None:
        hold = make.hold(ScopeKind.TOKEN, uuid7())
        client = Client()
        client.force_login(people.user(Role.AUDITOR))

        listed = client.get(reverse("admin:gate_hold_changelist"))
        shown = client.get(reverse("admin:gate_hold_change", args=[hold.pk]))

        assert "The books and the chain differ." in listed.content.decode()
        assert shown.status_code == 200
        assert client.post(reverse("admin:gate_hold_change", args=[hold.pk])).status_code == 403
        assert client.get(reverse("admin:gate_hold_add")).status_code == 403
