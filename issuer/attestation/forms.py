"""What the pages about statements ask."""

from django import forms
from unfold.widgets import UnfoldAdminSelectWidget

from issuer.parties.models import Program


class ProposeForm(forms.Form):
    """Whose statement it is; it is made from the newest reconciliation."""

    program = forms.ModelChoiceField(
        Program.objects.order_by("name"),
        widget=UnfoldAdminSelectWidget,
        help_text="The newest reconciliation of the program decides the cut-off and every figure.",
    )
