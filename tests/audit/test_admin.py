from datetime import datetime

import pytest
from django.test import Client
from django.urls import reverse

from issuer.audit import services
from issuer.audit.models import AuditEvent, Seal
from issuer.foundation.actors import Actor
from issuer.people.roles import Role
from tests.make.people import person, user

pytestmark = pytest.mark.django_db


class TestTrail:
    def test_is_shown_to_every_role_and_changed_by_none(self, system: Actor, at: datetime) -> None:
        event = services.record("person.greet", subject=person(), actor=system, at=at)
        Seal.objects.create(
            number=1,
            first_position=1,
            last_position=1,
            previous_hash="0" * 64,
            hash="1" * 64,
            sealed_at=at,
            sealed_by="SYSTEM:tests",
        )
        client = Client()
        client.force_login(user(Role.AUDITOR))

        listed = client.get(reverse("admin:audit_auditevent_changelist"))
        shown = client.get(reverse("admin:audit_auditevent_change", args=[event.pk]))
        seals = client.get(reverse("admin:audit_seal_changelist"))
        deleted = client.post(
            reverse("admin:audit_auditevent_delete", args=[event.pk]), {"post": "yes"}
        )

        assert "person.greet" in listed.content.decode()
        assert "person.greet" in shown.content.decode()
        assert "1" * 64 in seals.content.decode()
        assert deleted.status_code == 403
        assert AuditEvent.objects.filter(pk=event.pk).exists()
