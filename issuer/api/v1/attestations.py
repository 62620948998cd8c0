"""Attestations that were published, and their files, byte for byte. Public."""

import hashlib
from typing import Any
from uuid import UUID

from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpResponse
from django.urls import reverse
from django.utils.cache import get_conditional_response
from django.utils.http import quote_etag
from drf_spectacular.types import OpenApiTypes
from rest_framework import serializers
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.request import Request
from rest_framework.response import Response

from issuer.api.documentation import reads
from issuer.api.errors import AttestationMissing
from issuer.api.pagination import PAGE_PARAMETERS, PageOutput
from issuer.api.views import ApiView, page_of
from issuer.attestation import selectors
from issuer.attestation.models import Attestation
from issuer.attestation.package import verify_offline
from issuer.attestation.states import AttestationKind, AttestationState
from issuer.foundation import canonical
from issuer.reserves.cover import CoverStatus


class SupersededOutput(serializers.Serializer):
    """The statement whose figures a correction replaces; it stays as it was published."""

    sequence = serializers.IntegerField()
    sha256 = serializers.CharField(help_text="Of its document.")
    reason = serializers.CharField()


class AttestationOutput(serializers.Serializer):
    """The issuer's signed statement of reserves as of a cut-off."""

    id = serializers.UUIDField()
    program = serializers.CharField()
    sequence = serializers.IntegerField(help_text="1, 2, 3, … per program, without a gap.")
    kind = serializers.ChoiceField(
        AttestationKind.choices,
        help_text="Nobody approves an EVENT; it is no better than the one before in any token.",
    )
    supersedes = SupersededOutput(allow_null=True, help_text="Of a CORRECTION, and else null.")
    corrected_by = serializers.IntegerField(
        allow_null=True, help_text="The sequence of the correction of this one, if there is one."
    )
    state = serializers.ChoiceField(AttestationState.choices)
    status = serializers.ChoiceField(CoverStatus.choices)
    as_of = serializers.DateTimeField()
    valid_until = serializers.DateTimeField(help_text="Do not rely on it after this.")
    published_at = serializers.DateTimeField()
    sha256 = serializers.CharField(help_text="Of the document.")
    permalink = serializers.URLField(help_text="The page of this statement, for people.")
    document = serializers.URLField(help_text="Canonical JSON (RFC 8785), as it was signed.")
    pdf = serializers.URLField()
    package = serializers.URLField(help_text="ZIP with everything that a check needs.")


class AttestationPage(PageOutput):
    """Attestations, the newest first."""

    results = AttestationOutput(many=True)


class AttestationList(ApiView):
    """Every published attestation."""

    @reads(
        "list_attestations",
        "List attestations",
        AttestationPage,
        parameters=PAGE_PARAMETERS,
        public=True,
    )
    def get(self, request: Request) -> Response:
        return page_of(_published(), request, self, output=lambda row: _document(row, request))


class AttestationDetail(ApiView):
    """One attestation."""

    @reads(
        "get_attestation",
        "Get an attestation",
        AttestationOutput,
        refusals=[AttestationMissing],
        public=True,
    )
    def get(self, request: Request, attestation_id: UUID) -> Response:
        return Response(_document(_one(attestation_id), request))


class AsItIs(BaseContentNegotiation):
    """Files have the one form they were signed in, whatever the caller would like best."""

    def select_renderer(self, request: Request, renderers: Any, format_suffix: Any = None) -> Any:
        return renderers[0], renderers[0].media_type


class FileView(ApiView):
    """One file of a published package."""

    content_negotiation_class = AsItIs


class AttestationDocument(FileView):
    """The document that was signed."""

    @reads(
        "get_attestation_document",
        "Get the document of an attestation, byte for byte",
        OpenApiTypes.OBJECT,
        refusals=[AttestationMissing],
        public=True,
        cached=True,
    )
    def get(self, request: Request, attestation_id: UUID) -> HttpResponse:
        return _file(request, _one(attestation_id), verify_offline.DOCUMENT, "application/json")


class AttestationPdf(FileView):
    """The statement as it is printed."""

    @reads(
        "get_attestation_pdf",
        "Get the PDF of an attestation, byte for byte",
        OpenApiTypes.BINARY,
        refusals=[AttestationMissing],
        public=True,
        media_type="application/pdf",
        cached=True,
    )
    def get(self, request: Request, attestation_id: UUID) -> HttpResponse:
        return _file(request, _one(attestation_id), verify_offline.STATEMENT, "application/pdf")


class AttestationPackage(FileView):
    """Everything that a check needs, as one file."""

    @reads(
        "get_attestation_package",
        "Get the package of an attestation",
        OpenApiTypes.BINARY,
        refusals=[AttestationMissing],
        public=True,
        media_type="application/zip",
        cached=True,
    )
    def get(self, request: Request, attestation_id: UUID) -> HttpResponse:
        attestation = _one(attestation_id)
        content = selectors.package_zip(attestation)
        name = f"{selectors.folder_name(attestation)}.zip"
        return _answer(request, content, name, "application/zip")


def _published() -> QuerySet[Attestation]:
    correction = Attestation.objects.filter(corrects=OuterRef("pk"), state__in=selectors.OUT)
    return (
        Attestation.objects.filter(state__in=selectors.OUT)
        .select_related("program", "corrects")
        .defer("content", "document", "corrects__content", "corrects__document")
        .annotate(corrected_by=Subquery(correction.order_by().values("sequence")[:1]))
    )


def _one(attestation_id: UUID) -> Attestation:
    attestation = _published().filter(pk=attestation_id).first()
    if attestation is None:
        raise AttestationMissing(f"There is no published attestation {attestation_id}.")
    return attestation


def _document(attestation: Attestation, request: Request) -> dict[str, Any]:
    assert attestation.published_at is not None

    def address(name: str) -> str:
        return request.build_absolute_uri(reverse(f"api:{name}", args=[attestation.pk]))

    return {
        "id": str(attestation.pk),
        "program": attestation.program.code,
        "sequence": attestation.sequence,
        "kind": attestation.kind,
        "supersedes": None
        if attestation.corrects is None
        else {
            "sequence": attestation.corrects.sequence,
            "sha256": attestation.corrects.sha256,
            "reason": attestation.correction_reason,
        },
        "corrected_by": getattr(attestation, "corrected_by", None),
        "state": AttestationState(attestation.state).value,
        "status": attestation.status,
        "as_of": canonical.timestamp(attestation.as_of),
        "valid_until": canonical.timestamp(attestation.valid_until),
        "published_at": canonical.timestamp(attestation.published_at),
        "sha256": attestation.sha256,
        "permalink": request.build_absolute_uri(
            reverse("attestation", args=[attestation.program.code, attestation.sequence])
        ),
        "document": address("attestation-document"),
        "pdf": address("attestation-pdf"),
        "package": address("attestation-package"),
    }


def _file(request: Request, attestation: Attestation, name: str, media_type: str) -> HttpResponse:
    content = bytes(attestation.exhibits.values_list("content", flat=True).get(name=name))
    return _answer(request, content, name, media_type)


def _answer(request: Request, content: bytes, name: str, media_type: str) -> HttpResponse:
    tag = quote_etag(hashlib.sha256(content).hexdigest())
    response = HttpResponse(
        content,
        content_type=media_type,
        headers={
            "ETag": tag,
            "Cache-Control": "public, max-age=86400, immutable",
            "Content-Disposition": f'inline; filename="{name}"',
        },
    )
    conditional = get_conditional_response(request._request, etag=tag, response=response)
    assert conditional is None or isinstance(conditional, HttpResponse)
    return conditional or response
