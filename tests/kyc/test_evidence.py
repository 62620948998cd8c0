import hashlib
from datetime import datetime, timedelta
from typing import Any, Final

import pytest
from django.db import connection

from issuer.audit.models import AuditEvent
from issuer.foundation.actors import system
from issuer.foundation.errors import DomainError, Malformed
from issuer.kyc import errors, services
from issuer.kyc.models import DataKey, EvidenceDocument
from issuer.kyc.states import CaseState
from tests.make import kyc as make

pytestmark = pytest.mark.django_db

ACTOR: Final = system("tests")
CONTENT: Final = make.PDF + b"% Jane Doe, born 1 January 1980"
PNG: Final = b"\x89PNG\r\n\x1a\n rest"
TEN_YEARS: Final = timedelta(days=3653)


def add(case_id: Any, at: datetime, **changes: Any) -> EvidenceDocument:
    arguments: dict[str, Any] = {
        "kind": "register-of-directors",
        "media_type": "application/pdf",
        "content": CONTENT,
    }
    return services.add_evidence(case_id, actor=ACTOR, at=at, **arguments | changes)


def stored(document: EvidenceDocument) -> bytes:
    with connection.cursor() as cursor:
        cursor.execute("SELECT ciphertext FROM kyc_evidencedocument WHERE id = %s", [document.pk])
        return bytes(cursor.fetchone()[0])


class TestAddEvidence:
    @pytest.mark.parametrize("state", [CaseState.IN_PROGRESS, CaseState.RETRY])
    def test_keeps_the_hash_in_the_clear_and_the_content_encrypted(
        self, state: CaseState, at: datetime
    ) -> None:
        case = make.case(state=state)

        document = add(case.pk, at)

        assert document.sha256 == hashlib.sha256(CONTENT).hexdigest()
        assert (document.size_bytes, document.added_by) == (len(CONTENT), "SYSTEM:tests")
        raw = stored(document)
        assert len(raw) == 12 + len(CONTENT) + 16
        assert b"Jane Doe" not in raw
        assert b"%PDF" not in raw
        assert AuditEvent.objects.get().facts == {
            "kind": "register-of-directors",
            "sha256": document.sha256,
        }

    @pytest.mark.parametrize(
        ("media_type", "content"),
        [("image/png", PNG), ("image/jpeg", b"\xff\xd8\xff\xe0 rest")],
    )
    def test_takes_pictures(self, media_type: str, content: bytes, at: datetime) -> None:
        case = make.case(state=CaseState.IN_PROGRESS)

        assert add(case.pk, at, media_type=media_type, content=content).media_type == media_type

    def test_takes_as_much_as_10_mebibytes(self, at: datetime) -> None:
        case = make.case(state=CaseState.IN_PROGRESS)
        content = make.PDF.ljust(10 * 2**20, b" ")

        assert add(case.pk, at, content=content).size_bytes == 10_485_760

    @pytest.mark.parametrize(
        ("changes", "refusal", "detail"),
        [
            pytest.param(
                {"content": b""}, errors.EvidenceRefused, "The document is empty.", id="empty"
            ),
            pytest.param(
                {"content": make.PDF.ljust(10 * 2**20 + 1, b" ")},
                errors.EvidenceRefused,
                "The document has 10,485,761 bytes; 10,485,760 are the most.",
                id="too large",
            ),
            pytest.param(
                {"media_type": "text/html"},
                errors.EvidenceRefused,
                "Evidence is one of PDF, PNG, JPEG.",
                id="a form that runs",
            ),
            pytest.param(
                {"content": PNG},
                errors.EvidenceRefused,
                "The document is not a PDF.",
                id="not what it says",
            ),
            pytest.param(
                {"kind": "Jane Doe's passport"},
                Malformed,
                '"Jane Doe\'s passport" is not a kind of evidence.',
                id="kind",
            ),
        ],
    )
    def test_refuses_and_writes_nothing(
        self, changes: dict[str, Any], refusal: type[DomainError], detail: str, at: datetime
    ) -> None:
        case = make.case(state=CaseState.IN_PROGRESS)

        with pytest.raises(refusal) as caught:
            add(case.pk, at, **changes)

        assert caught.value.detail == detail
        assert not EvidenceDocument.objects.exists()
        assert not AuditEvent.objects.exists()

    def test_refuses_the_same_document_twice(self, at: datetime) -> None:
        case = make.case(state=CaseState.IN_PROGRESS)
        add(case.pk, at)

        with pytest.raises(errors.EvidenceRepeated):
            add(case.pk, at, kind="register-of-shareholders")

        assert EvidenceDocument.objects.count() == 1

    @pytest.mark.parametrize(
        "state", sorted(set(CaseState) - {CaseState.IN_PROGRESS, CaseState.RETRY})
    )
    def test_refuses_where_no_evidence_is_awaited(self, state: CaseState, at: datetime) -> None:
        case = make.case(state=state)

        with pytest.raises(errors.EvidenceNotAwaited):
            add(case.pk, at)

        assert not EvidenceDocument.objects.exists()


