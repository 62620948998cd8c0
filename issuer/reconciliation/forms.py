"""What the pages about breaks and gates ask."""

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


class PublicExplanationForm(forms.Form):
    """Why what shut a gate is over."""

    explanation = forms.CharField(
        max_length=500,
        widget=UnfoldAdminTextareaWidget,
        help_text="What had happened, and what was done about it: this is what the second person "
        "confirms, and the public reads it. No personal data.",
    )
