"""Probes, by the middleware that answers them."""

import ast
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote

import pytest
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.db.models.functions import Now
from django.test import Client
from pytest_django import Settings

from issuer.celery import app
from issuer.operations import tasks
from issuer.operations.models import Heartbeat

#: A name that we do not answer to elsewhere.
STRANGER = {"Host": "10.0.0.7:8000"}


class TestHealthz:
    def test_answers_without_a_database_and_by_any_name(self, client: Client) -> None:
        response = client.get("/healthz", headers=STRANGER)

        assert (response.status_code, response.json()) == (200, {"status": "ok"})
        assert "no-store" in response["Cache-Control"]

    def test_answers_questions_only(self, client: Client) -> None:
        assert client.post("/healthz").status_code == 405

    def test_is_the_only_kind_that_needs_no_name(self, client: Client) -> None:
        assert client.get("/nothing", headers=STRANGER).status_code == 400


@pytest.mark.django_db
class TestReadyz:
    def test_is_fit_when_the_beat_has_just_come_through(self, client: Client) -> None:
        tasks.beat()

        response = client.get("/readyz", headers=STRANGER)

        ok = dict.fromkeys(("database", "migrations", "broker", "heartbeat"), "ok")
        assert response.json() == {"status": "ok", "checks": ok}
        assert response.status_code == 200

    def test_is_unfit_until_the_beat_comes_through(self, client: Client) -> None:
        response = client.get("/readyz")

        assert response.status_code == 503
        assert response.json()["status"] == "unavailable"
        assert response.json()["checks"]["heartbeat"] == "The beat has not reached a worker yet."

    def test_is_unfit_when_the_beat_falls_silent(self, client: Client) -> None:
        tasks.beat()
        Heartbeat.objects.update(beaten_at=Now() - timedelta(seconds=60))

        response = client.get("/readyz")

        assert response.status_code == 503
        assert response.json()["checks"]["heartbeat"] == "The beat last reached a worker 60 s ago."

    def test_is_unfit_without_a_broker(
        self, client: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(app.conf, "broker_write_url", "amqp://127.0.0.1:1//")

        response = client.get("/readyz")

        assert response.status_code == 503
        assert response.json()["checks"]["broker"] == "The broker does not answer."

    def test_is_unfit_while_a_migration_waits(self, client: Client) -> None:
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM django_migrations WHERE app = 'operations'")

        response = client.get("/readyz")

        assert response.status_code == 503
        ours = [app for app, _ in MigrationLoader(None).disk_migrations if app == "operations"]
        waiting = f"{len(ours)} migrations are not applied."
        assert response.json()["checks"]["migrations"] == waiting


class TestReadyzWithoutDatabase:
    def test_says_of_each_check_what_is_wrong(self, tmp_path: Path) -> None:
        """In a process of its own, since this one has a database."""
        script = "import django; django.setup(); from issuer.operations import selectors; "
        environment = os.environ | {"DATABASE_URL": f"postgresql:///x?host={quote(str(tmp_path))}"}

        answer = subprocess.run(
            [sys.executable, "-c", f"{script}print(selectors.readiness())"],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )

        silent = "The database does not answer."
        assert ast.literal_eval(answer.stdout) == {
            **dict.fromkeys(("database", "migrations", "heartbeat"), silent),
            "broker": "ok",
        }


class TestMetrics:
    def test_are_open_in_the_demo_world(self, client: Client, settings: Settings) -> None:
        settings.METRICS_TOKEN = ""

        response = client.get("/metrics", headers=STRANGER)

        assert response.status_code == 200
        assert b"python_info" in response.content

    def test_are_closed_elsewhere_until_there_is_a_token(
        self, client: Client, settings: Settings
    ) -> None:
        settings.METRICS_TOKEN = ""
        settings.SANDBOX = False

        assert client.get("/metrics").status_code == 404

    def test_want_the_token(self, client: Client, settings: Settings) -> None:
        settings.METRICS_TOKEN = "hunter2"

        wrong = client.get("/metrics", headers={"Authorization": "Bearer hunter3"})
        right = client.get("/metrics", headers={"Authorization": "Bearer hunter2"})

        assert (wrong.status_code, right.status_code) == (404, 200)


@pytest.mark.django_db
class TestHeartbeat:
    def test_is_one_row_however_often_it_beats(self) -> None:
        tasks.beat()
        first = Heartbeat.objects.get().beaten_at
        tasks.beat()

        assert Heartbeat.objects.get().beaten_at >= first
        assert str(Heartbeat(beaten_at=datetime(2026, 11, 20, 15, tzinfo=UTC))) == (
            "Heartbeat of 2026-11-20 15:00:00"
        )
