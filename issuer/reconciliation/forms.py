"""What the pages about breaks ask."""

from django import forms
from unfold.widgets import UnfoldAdminTextareaWidget


class ExplanationForm(forms.Form):
    """What became of a difference."""

    explanation = forms.CharField(
        max_length=500,
        widget=UnfoldAdminTextareaWidget,
        help_text="What was found, and what was done about it: this is what the second person "
        "confirms. No personal data.",
    )