class TestReadEvidence:
    def test_gives_the_content_back_and_records_who_saw_it(self, at: datetime) -> None:
        document = make.evidence(make.case(), content=CONTENT)

        assert services.read_evidence(document.pk, actor=ACTOR, at=at) == CONTENT

        event = AuditEvent.objects.get()
        assert (event.action, event.subject_id) == ("kyc.read_evidence", document.pk)

    def test_refuses_a_content_that_was_moved_to_another_row(self, at: datetime) -> None:
        case = make.case()
        one, other = make.evidence(case), make.evidence(case)
        moved = EvidenceDocument(
            case=case,
            kind="moved",
            media_type=one.media_type,
            sha256="0" * 64,
            size_bytes=1,
            ciphertext=other.ciphertext,
            added_by="SYSTEM:tests",
            added_at=at,
        )
        moved.save()

        with pytest.raises(errors.EvidenceUnreadable):
            services.read_evidence(moved.pk, actor=ACTOR, at=at)

        assert not AuditEvent.objects.exists()


class TestShredPersonalData:
    def test_leaves_everything_unreadable_ten_years_after_the_end(self, at: datetime) -> None:
        case = make.case(state=CaseState.APPROVED)
        document = make.evidence(case, content=CONTENT)
        services.offboard(case.pk, reason="They left.", actor=ACTOR, at=at)

        services.shred_personal_data(case.pk, actor=ACTOR, at=at + TEN_YEARS)

        key = DataKey.objects.get(entity=case.entity)
        assert (key.wrapped_key, key.shredded_at) == (None, at + TEN_YEARS)
        with pytest.raises(errors.EvidenceShredded):
            services.read_evidence(document.pk, actor=ACTOR, at=at)
        assert EvidenceDocument.objects.get().sha256 == hashlib.sha256(CONTENT).hexdigest()
        assert AuditEvent.objects.latest("id").action == "kyc.shred_personal_data"

    def test_refuses_while_the_law_asks_for_the_records(self, at: datetime) -> None:
        case = make.case(state=CaseState.APPROVED)
        services.offboard(case.pk, reason="They left.", actor=ACTOR, at=at)

        with pytest.raises(errors.RetentionRuns) as refusal:
            services.shred_personal_data(
                case.pk, actor=ACTOR, at=at + TEN_YEARS - timedelta(microseconds=1)
            )

        assert refusal.value.facts == {"until": "2036-11-20T15:00:00.000000Z"}
        assert DataKey.objects.get().wrapped_key is not None

    def test_refuses_an_open_case(self, at: datetime) -> None:
        case = make.case(state=CaseState.APPROVED)

        with pytest.raises(errors.RetentionRuns):
            services.shred_personal_data(case.pk, actor=ACTOR, at=at)

        assert DataKey.objects.get().wrapped_key is not None

    def test_refuses_a_second_time(self, at: datetime) -> None:
        case = make.case(state=CaseState.APPROVED)
        services.offboard(case.pk, reason="They left.", actor=ACTOR, at=at)
        services.shred_personal_data(case.pk, actor=ACTOR, at=at + TEN_YEARS)

        with pytest.raises(errors.EvidenceShredded):
            services.shred_personal_data(case.pk, actor=ACTOR, at=at + TEN_YEARS)
