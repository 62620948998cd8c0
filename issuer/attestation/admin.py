"""Statements as staff propose, read and confirm them, and the keys that sign them."""

from typing import Final
from uuid import UUID

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.template.loader import render_to_string
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html, format_html_join
from unfold.admin import ModelAdmin, TabularInline

from issuer.attestation import forms, rendering, selectors, services
from issuer.attestation.models import (
    Attestation,
    AttestationTransition,
    Exhibit,
    StatementKey,
)
from issuer.attestation.package import verify_offline
from issuer.attestation.states import AttestationKind, AttestationState
from issuer.foundation.admin import ReadOnlyAdmin
from issuer.people.acts import Act, ActsAdmin, ReasonForm
from issuer.people.histories import HistoryInline, named


def _waits(attestation: Attestation) -> bool:
    return attestation.state == AttestationState.FROZEN


def _to_be_withdrawn(attestation: Attestation) -> bool:
    """Say whether a statement waits for its signature, and may be kept from it."""
    waits = attestation.state == AttestationState.REVIEWED
    is_event = attestation.kind == AttestationKind.EVENT
    return waits and not (is_event and attestation.publishing_failed_at is None)


def _to_be_corrected(attestation: Attestation) -> bool:
    """Say whether a statement is out, and nothing corrects it or is about to."""
    corrections = attestation.corrections.exclude(state=AttestationState.DECLINED)
    return attestation.state in selectors.OUT and not corrections.exists()


def _to_be_signed(attestation: Attestation) -> str:
    """Return what one approves: the figures, the whole of it as a PDF, and the hash."""
    context = {"document": selectors.content_of(attestation), "attestation": attestation}
    return render_to_string("attestation/to_be_signed.html", context)


def _corrected(attestation: Attestation) -> str:
    """Return what the public read in the statement that is to be corrected."""
    context = {"document": selectors.content_of(attestation)}
    return render_to_string("attestation/what_is_signed.html", context)


ACTS: Final = (
    Act(
        name="confirm",
        label="Confirm",
        consequence="You approve the content of this hash, to the byte. It is then signed with "
        "the issuer's key and published at once; from then on it can only be superseded.",
        permission=services.CONFIRM_PERMISSION,
        take=lambda row, **asked: services.confirm(row.pk, **asked),
        offered=_waits,
        shown=_to_be_signed,
    ),
    Act(
        name="decline",
        label="Decline",
        consequence="The statement is given up and never published; its number is free again.",
        permission=services.CONFIRM_PERMISSION,
        take=lambda row, **asked: services.decline(row.pk, **asked),
        form=ReasonForm,
        offered=_waits,
        grave=True,
    ),
    Act(
        name="withdraw",
        label="Withdraw",
        consequence="The statement was approved and is not signed yet. It is given up and never "
        "published, and the approval ends with it; its number is free again.",
        permission=services.CONFIRM_PERMISSION,
        take=lambda row, **asked: services.withdraw(row.pk, **asked),
        form=ReasonForm,
        offered=_to_be_withdrawn,
        grave=True,
    ),
    Act(
        name="correct",
        label="Correct…",
        consequence="Another statement is frozen from the newest reconciliation and says which "
        "one it corrects, and why; the public reads the reason on both. It waits for another "
        "person to confirm it. What is corrected stays readable, unchanged.",
        permission=services.PROPOSE_PERMISSION,
        take=lambda row, **asked: services.propose_correction(row.pk, **asked),
        form=forms.CorrectionForm,
        offered=_to_be_corrected,
        shown=_corrected,
    ),
)


class ExhibitInline(ReadOnlyAdmin, TabularInline):
    """The files of the package."""

    model = Exhibit
    fields = ("name", "media_type", "sha256")
    readonly_fields = fields
    extra = 0
    ordering = ("name",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Exhibit]:
        rows: QuerySet[Exhibit] = super().get_queryset(request)
        return rows.defer("content")


class TransitionInline(HistoryInline, TabularInline):
    """The history of a statement."""

    model = AttestationTransition
    fields = (*HistoryInline.fields, "reason")
    readonly_fields = fields


