"""What the pages about KYC ask."""

from typing import Any, Final

from django import forms
from unfold.widgets import (
    UnfoldAdminFileFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminSingleDateWidget,
)

from issuer.kyc.models import MediaType, RiskRating
from issuer.parties.models import LegalEntity

EVIDENCE_KINDS: Final = (
    ("certificate-of-incorporation", "Certificate of incorporation"),
    ("articles-of-association", "Articles of association"),
    ("register-of-directors", "Register of directors"),
    ("register-of-shareholders", "Register of shareholders"),
    ("beneficial-owner-identity", "Identity of a beneficial owner"),
    ("regulatory-license", "Regulatory license"),
    ("source-of-funds", "Source of funds"),
    ("sanctions-screening", "Result of a sanctions screening"),
    ("other", "Other"),
)


class OpenCaseForm(forms.Form):
    """Whose case it is."""

    entity = forms.ModelChoiceField(
        LegalEntity.objects.filter(kyc_case=None).order_by("name"),
        widget=UnfoldAdminSelectWidget,
        help_text="Entities without a case.",
    )


class EvidenceForm(forms.Form):
    """A document, and what it is."""

    kind = forms.ChoiceField(choices=EVIDENCE_KINDS, widget=UnfoldAdminSelectWidget)
    document = forms.FileField(
        widget=UnfoldAdminFileFieldWidget,
        help_text=f"{', '.join(str(label) for label in MediaType.labels)}; 10 MiB at most.",
        error_messages={
            "required": "Choose a document of at most 10 MiB.",
            "empty": "The document is empty.",
        },
    )


class ApprovalForm(forms.Form):
    """For how long, and how closely watched."""

    valid_until = forms.DateField(
        widget=UnfoldAdminSingleDateWidget, help_text="Cleared through this day, in UTC."
    )
    risk_rating = forms.ChoiceField(
        choices=[("", "Choose"), *RiskRating.choices],  # no rating is the natural one
        widget=UnfoldAdminSelectWidget,
        help_text="Reviewed within 12 months if high, 24 if medium, 36 if low.",
    )

    def clean_risk_rating(self) -> Any:
        return RiskRating(self.cleaned_data["risk_rating"])
