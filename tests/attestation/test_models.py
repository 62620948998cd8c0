"""What PostgreSQL refuses, whoever asks."""

import hashlib
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection

from issuer.attestation.models import (
    Attestation,
    AttestationTransition,
    Exhibit,
    StatementKey,
)
from issuer.attestation.states import AttestationKind, AttestationState
from tests.make import attestation as make
from tests.violations import refused_by

pytestmark = pytest.mark.django_db


@pytest.fixture
def frozen(at: datetime) -> Attestation:
    return make.frozen(make.world(at=at), at=at)


def refused(name: str, **columns: Any) -> None:
    """Assert that the constraint `name` refuses an update, past all Python."""
    with refused_by(name):
        Attestation.objects.update(**columns)


def another(attestation: Attestation, **columns: Any) -> Attestation:
    """Write one more row like `attestation`, past all services."""
    content = b"{}"
    defaults: dict[str, Any] = {
        "program": attestation.program,
        "run": attestation.run,
        "sequence": 1,
        "kind": AttestationKind.SCHEDULED,
        "content": content,
        "content_sha256": hashlib.sha256(content).hexdigest(),
        "status": "COVERED",
        "as_of": attestation.as_of,
        "valid_until": attestation.valid_until,
        "frozen_at": attestation.frozen_at,
        "state": AttestationState.DECLINED,
    }
    return Attestation.objects.create(**defaults | columns)


#: The least that PostgreSQL takes for a document that somebody approved.
APPROVED = b'{"controls":{"approvedBy":[{}]},"kind":"SCHEDULED"}'


def out(content: bytes = APPROVED, **columns: Any) -> dict[str, Any]:
    """Return the columns of a row that has a document."""
    return {"document": content, "sha256": hashlib.sha256(content).hexdigest(), **columns}


class TestAttestation:
    def test_its_state_is_known(self, frozen: Attestation) -> None:
        refused("attestation_state_known", **out(state="LOST"))

    def test_its_status_is_known(self, frozen: Attestation) -> None:
        with refused_by("attestation_status_known"):
            another(frozen, status="FINE")

    def test_its_kind_is_known(self, frozen: Attestation) -> None:
        with refused_by("attestation_kind_known"):
            another(frozen, kind="FANCY")

    def test_a_correction_says_what_and_why(self, frozen: Attestation) -> None:
        for columns in (
            {"kind": "CORRECTION"},
            {"kind": "CORRECTION", "corrects": frozen},
            {"kind": "CORRECTION", "correction_reason": "A typing error."},
            {"corrects": frozen},
            {"correction_reason": "A typing error."},
        ):
            with refused_by("attestation_correction_names_what_and_why"):
                another(frozen, **columns)

    def test_is_corrected_once(self, frozen: Attestation, at: datetime) -> None:
        columns = {
            "kind": "CORRECTION",
            "corrects": frozen,
            "correction_reason": "A typing error.",
            "state": "SUPERSEDED",
            "published_at": at,
        }
        said = out(APPROVED.replace(b"SCHEDULED", b"CORRECTION"), **columns)
        second = another(frozen, sequence=2, previous=frozen, **said)

        with refused_by("attestation_corrected_once"):
            another(frozen, sequence=3, previous=second, **said)

    def test_its_sequence_is_taken_once(self, frozen: Attestation, at: datetime) -> None:
        with refused_by("attestation_sequence_once_per_program"):
            another(frozen, state="SUPERSEDED", published_at=at, **out())

    def test_it_continues_another_once(self, frozen: Attestation, at: datetime) -> None:
        columns = {"previous": frozen, "state": "SUPERSEDED", "published_at": at}
        another(frozen, sequence=2, **columns, **out())

        with refused_by("attestation_continues_another_once"):
            another(frozen, sequence=3, **columns, **out())

    def test_one_is_under_way_per_program(self, frozen: Attestation) -> None:
        with refused_by("attestation_one_under_way_per_program"):
            another(frozen, sequence=2, previous=frozen, state="SIGNED", **out())

    def test_one_is_current_per_program(self, frozen: Attestation, at: datetime) -> None:
        columns = {"state": "PUBLISHED", "published_at": at}
        second = another(frozen, sequence=2, previous=frozen, **columns, **out())

        with refused_by("attestation_one_current_per_program"):
            another(frozen, sequence=3, previous=second, **columns, **out())

    def test_the_first_has_no_previous(self, frozen: Attestation) -> None:
        with refused_by("attestation_first_has_no_previous"):
            another(frozen, previous=frozen)

    def test_a_later_one_has_a_previous(self, frozen: Attestation) -> None:
        with refused_by("attestation_first_has_no_previous"):
            another(frozen, sequence=2)

    def test_it_is_not_invalid_before_its_cut_off(self, frozen: Attestation) -> None:
        with refused_by("attestation_not_invalid_before_its_cut_off"):
            another(frozen, valid_until=frozen.as_of - timedelta(seconds=1))

    def test_it_has_a_document_once_it_is_reviewed(self, frozen: Attestation) -> None:
        refused("attestation_document_iff_reviewed", state="REVIEWED")

    def test_it_has_no_document_before(self, frozen: Attestation) -> None:
        refused("attestation_document_iff_reviewed", **out())

    def test_it_may_keep_its_document_when_it_is_declined(self, frozen: Attestation) -> None:
        kept = another(frozen, **out())

        assert bytes(kept.document or b"") == APPROVED
        with refused_by("attestation_document_iff_reviewed"):
            another(frozen, document=APPROVED)

    @pytest.mark.parametrize("half", ["publishing_failed_at", "publishing_failure"])
    def test_its_failure_has_a_time_and_a_reason(
        self, half: str, frozen: Attestation, at: datetime
    ) -> None:
        value = at if half == "publishing_failed_at" else "No key."

        refused("attestation_failure_has_time_and_reason", **{half: value})

    def test_it_has_a_time_once_it_is_published(self, frozen: Attestation) -> None:
        refused("attestation_published_has_time", **out(state="PUBLISHED"))

    def test_it_has_no_time_before(self, frozen: Attestation, at: datetime) -> None:
        refused("attestation_published_has_time", published_at=at)

    def test_its_hashes_are_of_its_bytes(self, frozen: Attestation) -> None:
        with (
            refused_by("attestation_hashes_are_of_its_bytes"),
        ):
            another(frozen, content=b"[]")
        refused(
            "attestation_hashes_are_of_its_bytes",
            state="REVIEWED",
            document=APPROVED,
            sha256="0" * 64,
        )

    @pytest.mark.parametrize(
        ("column", "value"),
        [
            ("sequence", 7),
            ("content", b"{}"),
            ("content_sha256", "0" * 64),
            ("status", "SHORT"),
            ("as_of", datetime.fromisoformat("2026-11-01T00:00:00Z")),
            ("valid_until", datetime.fromisoformat("2027-01-01T00:00:00Z")),
            ("frozen_at", datetime.fromisoformat("2026-11-01T00:00:00Z")),
        ],
    )
    def test_what_it_says_never_changes(self, column: str, value: Any, frozen: Attestation) -> None:
        refused("attestation_never_changes", **{column: value})

    def test_its_document_never_changes(self, at: datetime) -> None:
        make.reviewed(make.world(at=at), at=at)

        refused("attestation_never_changes", **out())

    def test_it_never_goes_away(self, frozen: Attestation) -> None:
        with (
            refused_by("attestation_never_changes"),
            connection.cursor() as cursor,
        ):
            cursor.execute("DELETE FROM attestation_attestation")

        assert Attestation.objects.count() == 1

    def test_is_named_for_its_program_and_number(self, frozen: Attestation) -> None:
        assert str(frozen) == f"{frozen.program.code}-1"


