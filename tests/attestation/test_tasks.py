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
from issuer.attestation.errors import SigningKeyUnknown, SigningKeyUnusable, StatementInconsistent
from issuer.attestation.models import Attestation, Exhibit, StatementKey
from issuer.attestation.package import verify_offline
from issuer.attestation.signers import StatementSigner
from issuer.attestation.states import AttestationState
from issuer.events.models import Event
from issuer.foundation import actors, clock
from issuer.instruments.models import Deployment
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

    def test_tells_staff_of_a_key_that_stays_unusable(
        self, reviewed: Attestation, settings: Settings
    ) -> None:
        settings.ATTESTATION_KEY = "none"
        asked = {"attestation_id": str(reviewed.pk)}

        for _ in range(2):
            tasks.publish_attestation.apply(kwargs=asked, retries=4)  # the last try

        reviewed.refresh_from_db()
        assert reviewed.publishing_failure == "ATTESTATION_KEY must be 32 bytes in hex."
        assert Event.objects.filter(type="attestation.publishing_failed").count() == 1

    def test_tells_staff_at_once_of_what_no_other_try_mends(
        self, reviewed: Attestation, settings: Settings
    ) -> None:
        settings.ATTESTATION_KEY = "33" * 32

        for _ in range(2):
            with pytest.raises(SigningKeyUnknown):
                tasks.publish_attestation(attestation_id=str(reviewed.pk))

        reviewed.refresh_from_db()
        assert reviewed.state == AttestationState.REVIEWED
        assert reviewed.publishing_failure.startswith("Register the key ")
        assert Event.objects.filter(type="attestation.publishing_failed").count() == 1

    def test_declines_what_is_too_good_by_now(self, reviewed: Attestation, at: datetime) -> None:
        overtake(reviewed, at=at + timedelta(minutes=1))

        tasks.publish_attestation(attestation_id=str(reviewed.pk))

        reviewed.refresh_from_db()
        assert reviewed.state == AttestationState.DECLINED
        assert not Exhibit.objects.exists()

    def test_leaves_what_got_worse_while_it_was_rendered_to_the_next_round(
        self, reviewed: Attestation, at: datetime, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        rendered = services.assemble

        def meanwhile(attestation: Attestation, *, signer: StatementSigner) -> dict[str, bytes]:
            overtake(attestation, at=at + timedelta(minutes=1))
            return rendered(attestation, signer=signer)

        monkeypatch.setattr(services, "assemble", meanwhile)

        tasks.publish_attestation(attestation_id=str(reviewed.pk))

        reviewed.refresh_from_db()
        assert reviewed.state == AttestationState.REVIEWED
        assert reviewed.publishing_failed_at is None
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


def overtake(attestation: Attestation, *, at: datetime) -> None:
    """Let the chain show 605 tokens for 602 shares, and reconcile."""
    deployment = Deployment.objects.get(token__program=attestation.program)
    chain.snapshot(deployment, total_supply_base_units=605 * 10**18, taken_at=at)
    reconciliation.run(attestation.program, at=at)


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

    def test_tells_staff_of_one_that_waits_too_long(
        self, at: datetime, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(tasks, "publish_attestation", Told())
        long_ago, lately = (clock.now() - timedelta(minutes=minutes) for minutes in (11, 9))
        late = make.reviewed(make.world(at=long_ago), at=long_ago)
        make.reviewed(make.world(at=lately), at=lately)

        tasks.publish_reviewed()

        told = Event.objects.get(type="attestation.publishing_failed")
        assert told.subject_id == late.pk
        assert told.data["reason"].startswith("It has waited to be published since ")


class TestAttestEvents:
    def test_begins_a_task_for_each_program(
        self, at: datetime, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        told = Told()
        monkeypatch.setattr(tasks, "attest_event", told)
        programs = {make.world(at=at).program, make.world(at=at + timedelta(days=1)).program}

        tasks.attest_events()

        assert told.ids == sorted(str(program.pk) for program in programs)


class TestAttestEvent:
    def test_begins_to_publish_what_got_worse(
        self, at: datetime, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        told = Told()
        monkeypatch.setattr(tasks, "publish_attestation", told)
        world = make.world(at=at)
        make.published(world, at=at)
        chain.snapshot(world.deployment, total_supply_base_units=605 * 10**18, taken_at=at)
        reconciliation.run(world.program, at=at + timedelta(minutes=1))

        tasks.attest_event(program_id=str(world.program.pk))
        tasks.attest_event(program_id=str(world.program.pk))

        event = Attestation.objects.get(kind="EVENT")
        assert told.ids == [str(event.pk)]

    def test_tells_staff_once_of_what_cannot_be_stated(
        self, at: datetime, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(_program: Program, **_rest: object) -> None:
            raise StatementInconsistent("TOKx C8: expected 3, found 2.", failures="1")

        monkeypatch.setattr(services, "attest_event", refuse)
        world = make.world(at=at)
        stated = make.published(world, at=at)

        tasks.attest_event(program_id=str(world.program.pk))
        tasks.attest_event(program_id=str(world.program.pk))

        event = Event.objects.get(type="attestation.withheld")
        assert event.subject_id == world.program.pk
        assert event.data == {
            "program": world.program.code,
            "after": str(stated.sequence),
            "code": "attestation-inconsistent",
            "reason": "TOKx C8: expected 3, found 2.",
        }
        assert Attestation.objects.count() == 1


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
