"""What the database itself refuses."""

from datetime import datetime

import pytest
from django.db import IntegrityError

from issuer.operations.models import Heartbeat


@pytest.mark.django_db
class TestHeartbeat:
    def test_is_one_row(self, at: datetime) -> None:
        Heartbeat.objects.create(beaten_at=at)

        with pytest.raises(IntegrityError, match="heartbeat_is_one_row"):
            Heartbeat.objects.update(id=2)
