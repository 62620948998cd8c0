"""What the door does by itself."""

from datetime import timedelta

import pytest

from issuer.api import services, tasks
from issuer.api.models import ServedRequest
from issuer.foundation import clock
from tests.make import parties

pytestmark = pytest.mark.django_db


class TestForgetServedRequests:
    def test_forgets_old_answers_and_keeps_new_ones(self) -> None:
        participant = parties.participant()
        for key, age in (("old", services.ANSWERS_KEPT + timedelta(hours=1)), ("new", timedelta())):
            ServedRequest.objects.create(
                participant=participant,
                idempotency_key=key,
                fingerprint="0" * 64,
                status=201,
                body="{}",
                served_at=clock.now() - age,
            )

        tasks.forget_served_requests()

        assert ServedRequest.objects.get().idempotency_key == "new"
        assert str(ServedRequest.objects.get()) == "new"
