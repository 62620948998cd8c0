"""What the pages about statements ask."""

from django import forms
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextareaWidget

from issuer.attestation.models import REASON_LENGTH
from issuer.parties.models import Program


class ProposeForm(forms.Form):
    """Whose statement it is; it is made from the newest reconciliation."""

    program = forms.ModelChoiceField(
        Program.objects.order_by("name"),
        widget=UnfoldAdminSelectWidget,
        help_text="The newest reconciliation of the program decides the cut-off and every figure.",
    )


class CorrectionForm(forms.Form):
    """Why a statement is corrected: which figure was wrong, and how it came to be."""

    reason = forms.CharField(
        max_length=REASON_LENGTH,
        label="What is wrong in it, and why",
        widget=UnfoldAdminTextareaWidget,
        help_text="The public reads it, in both statements: no personal data.",
    )
