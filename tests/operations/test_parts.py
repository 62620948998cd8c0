"""The parts of one machine that can be tried alone; test_up.py tries them together."""

import io
import socket
from contextlib import closing
from pathlib import Path

import pytest
from django.core.management import call_command
from pytest_django import Settings

from issuer.operations import parts
from issuer.operations.supervisor import CannotStart, Part


class TestMachine:
    def test_brings_its_own_database_unless_there_is_one(self, settings: Settings) -> None:
        settings.DATABASE_EMBEDDED = False
        elsewhere = [stage.name for stage in parts.machine(host="127.0.0.1", port=8000)]
        settings.DATABASE_EMBEDDED = True
        own = [stage.name for stage in parts.machine(host="127.0.0.1", port=8000)]

        assert elsewhere == ["migrations", "static", "worker", "beat", "web"]
        assert own == ["database", "schema", *elsewhere]


class TestEmbeddedDatabase:
    def test_refuses_before_anything_starts(self, settings: Settings, open_directory: Path) -> None:
        settings.DATA_DIR = open_directory / "data"
        settings.DATA_DIR.write_text("a file")
        check = parts.embedded_database().check

        assert check is not None
        with pytest.raises(CannotStart, match="is not a directory"):
            check()


class TestStaticFiles:
    def test_are_collected_again_only_when_one_changed(
        self, settings: Settings, tmp_path: Path
    ) -> None:
        source = tmp_path / "source"
        source.mkdir()
        (source / "style.css").write_text("a {}")
        settings.STATICFILES_DIRS = [source]
        settings.STATICFILES_FINDERS = ["django.contrib.staticfiles.finders.FileSystemFinder"]
        settings.STATIC_ROOT = tmp_path / "static"
        step = parts.static_files()

        first, second = step.work(), step.work()
        (source / "style.css").write_text("a { color: black }")
        third = step.work()

        assert (first, second, third) == ("collected", "unchanged", "collected")
        assert (tmp_path / "static" / "style.css").read_text() == "a { color: black }"


@pytest.mark.django_db(transaction=True)
class TestMigrations:
    def test_say_how_many_were_applied(self) -> None:
        assert parts.migrations().work() == "none to apply"

    def test_are_applied_and_files_collected_by_one_command(
        self, settings: Settings, tmp_path: Path
    ) -> None:
        (tmp_path / "style.css").write_text("a {}")
        settings.STATICFILES_DIRS = [tmp_path]
        settings.STATICFILES_FINDERS = ["django.contrib.staticfiles.finders.FileSystemFinder"]
        settings.STATIC_ROOT = tmp_path / "static"
        said = io.StringIO()

        call_command("prepare", stdout=said)

        assert said.getvalue() == "migrations: none to apply\nstatic: collected\n"


class TestRequireFree:
    def test_accepts_a_port_that_nobody_has(self) -> None:
        with closing(socket.socket()) as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]

        parts.require_free("127.0.0.1", port)

    def test_refuses_one_that_is_taken(self) -> None:
        with closing(socket.socket()) as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]

            with pytest.raises(CannotStart) as refusal:
                parts.require_free("127.0.0.1", port)

        assert str(refusal.value) == (
            f"Cannot listen on 127.0.0.1 port {port}: Address already in use. "
            "Choose another with --port."
        )

    def test_refuses_an_address_that_is_not_ours(self) -> None:
        with pytest.raises(CannotStart, match=r"Cannot listen on 192\.0\.2\.1 port 8000"):
            parts.require_free("192.0.2.1", 8000)


class TestWeb:
    def test_counts_in_an_empty_directory(self, settings: Settings, tmp_path: Path) -> None:
        settings.DATA_DIR = tmp_path
        stale = tmp_path / "run" / "metrics" / "stale.db"
        stale.parent.mkdir(parents=True)
        stale.write_text("of an earlier process")
        web: Part = parts.web(host="127.0.0.1", port=8000)

        assert web.prepare is not None
        web.prepare()

        assert list(stale.parent.iterdir()) == []
        assert web.environment == {"PROMETHEUS_MULTIPROC_DIR": str(stale.parent)}


class TestAnswers:
    def test_says_no_where_nobody_listens(self) -> None:
        with closing(socket.socket()) as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]

        assert parts.answers("127.0.0.1", port, "/healthz") is False
