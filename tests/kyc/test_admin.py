from datetime import timedelta
from typing import Final

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from issuer.audit.models import AuditEvent
from issuer.foundation import clock
from issuer.kyc.models import Case, CaseTransition, EvidenceDocument, RiskRating
from issuer.kyc.states import CaseState
from issuer.people.models import User
from issuer.people.roles import Role
from tests.make import kyc as make
from tests.make import parties, people

pytestmark = pytest.mark.django_db

OTHERS: Final = sorted(set(Role) - {Role.COMPLIANCE_OFFICER})


def logged_in(role: Role) -> Client:
    client = Client()
    client.force_login(people.user(role))
    return client


@pytest.fixture
def officer() -> Client:
    return logged_in(Role.COMPLIANCE_OFFICER)


def act(case: Case, name: str) -> str:
    return reverse("admin:kyc_case_act", args=[case.pk, name])


def change(case: Case) -> str:
    return reverse("admin:kyc_case_change", args=[case.pk])


class TestTheWayToApproval:
    def test_is_walked_page_by_page(self, officer: Client) -> None:
        entity = parties.legal_entity()
        opened = officer.post(reverse("admin:kyc_case_add"), {"entity": entity.pk})
        case = Case.objects.get(entity=entity)
        assert opened.headers["Location"] == change(case)

        officer.post(act(case, "start"))
        pdf = SimpleUploadedFile("register.pdf", make.PDF, "application/pdf")
        officer.post(act(case, "add-evidence"), {"kind": "other", "document": pdf})
        officer.post(act(case, "submit"))
        valid_until = clock.now().date() + timedelta(days=365)
        approved = officer.post(
            act(case, "approve"), {"valid_until": valid_until, "risk_rating": "HIGH"}, follow=True
        )

        case.refresh_from_db()
        assert (case.state, case.valid_until) == (CaseState.APPROVED, valid_until)
        assert case.risk_rating == RiskRating.HIGH
        page = approved.content.decode()
        assert f"Done: approve, KYC of {entity.name}." in page
        steps = list(CaseTransition.objects.values_list("step", flat=True))
        assert steps == ["START", "SUBMIT", "APPROVE"]


class TestThePageOfACase:
    def test_offers_what_the_state_allows(self, officer: Client) -> None:
        page = officer.get(change(make.case(state=CaseState.REVIEW))).content.decode()

        for name in ("approve", "ask-for-more", "reject", "offboard"):
            assert f"/acts/{name}/" in page
        for name in ("start", "submit", "add-evidence", "suspend", "renew"):
            assert f"/acts/{name}/" not in page

    def test_shows_the_steps_and_the_evidence(self, officer: Client) -> None:
        case = make.case(state=CaseState.IN_PROGRESS)
        document = make.evidence(case)
        officer.post(act(case, "submit"))

        page = officer.get(change(case)).content.decode()

        assert document.sha256 in page
        assert "Submit" in page

    def test_names_who_did_what(self, officer: Client) -> None:
        case = make.case(state=CaseState.IN_PROGRESS)
        make.evidence(case)
        officer.post(act(case, "submit"))
        login = User.objects.get(pk=officer.session["_auth_user_id"])

        page = logged_in(Role.AUDITOR).get(change(case)).content.decode()

        assert login.person.name in page
        assert "STAFF:" not in page

    @pytest.mark.parametrize("role", OTHERS)
    def test_shows_others_no_evidence_and_offers_them_nothing(self, role: Role) -> None:
        case = make.case(state=CaseState.REVIEW)
        document = make.evidence(case)

        response = logged_in(role).get(change(case))

        page = response.content.decode()
        assert response.status_code == 200
        assert case.entity.name in page
        assert document.sha256 not in page
        assert "/acts/" not in page

    def test_is_shown_to_nobody_who_is_not_logged_in(self) -> None:
        assert Client().get(change(make.case())).status_code == 302

    def test_lists_the_cases(self, officer: Client) -> None:
        case = make.cleared(parties.legal_entity())

        page = officer.get(reverse("admin:kyc_case_changelist")).content.decode()

        assert case.entity.name in page