class TestExhibit:
    def _create(self, attestation: Attestation, **columns: Any) -> Exhibit:
        defaults: dict[str, Any] = {
            "attestation": attestation,
            "name": "notes.txt",
            "media_type": "text/plain",
            "content": b"",
            "sha256": hashlib.sha256(b"").hexdigest(),
        }
        return Exhibit.objects.create(**defaults | columns)

    def test_has_a_name_once(self, frozen: Attestation) -> None:
        assert str(self._create(frozen)) == "notes.txt"

        with refused_by("exhibit_name_once_per_attestation"):
            self._create(frozen)

    def test_its_hash_is_of_its_bytes(self, frozen: Attestation) -> None:
        with refused_by("exhibit_hash_is_of_its_bytes"):
            self._create(frozen, content=b"x")

    def test_never_changes(self, frozen: Attestation) -> None:
        self._create(frozen)

        with refused_by("attestation_exhibit_append_only"):
            Exhibit.objects.update(name="other.txt")


class TestAttestationTransition:
    def test_never_changes(self, at: datetime) -> None:
        attestation = make.reviewed(make.world(at=at), at=at)
        assert str(attestation.transitions.get()) == "FROZEN to REVIEWED"

        with refused_by("attestation_attestationtransition_append_only"):
            AttestationTransition.objects.update(actor="nobody")


class TestStatementKey:
    def test_is_ed25519(self, at: datetime) -> None:
        with refused_by("statement_key_is_ed25519"):
            StatementKey.objects.create(
                key_id="k", public_key="zz", valid_from=at, registered_by="tests"
            )

    def test_never_changes(self, at: datetime) -> None:
        make.register_key(at=at)
        key = StatementKey.objects.get()
        assert str(key) == key.key_id

        with refused_by("attestation_statementkey_append_only"):
            StatementKey.objects.update(key_id="other")
