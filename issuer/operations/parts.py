"""The parts of one machine: database, worker, beat and web server, and the steps between them."""

import hashlib
import http.client
import shutil
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Final

from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.core.management import call_command
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.migrations.executor import MigrationExecutor

from issuer.operations import grants
from issuer.operations.embedded import EmbeddedPostgres, ServerRefused, server_account
from issuer.operations.embedded import socket_directory as socket_directory_of
from issuer.operations.supervisor import CannotStart, Part, Step

OWNER: Final = "owner"


def machine(*, host: str, port: int) -> list[Part | Step]:
    """Return what one machine needs to serve, in order."""
    database: list[Part | Step] = (
        [embedded_database(), database_created()] if settings.DATABASE_EMBEDDED else []
    )
    return [*database, migrations(), static_files(), worker(), beat(), web(host=host, port=port)]


def embedded_database() -> Part:
    """The PostgreSQL of the wheel, on a Unix socket."""
    server = EmbeddedPostgres(settings.DATA_DIR)
    return Part(
        name="database",
        address=f"PostgreSQL in {socket_directory_of(settings.DATA_DIR)}",
        check=_refusing(server.check),
        prepare=_refusing(server.prepare),
        command=server.command,
        is_ready=server.is_ready,
        clean_up=server.remove_socket_directory,
        account=server_account(),
        stop_signal=signal.SIGINT,  # ends sessions, writes everything down
    )


def database_created() -> Step:
    """The database of the application, where the embedded server has none yet."""

    def work() -> str:
        return "created" if EmbeddedPostgres(settings.DATA_DIR).create_database() else "there"

    return Step("schema", work)


def migrations() -> Step:
    """The tables, as the owner's role where there is one."""

    def work() -> str:
        alias = OWNER if OWNER in connections else DEFAULT_DB_ALIAS
        connection = connections[alias]
        executor = MigrationExecutor(connection)
        plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
        if plan:
            with connection.cursor() as cursor:
                cursor.execute("SET statement_timeout = 0")  # changing tables may take its time
            call_command("migrate", database=alias, interactive=False, verbosity=0)
        if alias == OWNER:
            grants.grant(owner=connection, role=settings.DATABASES[DEFAULT_DB_ALIAS]["USER"])
        connections.close_all()
        return f"{len(plan)} applied" if plan else "none to apply"

    return Step("migrations", work)


def static_files() -> Step:
    """The static files, collected anew only if one of them changed."""

    def work() -> str:
        stamp = Path(settings.STATIC_ROOT) / ".collected"
        state = _state_of_static_files()
        if stamp.exists() and stamp.read_text(encoding="ascii") == state:
            return "unchanged"
        call_command("collectstatic", interactive=False, clear=True, verbosity=0)
        stamp.write_text(state, encoding="ascii")
        return "collected"

    return Step("static", work)


def worker() -> Part:
    """The processes that work in the background."""
    processes = settings.WORKER_PROCESSES
    return Part(
        name="worker",
        address=f"{settings.BROKER_URL.partition(':')[0]}, {processes} at a time",
        # Workers do not talk to each other: nobody listens, and not every broker carries it.
        command=lambda: _celery(
            *("worker", f"--concurrency={processes}"),
            *("--without-mingle", "--without-gossip", "--without-heartbeat"),
        ),
        directory=settings.BASE_DIR,
    )


def beat() -> Part:
    """The process that says what is due."""
    schedule = Path(settings.CELERY_BEAT_SCHEDULE_FILENAME)
    return Part(
        name="beat",
        address=f"{len(settings.CELERY_BEAT_SCHEDULE)} tasks",
        prepare=lambda: schedule.parent.mkdir(parents=True, exist_ok=True),
        command=lambda: _celery("beat", "--pidfile="),
        directory=settings.BASE_DIR,
    )


def web(*, host: str, port: int) -> Part:
    """The pages and the interface."""
    metrics = settings.DATA_DIR / "run" / "metrics"  # where its processes count together
    return Part(
        name="web",
        address=f"http://{host}:{port}",
        check=lambda: require_free(host, port),
        command=lambda: [
            sys.executable,
            *("-m", "granian", "issuer.wsgi:application", "--interface", "wsgi"),
            *("--host", host, "--port", str(port), "--no-ws"),
            *("--workers", str(settings.WEB_PROCESSES)),
            *("--blocking-threads", str(settings.WEB_THREADS)),
        ],
        is_ready=lambda: answers(host, port, "/healthz"),
        prepare=lambda: _make_empty(metrics),
        environment={"PROMETHEUS_MULTIPROC_DIR": str(metrics)},
        directory=settings.BASE_DIR,
    )


def require_free(host: str, port: int) -> None:
    """Make sure that we could listen there.

    Raises:
        CannotStart: if somebody else does, or the address is not ours.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with closing(socket.socket(family)) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as exc:
            raise CannotStart(
                f"Cannot listen on {host} port {port}: {exc.strerror}. Choose another with --port."
            ) from exc


def answers(host: str, port: int, path: str) -> bool:
    """Return whether a web server there answers `path` with 200."""
    # Connecting to "any address" reaches this machine, on Linux and macOS alike.
    with closing(http.client.HTTPConnection(host, port, timeout=2)) as connection:
        try:
            connection.request("GET", path)
            return connection.getresponse().status == http.client.OK
        except (OSError, http.client.HTTPException):
            return False


def _celery(*arguments: str) -> Sequence[str]:
    return [sys.executable, "-m", "celery", "-A", "issuer", "--quiet", *arguments]


def _make_empty(directory: Path) -> None:
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)


def _refusing(act: Callable[[], None]) -> Callable[[], None]:
    def checked() -> None:
        try:
            act()
        except ServerRefused as refusal:
            raise CannotStart(str(refusal)) from refusal

    return checked


def _state_of_static_files() -> str:
    """Return a digest of names, sizes and times: reading the files takes as long as copying."""
    digest = hashlib.sha256()
    for finder in get_finders():
        for name, storage in finder.list([]):
            status = Path(storage.path(name)).stat()
            digest.update(f"{name} {status.st_size} {status.st_mtime_ns}\n".encode())
    return digest.hexdigest()
