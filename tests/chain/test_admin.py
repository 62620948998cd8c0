"""What staff see of chains and mints, and may not change."""

import pytest
from django.db import models
from django.test import Client
from django.urls import reverse

from issuer.chain.states import IntentState
from issuer.people.roles import Role
from tests.make import chain as make
from tests.make import people

pytestmark = pytest.mark.django_db


@pytest.fixture
def auditor() -> Client:
    client = Client()
    client.force_login(people.user(Role.AUDITOR))
    return client


def path(row: models.Model, page: str) -> str:
    name = f"admin:chain_{row._meta.model_name}_{page}"
    return reverse(name, args=[row.pk] if page == "change" else [])


class TestPages:
    @pytest.fixture
    def rows(self) -> list[models.Model]:
        return [
            make.snapshot(),
            make.event(),
            make.incoming_transfer(),
            make.trouble(),
            make.intent(),
        ]

    def test_show_every_row_to_an_auditor(self, auditor: Client, rows: list[models.Model]) -> None:
        for row in rows:
            assert auditor.get(path(row, "changelist")).status_code == 200
            assert auditor.get(path(row, "change")).status_code == 200

    def test_let_nobody_add_or_change(self, auditor: Client, rows: list[models.Model]) -> None:
        for row in rows:
            assert auditor.get(path(row, "add")).status_code == 403
            assert auditor.post(path(row, "change")).status_code == 403


class TestTransactionIntent:
    def test_shows_its_tries_without_their_bytes(self, auditor: Client) -> None:
        intent = make.intent(state=IntentState.FINAL)
        attempt = intent.attempts.get()

        page = auditor.get(path(intent, "change")).content.decode()

        assert attempt.transaction_hash in page
        assert bytes(attempt.raw_transaction).hex() not in page
        assert "not for any chain" not in page
