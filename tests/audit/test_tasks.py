from datetime import datetime

import pytest
from django.db import transaction

from issuer.audit import services, tasks
from issuer.audit.models import Seal
from issuer.foundation.actors import Actor
from tests.make.people import person


@pytest.mark.django_db(transaction=True)
class TestSealTrail:
    def test_seals_until_nothing_is_left(
        self, system: Actor, at: datetime, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(services, "EVENTS_PER_SEAL", 2)
        subject = person()
        with transaction.atomic():
            for _ in range(5):
                services.record("person.greet", subject=subject, actor=system, at=at)

        tasks.seal_trail()
        tasks.seal_trail()

        assert [seal.last_position for seal in Seal.objects.order_by("number")] == [2, 4, 5]
        assert {seal.sealed_by for seal in Seal.objects.all()} == {"SYSTEM:audit.seal_trail"}
