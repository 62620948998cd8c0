"""Publication by itself, wherever the worker was killed."""

import subprocess
import sys
from collections.abc import Callable
from datetime import datetime, timedelta
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from pytest_django.fixtures import Settings

from issuer.attestation import selectors, services, tasks
from issuer.attestation.errors import EventTakesPeople, SigningKeyUnusable
from issuer.attestation.models import Attestation, Exhibit, StatementKey
from issuer.attestation.package import verify_offline
from issuer.attestation.states import AttestationState
from issuer.events.models import Event
from issuer.foundation import actors
from issuer.parties.models import Program
from tests.make import attestation as make
from tests.make import chain, reconciliation

pytestmark = pytest.mark.django_db

SYSTEM = actors.system("tests")


@pytest.fixture
def reviewed(at: datetime, settings: Settings) -> Attestation:
    settings.ATTESTATION_KEY = "11" * 32
    return make.reviewed(make.world(at=at), at=at)


def nothing(attestation: Attestation, at: datetime) -> None:
    """The worker was killed before it began, or while it rendered."""


def signed(attestation: Attestation, at: datetime) -> None:
    files = services.assemble(attestation, signer=make.SIGNER)
    services.sign(attestation.pk, files=files, actor=SYSTEM, at=at)


def published(attestation: Attestation, at: datetime) -> None:
    signed(attestation, at)
    services.publish(attestation.pk, actor=SYSTEM, at=at)


class TestPublishAttestation:
    @pytest.mark.parametrize("done_before", [nothing, signed, published])
    def test_takes_up_where_it_was_killed(
        self,
        done_before: Callable[[Attestation, datetime], None],
        reviewed: Attestation,
        at: datetime,
    ) -> None:
        done_before(reviewed, at)

        tasks.publish_attestation(attestation_id=str(reviewed.pk))

        reviewed.refresh_from_db()
        assert reviewed.state == AttestationState.PUBLISHED
        assert Exhibit.objects.count() == len(verify_offline.FILES)
        assert Event.objects.filter(type="attestation.published").count() == 1
        assert reviewed.transitions.count() == 3

    def test_leaves_everything_as_it_is_without_a_key(
        self, reviewed: Attestation, settings: Settings
    ) -> None:
        settings.ATTESTATION_KEY = "none"

        with pytest.raises(SigningKeyUnusable):
            tasks.publish_attestation(attestation_id=str(reviewed.pk))

        reviewed.refresh_from_db()
        assert reviewed.state == AttestationState.REVIEWED
        assert not Exhibit.objects.exists()

    def test_makes_a_package_that_the_command_verifies(
        self, reviewed: Attestation, tmp_path: Path
    ) -> None:
        tasks.publish_attestation(attestation_id=str(reviewed.pk))
        reviewed.refresh_from_db()
        package = tmp_path / selectors.folder_name(reviewed)
        package.mkdir()
        for name, content in selectors.package_files(reviewed).items():
            (package / name).write_bytes(content)
        exported = StringIO()
        call_command("export_keys", stdout=exported)
        keys = tmp_path / "keys.json"
        keys.write_text(exported.getvalue())

        done = subprocess.run(
            [sys.executable, "-I", str(package / "verify_offline.py"), package, "--keys", keys],
            capture_output=True,
            text=True,
            check=False,
        )

        assert done.returncode == 0, done.stdout + done.stderr
        assert "VERIFIED" in done.stdout


class Told:
    """Stands where a task is, and remembers what it is told; the broker is the outside."""

    def __init__(self) -> None:
        self.ids: list[str] = []

    def apply_async(self, *, kwargs: dict[str, str], expires: int) -> None:
        assert expires == tasks.EXPIRES_SECONDS
        self.ids += kwargs.values()


class TestPublishReviewed:
    def test_begins_a_task_for_each_that_waits(
        self, reviewed: Attestation, at: datetime, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        told = Told()
        monkeypatch.setattr(tasks, "publish_attestation", told)
        other = make.reviewed(make.world(at=at), at=at)
        signed(other, at)
        make.frozen(make.world(at=at), at=at)

        tasks.publish_reviewed()

        assert told.ids == sorted([str(reviewed.pk), str(other.pk)])


class TestAttestEvents:
    def test_begins_to_publish_what_got_worse(
        self, at: datetime, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        told = Told()
        monkeypatch.setattr(tasks, "publish_attestation", told)
        world = make.world(at=at)
        make.published(world, at=at)
        chain.snapshot(world.deployment, total_supply_base_units=605 * 10**18, taken_at=at)
        reconciliation.run(world.program, at=at + timedelta(minutes=1))

        tasks.attest_events()
        tasks.attest_events()

        event = Attestation.objects.get(kind="EVENT")
        assert told.ids == [str(event.pk)]

    def test_leaves_to_people_what_takes_people(
        self, at: datetime, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(_program: Program, **_rest: object) -> None:
            raise EventTakesPeople("TOKx would be better.", tokens="TOKx")

        monkeypatch.setattr(services, "attest_event", refuse)
        make.world(at=at)

        tasks.attest_events()

        assert not Attestation.objects.exists()


class TestRegisterStatementKey:
    def test_registers_the_configured_key(self, settings: Settings) -> None:
        settings.ATTESTATION_KEY = "11" * 32
        out = StringIO()

        call_command("register_statement_key", stdout=out)

        assert StatementKey.objects.get().public_key == make.SIGNER.public_key.hex()
        assert out.getvalue().startswith("10ba682c8ad13513 signs from ")

    def test_says_what_is_wrong_with_a_key(self, settings: Settings) -> None:
        settings.ATTESTATION_KEY = ""

        with pytest.raises(CommandError, match="32 bytes in hex"):
            call_command("register_statement_key")

        assert not StatementKey.objects.exists()
