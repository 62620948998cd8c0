"""What PostgreSQL refuses, past all Python."""

from collections.abc import Callable
from typing import Any

import pytest

from issuer.foundation.actors import system
from issuer.kyc import services
from issuer.kyc.models import Case, CaseTransition, DataKey, EvidenceDocument
from issuer.kyc.states import CaseState
from tests.make import kyc as make
from tests.violations import refused_by

pytestmark = pytest.mark.django_db
AT = make.BEFORE


def change(origin: CaseState, **columns: Any) -> None:
    Case.objects.filter(pk=make.case(state=origin).pk).update(**columns)


def invalid_evidence(**columns: Any) -> None:
    valid = make.evidence(make.case())
    values = {
        "case": valid.case,
        "kind": valid.kind,
        "media_type": valid.media_type,
        "sha256": "0" * 64,
        "size_bytes": 1,
        "ciphertext": b"",
        "added_by": "SYSTEM:x",
        "added_at": AT,
    }
    EvidenceDocument.objects.bulk_create([EvidenceDocument(**values | columns)])


def invalid_transition(step: str, origin: str, destination: str) -> None:
    CaseTransition.objects.bulk_create(
        [
            CaseTransition(
                case=make.case(),
                step=step,
                origin=origin,
                destination=destination,
                actor="SYSTEM:x",
                occurred_at=AT,
            )
        ]
    )


def invent_a_state() -> None:
    change(CaseState.NEW, state="FRIEND")


def approve_without_a_reviewer() -> None:
    change(CaseState.APPROVED, reviewer=None)


def approve_without_an_end() -> None:
    change(CaseState.APPROVED, valid_until=None)


def approve_without_a_rating() -> None:
    change(CaseState.APPROVED, risk_rating="")


def let_a_new_case_pass() -> None:
    change(CaseState.NEW, state=CaseState.RENEWAL_DUE)


def invent_a_rating() -> None:
    change(CaseState.NEW, risk_rating="SOME")


def suspend_without_a_reason() -> None:
    change(CaseState.APPROVED, state=CaseState.SUSPENDED)


def open_a_second_case() -> None:
    Case.objects.bulk_create([Case(entity=make.case().entity, opened_at=AT)])


def make_a_second_key() -> None:
    entity = make.case().entity
    DataKey.objects.bulk_create([DataKey(entity=entity, wrapped_key=b"k", created_at=AT)])


def lose_a_key_silently() -> None:
    DataKey.objects.filter(entity=make.case().entity).update(wrapped_key=None)


def keep_a_key_that_is_shredded() -> None:
    DataKey.objects.filter(entity=make.case().entity).update(shredded_at=AT)


def add_a_document_twice() -> None:
    document = make.evidence(make.case())
    invalid_evidence(case=document.case, sha256=document.sha256)


def add_without_a_hash() -> None:
    invalid_evidence(sha256="none")


def add_nothing() -> None:
    invalid_evidence(size_bytes=0)


def name_a_person_in_a_kind() -> None:
    invalid_evidence(kind="Jane Doe's passport")


def add_a_page_that_runs() -> None:
    invalid_evidence(media_type="text/html")


def rewrite_evidence() -> None:
    EvidenceDocument.objects.filter(pk=make.evidence(make.case()).pk).update(kind="other")


def delete_evidence() -> None:
    EvidenceDocument.objects.filter(pk=make.evidence(make.case()).pk).delete()


def leap_from_new_to_approved() -> None:
    invalid_transition("APPROVE", "NEW", "APPROVED")


def call_one_step_by_the_name_of_another() -> None:
    invalid_transition("START", "REVIEW", "APPROVED")


def rewrite_a_transition() -> None:
    case = make.case()
    services.start(case.pk, actor=system("tests"), at=AT)
    case.transitions.update(actor="SYSTEM:nobody")


def delete_a_transition() -> None:
    case = make.case()
    services.start(case.pk, actor=system("tests"), at=AT)
    case.transitions.all().delete()


_CLEARED = "kyc_case_cleared_has_reviewer_rating_and_end"


@pytest.mark.parametrize(
    ("violate", "constraint"),
    [
        (invent_a_state, "kyc_case_state_known"),
        (approve_without_a_reviewer, _CLEARED),
        (approve_without_an_end, _CLEARED),
        (approve_without_a_rating, _CLEARED),
        (let_a_new_case_pass, _CLEARED),
        (invent_a_rating, "kyc_case_risk_rating_known"),
        (suspend_without_a_reason, "kyc_case_says_why_not"),
        (open_a_second_case, "kyc_case_entity_id_key"),
        (make_a_second_key, "kyc_datakey_entity_id_key"),
        (lose_a_key_silently, "data_key_present_unless_shredded"),
        (keep_a_key_that_is_shredded, "data_key_present_unless_shredded"),
        (add_a_document_twice, "evidence_document_once_per_case"),
        (add_without_a_hash, "evidence_document_hash_is_sha256"),
        (add_nothing, "evidence_document_not_empty"),
        (name_a_person_in_a_kind, "evidence_document_kind_is_plain"),
        (add_a_page_that_runs, "evidence_document_media_type_known"),
        (rewrite_evidence, "kyc_evidencedocument_append_only"),
        (delete_evidence, "kyc_evidencedocument_append_only"),
        (leap_from_new_to_approved, "kyc_case_transition_is_a_step"),
        (call_one_step_by_the_name_of_another, "kyc_case_transition_is_a_step"),
        (rewrite_a_transition, "kyc_casetransition_append_only"),
        (delete_a_transition, "kyc_casetransition_append_only"),
    ],
)
def test_postgresql_refuses_to(violate: Callable[[], None], constraint: str) -> None:
    with refused_by(constraint):
        violate()


class TestStr:
    def test_tells_people_what_a_row_is(self) -> None:
        case = make.case()
        services.start(case.pk, actor=system("tests"), at=AT)
        document = make.evidence(case)

        assert str(case) == f"KYC of {case.entity.name}"
        assert str(case.entity.data_key) == f"Data key of {case.entity.name}"
        assert str(case.transitions.get()) == "NEW to IN_PROGRESS"
        assert str(document) == f"certificate-of-incorporation {document.sha256[:12]}"
