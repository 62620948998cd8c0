"""What every test stands on: a PostgreSQL of its own session, time, and actors."""

import os
import shutil
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pytest_django import Settings

from issuer.foundation import actors
from issuer.foundation.actors import Actor, ActorKind
from issuer.operations import databases, embedded
from issuer.people.roles import Role

_OWN_SERVER = "TESTS_START_THEIR_OWN_SERVER"
_running = pytest.StashKey[embedded.RunningPostgres]()

#: A test database need not survive the machine.
_FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


def pytest_configure(config: pytest.Config) -> None:
    """Set the environment before Django reads it, and start a server.

    Each worker has one of its own: a server gives transaction ids to all its databases alike, so
    an open transaction of one worker would hold up what another waits to read.
    """
    os.environ["SANDBOX"] = "1"
    os.environ["DJANGO_SETTINGS_MODULE"] = "issuer.settings"
    os.environ["BROKER_URL"] = "memory://"  # tests call the tasks themselves
    if "DATABASE_URL" not in os.environ or _OWN_SERVER in os.environ:
        os.environ[_OWN_SERVER] = "1"  # tells the workers that nobody else named the database
        data = Path(tempfile.mkdtemp(prefix="issuer-tests-"))
        data.chmod(0o755)  # PostgreSQL may run as another user
        server = embedded.EmbeddedPostgres(data, settings=_FAST)
        config.stash[_running] = embedded.start(server)
        os.environ["DATABASE_URL"] = embedded.database_url(data, "postgres")
        os.environ["DATA_DIR"] = str(data)

    from django.conf import settings  # reads the environment, so not before it is set

    # A worker has read it before, from the process that started it.
    settings.DATABASES["default"]["HOST"] = databases.entry(os.environ["DATABASE_URL"])["HOST"]

    # Pages are tested without collecting files first, and logins without a second of hashing.
    settings.STORAGES["staticfiles"]["BACKEND"] = (
        "django.contrib.staticfiles.storage.StaticFilesStorage"
    )
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    settings.STATIC_ROOT.mkdir(exist_ok=True)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop the server that this process started, and remove its data."""
    running = config.stash.get(_running, None)
    if running is not None:
        running.stop()
        shutil.rmtree(running.server.data_directory)


@pytest.fixture
def at() -> datetime:
    """A Friday afternoon in Europe, while the New York exchange is open."""
    return datetime(2026, 11, 20, 15, 0, tzinfo=UTC)


@pytest.fixture
def market_clock(at: datetime, tmp_path: Path, settings: Settings) -> datetime:
    """Have every door told that it is `at`, and on from there, whenever the tests run."""
    settings.CLOCK_OFFSET_FILE = tmp_path / "clock-offset"
    ahead = at - datetime.now(UTC)
    settings.CLOCK_OFFSET_FILE.write_text(str(ahead // timedelta(microseconds=1)))
    return at


@pytest.fixture
def staff() -> Actor:
    """An operations officer; for tests with the database."""
    from tests.make import people  # needs models, so not before Django is set up

    return people.staff_actor(Role.OPERATIONS_OFFICER)


@pytest.fixture
def partner() -> Actor:
    """A partner, by one of their API keys."""
    return Actor(ActorKind.PARTNER, "0197a1de-0000-7000-8000-00000000a11a")


@pytest.fixture
def system() -> Actor:
    """The house itself, by a scheduled task."""
    return actors.system("tests")
