"""The pages on which officers issue and revoke keys."""

import re
from datetime import UTC, datetime

import pytest
from django.contrib.sessions.models import Session
from django.test import Client

from issuer.api import selectors
from issuer.api.models import ApiKey
from issuer.foundation import clock
from issuer.parties.models import AuthorizedParticipant
from issuer.people.roles import Role
from tests.make import api, parties, people

pytestmark = pytest.mark.django_db

ADD = "/admin/api/apikey/add/"


@pytest.fixture
def officer(client: Client) -> Client:
    client.force_login(people.user(Role.OPERATIONS_OFFICER))
    return client


@pytest.fixture
def participant() -> AuthorizedParticipant:
    return parties.participant()


class TestIssue:
    def test_shows_the_key_once_and_keeps_it_nowhere(
        self, officer: Client, participant: AuthorizedParticipant
    ) -> None:
        page = officer.post(ADD, fields(participant))

        assert page.status_code == 201
        assert "no-store" in page.headers["Cache-Control"]
        [text] = re.findall(r"iss_[0-9a-f]{12}_[0-9a-f]{64}", page.content.decode())
        key = selectors.key_in_force(text, at=clock.now())
        assert (key.participant, key.label, key.scopes) == (participant, "Desk", ["READ", "TRADE"])
        secret = text.rpartition("_")[2]
        assert all(secret not in str(row.get_decoded()) for row in Session.objects.all())
        for address in (ADD, "/admin/api/apikey/", f"/admin/api/apikey/{key.pk}/change/"):
            assert secret not in officer.get(address).content.decode()

    def test_asks_again_for_what_is_missing(
        self, officer: Client, participant: AuthorizedParticipant
    ) -> None:
        page = officer.post(ADD, fields(participant) | {"days": "400"})

        assert page.status_code == 200
        assert "less than or equal to 366" in page.content.decode()
        assert not ApiKey.objects.exists()

    @pytest.mark.parametrize(
        "role", [Role.APPROVER, Role.COMPLIANCE_OFFICER, Role.AUDITOR, Role.ADMINISTRATOR]
    )
    def test_is_for_operations_officers_only(
        self, client: Client, participant: AuthorizedParticipant, role: Role
    ) -> None:
        client.force_login(people.user(role))

        assert client.get(ADD).status_code == 403
        assert client.post(ADD, fields(participant)).status_code == 403
        assert not ApiKey.objects.exists()


class TestRevoke:
    def test_ends_the_key_and_is_offered_no_more(self, officer: Client) -> None:
        key, _ = api.key(at=datetime.now(UTC))
        page = f"/admin/api/apikey/{key.pk}/change/"
        address = f"/admin/api/apikey/{key.pk}/acts/revoke/"
        assert address in officer.get(page).content.decode()

        officer.post(address)

        key.refresh_from_db()
        assert key.revoked_at is not None
        assert address not in officer.get(page).content.decode()


def fields(participant: AuthorizedParticipant) -> dict[str, object]:
    return {
        "participant": str(participant.pk),
        "label": "Desk",
        "scopes": ["READ", "TRADE"],
        "days": "90",
    }
