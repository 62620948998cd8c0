from datetime import UTC, datetime

import pytest
from django.apps import apps
from django.contrib import admin
from django.http import HttpRequest
from django.test import Client, RequestFactory
from django.urls import reverse
from django.utils import formats
from pytest_django import Settings

from issuer.backoffice import navigation
from issuer.foundation.identifiers import uuid7
from issuer.people.models import User
from issuer.people.roles import Role
from tests.make import people

pytestmark = pytest.mark.django_db


def request_of(user: User, path: str = "/admin/") -> HttpRequest:
    request = RequestFactory().get(path)
    request.user = user
    return request


class TestAreas:
    @pytest.mark.parametrize("area", navigation.AREAS, ids=lambda area: area.title)
    def test_list_records_that_there_are(self, area: navigation.Area) -> None:
        for _, label in area.lists:
            assert admin.site.is_registered(apps.get_model(label)), label

    def test_list_nothing_twice(self) -> None:
        labels = [label for area in navigation.AREAS for _, label in area.lists]
        titles = [area.title for area in navigation.AREAS]

        assert len(set(labels)) == len(labels)
        assert len(set(titles)) == len(titles)
        assert "instruments.split" not in labels  # each is on the page of its stock split

    @pytest.mark.parametrize("role", list(Role))
    def test_open_for_every_role(self, role: Role) -> None:
        client = Client()
        client.force_login(people.user(role))
        for area in navigation.AREAS:
            for _, label in area.lists:
                address = reverse(f"admin:{label.replace('.', '_')}_changelist")

                assert client.get(address).status_code == 200, label


class TestSidebar:
    def test_begins_with_today_and_marks_where_one_is(self) -> None:
        user = people.user(Role.AUDITOR)

        (group,) = navigation.sidebar(request_of(user, "/admin/ledger/transfer/"))

        titles = [item["title"] for item in group["items"]]
        assert titles == ["Today", *(area.title for area in navigation.AREAS)]
        assert [item["title"] for item in group["items"] if item["active"]] == ["Books"]

    def test_has_nothing_but_today_for_a_login_without_a_role(self) -> None:
        (group,) = navigation.sidebar(request_of(people.user()))

        assert [item["title"] for item in group["items"]] == ["Today"]


class TestTabs:
    def test_lead_between_the_lists_of_an_area(self) -> None:
        bars = navigation.tabs(request_of(people.user(Role.AUDITOR)))

        books = next(bar for bar in bars if "ledger.account" in bar["models"])
        assert [item["title"] for item in books["items"]] == ["Accounts", "Transfers", "Entries"]


class TestEnvironment:
    def test_marks_the_demo_world_only(self, settings: Settings) -> None:
        request = request_of(people.user())

        assert navigation.environment(request) == ["Sandbox", "warning"]
        settings.SANDBOX = False
        assert navigation.environment(request) is None


class TestRecordUrl:
    def test_is_where_a_record_or_its_list_is_shown(self) -> None:
        record_id = uuid7()

        assert navigation.record_url("gate.hold") == "/admin/gate/hold/"
        assert (
            navigation.record_url("gate.hold", record_id) == f"/admin/gate/hold/{record_id}/change/"
        )

    def test_is_empty_for_what_is_shown_nowhere(self) -> None:
        assert navigation.record_url("chain.scancursor") == ""


class TestFormats:
    def test_write_days_and_times_as_iso_8601_has_them(self) -> None:
        moment = datetime(2026, 11, 20, 15, 0, 7, tzinfo=UTC)

        assert formats.localize(moment) == "2026-11-20 15:00:07Z"
        assert formats.localize(moment.date()) == "2026-11-20"