@admin.register(Attestation)
class AttestationAdmin(ActsAdmin, ModelAdmin):
    """One officer proposes a statement, another confirms it; nobody edits one."""

    list_display = ("name", "kind", "status", "state", "as_of", "valid_until", "published_at")
    list_filter = ("program", "kind", "state", "status")
    list_select_related = ("program",)
    search_fields = ("program__code", "sha256", "content_sha256")
    ordering = ("-as_of", "-id")
    show_full_result_count = False
    fields = (
        "program",
        "sequence",
        "kind",
        "corrects",
        "correction_reason",
        "corrected_by",
        "state",
        "publishing_failed_at",
        "publishing_failure",
        "status",
        "as_of",
        "valid_until",
        "what_is_signed",
        "preview",
        "content_sha256",
        "sha256",
        "run",
        "frozen_at",
        "published_at",
    )
    readonly_fields = ("corrected_by", "what_is_signed", "preview")
    inlines = (ExhibitInline, TransitionInline)
    opening = Act(
        name="propose",
        label="Propose attestation",
        consequence="A statement is frozen from the newest reconciliation, exactly as it is, and "
        "waits for another person to confirm it.",
        permission=services.PROPOSE_PERMISSION,
        take=lambda _, **asked: services.propose(**asked),
        form=forms.ProposeForm,
    )
    acts = ACTS

    def get_queryset(self, request: HttpRequest) -> QuerySet[Attestation]:
        rows: QuerySet[Attestation] = super().get_queryset(request)
        return rows.select_related("program", "run__program")

    def get_urls(self) -> list[URLPattern]:
        preview = path(
            "<uuid:attestation_id>/statement.pdf",
            self.admin_site.admin_view(self.preview_view),
            name="attestation_attestation_preview",
        )
        return [preview, *super().get_urls()]

    @admin.display(description="Statement", ordering="sequence")
    def name(self, attestation: Attestation) -> str:
        return str(attestation)

    @admin.display(description="Corrected by")
    def corrected_by(self, attestation: Attestation) -> str:
        corrections = attestation.corrections.exclude(state=AttestationState.DECLINED)
        page = "admin:attestation_attestation_change"
        return format_html_join(
            ", ",
            '<a href="{}">{}</a>: {}',
            (
                (reverse(page, args=[one.pk]), one, one.correction_reason)
                for one in corrections.select_related("program").defer("content", "document")
            ),
        )

    @admin.display(description="What is signed")
    def what_is_signed(self, attestation: Attestation) -> str:
        document = selectors.content_of(attestation)
        return render_to_string("attestation/what_is_signed.html", {"document": document})

    @admin.display(description="As the public reads it")
    def preview(self, attestation: Attestation) -> str:
        address = reverse("admin:attestation_attestation_preview", args=[attestation.pk])
        return format_html('<a href="{}">statement.pdf</a>', address)

    def preview_view(self, request: HttpRequest, attestation_id: UUID) -> HttpResponse:
        """Show the PDF: the published one, or a draft of what would be published."""
        if not request.user.has_perm("attestation.view_attestation"):
            raise PermissionDenied
        attestation = get_object_or_404(Attestation, pk=attestation_id)
        kept = attestation.exhibits.filter(name=verify_offline.STATEMENT).first()
        if kept is not None:
            pdf = bytes(kept.content)
        else:
            source = attestation.document or attestation.content
            never_out = attestation.state in {AttestationState.FROZEN, AttestationState.DECLINED}
            pdf = rendering.preview(bytes(source), draft=never_out)
        return HttpResponse(pdf, content_type="application/pdf")


@admin.register(StatementKey)
class StatementKeyAdmin(ReadOnlyAdmin, ModelAdmin):
    """The public keys; a new one is registered from the machine that holds its secret half."""

    list_display = ("key_id", "public_key", "valid_from", "by")
    ordering = ("-valid_from",)
    show_full_result_count = False
    by = named("registered_by", "Registered by")
