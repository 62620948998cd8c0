"""What the pages about keys ask."""

from django import forms
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
)

from issuer.api import services
from issuer.api.models import Scope
from issuer.parties.models import AuthorizedParticipant


class KeyForm(forms.Form):
    """A key for a participant."""

    participant = forms.ModelChoiceField(
        AuthorizedParticipant.objects.select_related("entity").order_by("code"),
        widget=UnfoldAdminSelectWidget,
    )
    label = forms.CharField(
        max_length=64, widget=UnfoldAdminTextInputWidget, help_text="What the key is for."
    )
    scopes = forms.MultipleChoiceField(
        choices=Scope.choices, widget=UnfoldAdminCheckboxSelectMultipleWidget
    )
    days = forms.IntegerField(
        min_value=1,
        max_value=services.LIFETIME_MAX.days,
        initial=90,
        widget=UnfoldAdminIntegerFieldWidget,
        help_text="How long the key is valid.",
    )
