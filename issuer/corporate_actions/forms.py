"""What the pages about corporate actions ask."""

from datetime import UTC, datetime

from django import forms
from unfold.widgets import (
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from issuer.corporate_actions.models import WINDOW_SECONDS_MAX
from issuer.instruments.models import Token

_SHARES_MAX = 1_000_000


class AnnounceForm(forms.Form):
    """What a company does to its shares, and when."""

    token = forms.ModelChoiceField(Token.objects.order_by("symbol"), widget=UnfoldAdminSelectWidget)
    shares_after = forms.IntegerField(
        min_value=1,
        max_value=_SHARES_MAX,
        widget=UnfoldAdminIntegerFieldWidget,
        help_text="4 of 4:1, 1 of 1:20.",
    )
    shares_before = forms.IntegerField(
        initial=1,
        min_value=1,
        max_value=_SHARES_MAX,
        widget=UnfoldAdminIntegerFieldWidget,
        help_text="1 of 4:1, 20 of 1:20.",
    )
    effective_at = forms.CharField(
        max_length=32,
        widget=UnfoldAdminTextInputWidget,
        help_text="When every chain moves, as 2027-01-04T14:30:00Z.",
    )
    window_seconds = forms.IntegerField(
        initial=900,
        min_value=1,
        max_value=WINDOW_SECONDS_MAX,
        widget=UnfoldAdminIntegerFieldWidget,
        help_text="How long before that minting and redemption halt.",
    )
    source = forms.CharField(
        max_length=500,
        widget=UnfoldAdminTextareaWidget,
        help_text="Who announced it, and where. Is public: no personal data.",
    )

    def clean_effective_at(self) -> datetime:
        text = self.cleaned_data["effective_at"]
        try:
            moment = datetime.fromisoformat(text)
        except ValueError as unread:
            raise forms.ValidationError("Write it as 2027-01-04T14:30:00Z.") from unread
        if moment.tzinfo is None:
            raise forms.ValidationError("Say which time zone: write it as 2027-01-04T14:30:00Z.")
        return moment.astimezone(UTC)
