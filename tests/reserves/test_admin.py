"""Shares held for requests, as staff see them."""

from datetime import datetime
from decimal import Decimal

import pytest
from django.test import Client
from django.urls import reverse

from issuer.people.roles import Role
from tests.make import people, reserves

pytestmark = pytest.mark.django_db


class TestShareHolds:
    def test_are_shown_and_changed_by_nobody(self, at: datetime) -> None:
        hold = reserves.share_hold(quantity=Decimal("600.5"), at=at)
        client = Client()
        client.force_login(people.user(Role.AUDITOR))
        change = reverse("admin:reserves_sharehold_change", args=[hold.pk])

        assert 'value="600.5"' in client.get(change).content.decode()
        listed = client.get(reverse("admin:reserves_sharehold_changelist"))
        assert str(hold.request_id) in listed.content.decode()
        assert client.post(change).status_code == 403
        assert client.get(reverse("admin:reserves_sharehold_add")).status_code == 403