class TestAnAct:
    def test_is_asked_about_before_it_is_done(self, officer: Client) -> None:
        case = make.case(state=CaseState.APPROVED)

        page = officer.get(act(case, "suspend")).content.decode()

        assert "its open requests are frozen" in page
        assert 'name="reason"' in page
        case.refresh_from_db()
        assert case.state == CaseState.APPROVED

    def test_tells_a_refusal_on_its_page(self, officer: Client) -> None:
        case = make.case(state=CaseState.IN_PROGRESS)

        response = officer.post(act(case, "submit"))

        assert response.status_code == 200
        assert "Add the documents that the review is to be of." in response.content.decode()
        assert not CaseTransition.objects.exists()

    def test_tells_what_was_not_filled_in(self, officer: Client) -> None:
        case = make.case(state=CaseState.APPROVED)

        response = officer.post(act(case, "suspend"), {"reason": ""})

        assert "This field is required." in response.content.decode()
        case.refresh_from_db()
        assert case.state == CaseState.APPROVED

    def test_leaves_it_to_the_officer_to_choose_a_rating(self, officer: Client) -> None:
        case = make.case(state=CaseState.REVIEW)
        valid_until = clock.now().date() + timedelta(days=365)

        response = officer.post(act(case, "approve"), {"valid_until": valid_until})

        assert "This field is required." in response.content.decode()
        case.refresh_from_db()
        assert case.state == CaseState.REVIEW

    @pytest.mark.parametrize("role", OTHERS)
    def test_is_forbidden_to_every_other_role(self, role: Role) -> None:
        case = make.case(state=CaseState.APPROVED)
        client = logged_in(role)

        assert client.get(act(case, "suspend")).status_code == 403
        assert client.post(act(case, "suspend"), {"reason": "Mine."}).status_code == 403
        assert client.post(reverse("admin:kyc_case_add"), {}).status_code == 403

        case.refresh_from_db()
        assert case.state == CaseState.APPROVED

    def test_does_not_exist_by_another_name_or_for_another_case(self, officer: Client) -> None:
        case = make.case()

        assert officer.get(act(case, "befriend")).status_code == 404
        case.pk = parties.legal_entity().pk
        assert officer.get(act(case, "start")).status_code == 404

    def test_is_not_done_without_the_token_of_the_form(self) -> None:
        case = make.case()
        client = Client(enforce_csrf_checks=True)
        client.force_login(people.user(Role.COMPLIANCE_OFFICER))

        assert client.post(act(case, "start")).status_code == 403
        case.refresh_from_db()
        assert case.state == CaseState.NEW


class TestUploading:
    @pytest.mark.parametrize(
        ("content", "media_type", "told"),
        [
            pytest.param(b"", "application/pdf", "The document is empty.", id="empty"),
            pytest.param(b"GIF89a", "image/gif", "Evidence is one of PDF, PNG, JPEG.", id="form"),
            pytest.param(b"GIF89a", "application/pdf", "The document is not a PDF.", id="liar"),
            pytest.param(
                b"%PDF-" + b" " * (10 * 2**20),
                "application/pdf",
                "The document has 10,485,765 bytes; 10,485,760 are the most.",
                id="large",
            ),
            pytest.param(
                b"%PDF-" + b" " * (12 * 2**20),
                "application/pdf",
                "Choose a document of at most 10 MiB.",
                id="too large to be read at all",
            ),
        ],
    )
    def test_tells_why_a_document_is_refused(
        self, content: bytes, media_type: str, told: str, officer: Client
    ) -> None:
        case = make.case(state=CaseState.IN_PROGRESS)
        document = SimpleUploadedFile("document", content, media_type)

        response = officer.post(act(case, "add-evidence"), {"kind": "other", "document": document})

        assert told in response.content.decode()
        assert not EvidenceDocument.objects.exists()


class TestDownloading:
    def test_hands_the_document_out_and_keeps_on_record_to_whom(self, officer: Client) -> None:
        case = make.case()
        document = make.evidence(case, content=make.PDF)

        response = officer.get(reverse("admin:kyc_case_evidence", args=[case.pk, document.pk]))

        assert response.content == make.PDF
        assert response.headers["Content-Type"] == "application/pdf"
        assert "no-store" in response.headers["Cache-Control"]
        disposition = response.headers["Content-Disposition"]
        assert disposition == f'attachment; filename="{document.pk}.pdf"'
        assert AuditEvent.objects.get(action="kyc.read_evidence").subject_id == document.pk

    @pytest.mark.parametrize("role", OTHERS)
    def test_is_forbidden_to_every_other_role(self, role: Role) -> None:
        case = make.case()
        document = make.evidence(case)

        response = logged_in(role).get(
            reverse("admin:kyc_case_evidence", args=[case.pk, document.pk])
        )

        assert response.status_code == 403
        assert not AuditEvent.objects.filter(action="kyc.read_evidence").exists()

    def test_does_not_find_the_document_under_another_case(self, officer: Client) -> None:
        document = make.evidence(make.case())

        response = officer.get(
            reverse("admin:kyc_case_evidence", args=[make.case().pk, document.pk])
        )

        assert response.status_code == 404

    def test_tells_if_the_data_was_shredded(self, officer: Client) -> None:
        case = make.case()
        document = make.evidence(case)
        key = case.entity.data_key
        key.wrapped_key, key.shredded_at = None, make.BEFORE
        key.save()

        response = officer.get(
            reverse("admin:kyc_case_evidence", args=[case.pk, document.pk]), follow=True
        )

        assert "Refused: The key that this was encrypted under is destroyed." in (
            response.content.decode()
        )
