"""What PostgreSQL refuses, past all Python."""

from datetime import datetime
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from psycopg import errors as psycopg_errors

from issuer.reserves.models import ShareHold
from tests.make import reserves

pytestmark = pytest.mark.django_db

LATER = datetime.fromisoformat("2026-11-20T16:00:00+00:00")


class TestShareHold:
    @pytest.mark.parametrize(
        ("columns", "name"),
        [
            ({"state": "LOST", "ended_at": LATER}, "share_hold_state_known"),
            ({"quantity": 0}, "share_hold_quantity_positive"),
            ({"state": "CONSUMED"}, "share_hold_ended_has_time"),
            ({"ended_at": LATER}, "share_hold_ended_has_time"),
        ],
    )
    def test_has_a_shape(self, columns: dict[str, Any], name: str, at: datetime) -> None:
        hold = reserves.share_hold(at=at)

        assert self.refused(hold, **columns) == name

    def test_is_active_once_per_request(self, at: datetime) -> None:
        first, second = reserves.share_hold(at=at), reserves.share_hold(at=at)

        name = self.refused(second, request_id=first.request_id)

        assert name == "share_hold_active_once_per_request"

    def refused(self, hold: ShareHold, **columns: Any) -> str | None:
        with pytest.raises(IntegrityError) as refusal, transaction.atomic():
            ShareHold.objects.filter(pk=hold.pk).update(**columns)
        cause = refusal.value.__cause__
        assert isinstance(cause, psycopg_errors.IntegrityError)
        return cause.diag.constraint_name
