"""KYC cases as compliance officers work on them, and as others see them."""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from unfold.admin import ModelAdmin, TabularInline

from issuer.foundation import clock
from issuer.foundation.actors import Actor
from issuer.foundation.admin import ReadOnlyAdmin
from issuer.foundation.errors import DomainError
from issuer.kyc import forms, services
from issuer.kyc.models import Case, CaseTransition, EvidenceDocument
from issuer.kyc.states import CaseState, CaseStep
from issuer.people.actors import actor_of
from issuer.people.acts import Act, ActsAdmin, NothingAsked, ReasonForm
from issuer.people.histories import HistoryInline, named
from issuer.people.models import User

MANAGE: Final = "kyc.manage_case"
SEE_PERSONAL_DATA: Final = "kyc.view_personal_data"


def _add_evidence(
    case: Case, *, kind: str, document: UploadedFile, actor: Actor, at: datetime
) -> Case:
    services.add_evidence(
        case.pk,
        kind=kind,
        media_type=document.content_type or "",
        content=document.read(),
        actor=actor,
        at=at,
    )
    return case


def _step(
    step: CaseStep,
    service: Any,
    label: str,
    consequence: str,
    *,
    form: Any = NothingAsked,
    grave: bool = False,
) -> Act:
    return Act(
        name=step.name.lower().replace("_", "-"),
        label=label,
        consequence=consequence,
        permission=MANAGE,
        take=lambda case, **asked: service(case.pk, **asked),
        form=form,
        offered=lambda case: CaseState(case.state) in step.value.origins,
        grave=grave,
    )


ACTS: Final = (
    _step(CaseStep.START, services.start, "Start", "The case is put together from now on."),
    Act(
        name="add-evidence",
        label="Add evidence",
        consequence="The document is encrypted under the entity's own key; it cannot be removed.",
        permission=MANAGE,
        take=_add_evidence,
        form=forms.EvidenceForm,
        offered=lambda case: case.state in {CaseState.IN_PROGRESS, CaseState.RETRY},
    ),
    _step(CaseStep.SUBMIT, services.submit, "Submit", "The case goes into review as it is."),
    _step(
        CaseStep.APPROVE,
        services.approve,
        "Approve",
        "The entity is cleared at once, and you are named as the reviewer.",
        form=forms.ApprovalForm,
    ),
    _step(
        CaseStep.ASK_FOR_MORE,
        services.ask_for_more,
        "Ask for more",
        "The case goes back for further evidence.",
        form=ReasonForm,
    ),
    _step(
        CaseStep.REJECT,
        services.reject,
        "Reject",
        "The entity is rejected for good. No step leads back.",
        form=ReasonForm,
        grave=True,
    ),
    _step(
        CaseStep.RENEW,
        services.renew,
        "Renew",
        "The case is put together anew. The entity is not cleared until it is approved again.",
    ),
    _step(
        CaseStep.SUSPEND,
        services.suspend,
        "Suspend",
        "The entity is not cleared any more, at once: its open requests are frozen.",
        form=ReasonForm,
        grave=True,
    ),
    _step(
        CaseStep.OFFBOARD,
        services.offboard,
        "Offboard",
        "The relationship ends, and the retention of its records begins. No step leads back.",
        form=ReasonForm,
        grave=True,
    ),
)


class EvidenceInline(ReadOnlyAdmin, TabularInline):
    """The documents of a case, for those who may see personal data."""

    model = EvidenceDocument
    fields = ("kind", "media_type", "size_bytes", "sha256", "by", "added_at", "content")
    readonly_fields = fields
    extra = 0
    ordering = ("id",)

    by = named("added_by", "Added by")

    @admin.display(description="Content")
    def content(self, document: EvidenceDocument) -> str:
        address = reverse("admin:kyc_case_evidence", args=[document.case_id, document.pk])
        return format_html('<a href="{}">Download</a>', address)


class TransitionInline(HistoryInline, TabularInline):
    """The history of a case."""

    model = CaseTransition


@admin.register(Case)
class CaseAdmin(ActsAdmin, ModelAdmin):
    """Compliance officers take cases from opening to approval and beyond; nobody edits one."""

    list_display = ("entity", "state", "risk_rating", "valid_until", "reviewer", "opened_at")
    list_filter = ("state", "risk_rating")
    list_select_related = ("entity", "reviewer")
    search_fields = ("entity__name", "entity__lei")
    ordering = ("-opened_at", "-id")
    show_full_result_count = False
    fields = ("entity", "state", "reason", "risk_rating", "valid_until", "reviewer", "opened_at")
    inlines = (EvidenceInline, TransitionInline)
    opening = Act(
        name="open",
        label="Open case",
        consequence="Each entity has one case; a key of its own is made for its personal data.",
        permission=MANAGE,
        take=lambda _, **asked: services.open_case(**asked),
        form=forms.OpenCaseForm,
    )
    acts = ACTS

    def get_urls(self) -> list[URLPattern]:
        evidence = path(
            "<uuid:case_id>/evidence/<uuid:document_id>/",
            self.admin_site.admin_view(self.evidence_view),
            name="kyc_case_evidence",
        )
        return [evidence, *super().get_urls()]

    def evidence_view(self, request: HttpRequest, case_id: UUID, document_id: UUID) -> HttpResponse:
        """Hand out a document in the clear; the trail keeps who asked for it."""
        if not request.user.has_perm(SEE_PERSONAL_DATA):
            raise PermissionDenied
        assert isinstance(request.user, User)
        document = get_object_or_404(
            EvidenceDocument.objects.defer("ciphertext"), pk=document_id, case_id=case_id
        )
        try:
            content = services.read_evidence(
                document.pk, actor=actor_of(request.user), at=clock.now()
            )
        except DomainError as refusal:
            messages.error(request, f"Refused: {refusal.detail}")
            return HttpResponseRedirect(reverse("admin:kyc_case_change", args=[case_id]))
        suffix = document.media_type.partition("/")[2]
        return HttpResponse(
            content,
            content_type=document.media_type,
            headers={"Content-Disposition": f'attachment; filename="{document.pk}.{suffix}"'},
        )
