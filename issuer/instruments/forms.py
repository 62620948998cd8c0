"""What the pages about instruments ask."""

from decimal import Decimal
from typing import Any

from django import forms
from unfold.widgets import (
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
    UnfoldAdminURLInputWidget,
    UnfoldBooleanSwitchWidget,
)

from issuer.foundation import quantities
from issuer.foundation.errors import DomainError
from issuer.instruments.models import ControlledRole, Network, Security, Token
from issuer.parties.models import Program


class SecurityForm(forms.Form):
    """A listed share."""

    name = forms.CharField(max_length=128, widget=UnfoldAdminTextInputWidget)
    ticker = forms.CharField(max_length=12, widget=UnfoldAdminTextInputWidget)
    mic = forms.CharField(
        label="MIC", min_length=4, max_length=4, widget=UnfoldAdminTextInputWidget
    )
    isin = forms.CharField(label="ISIN", max_length=12, widget=UnfoldAdminTextInputWidget)
    cusip = forms.CharField(
        label="CUSIP", max_length=9, required=False, widget=UnfoldAdminTextInputWidget
    )
    figi = forms.CharField(
        label="FIGI", max_length=12, required=False, widget=UnfoldAdminTextInputWidget
    )


class TokenForm(forms.Form):
    """A product."""

    program = forms.ModelChoiceField(
        Program.objects.order_by("name"), widget=UnfoldAdminSelectWidget
    )
    symbol = forms.CharField(max_length=16, widget=UnfoldAdminTextInputWidget)
    name = forms.CharField(max_length=128, widget=UnfoldAdminTextInputWidget)
    isin = forms.CharField(
        label="ISIN", max_length=12, widget=UnfoldAdminTextInputWidget, help_text="The token's own."
    )
    security = forms.ModelChoiceField(
        Security.objects.order_by("ticker"), widget=UnfoldAdminSelectWidget
    )
    statement_due_hours = forms.IntegerField(
        initial=26,
        min_value=1,
        max_value=32_767,
        widget=UnfoldAdminIntegerFieldWidget,
        help_text="After the start (UTC) of a session day.",
    )
    admits_unsettled_receipts = forms.BooleanField(
        initial=True, required=False, widget=UnfoldBooleanSwitchWidget
    )
    redemption_minimum = forms.CharField(
        initial="1", widget=UnfoldAdminTextInputWidget, help_text="Whole tokens."
    )

    def clean_redemption_minimum(self) -> Any:
        return _quantity(self.cleaned_data["redemption_minimum"])


class NetworkForm(forms.Form):
    """A chain."""

    caip2 = forms.CharField(
        label="CAIP-2", max_length=41, widget=UnfoldAdminTextInputWidget, help_text="As eip155:1."
    )
    name = forms.CharField(max_length=64, widget=UnfoldAdminTextInputWidget)
    final_age_max_seconds = forms.IntegerField(
        initial=1800, min_value=1, max_value=2**31 - 1, widget=UnfoldAdminIntegerFieldWidget
    )
    explorer_url = forms.URLField(
        label="Explorer",
        required=False,
        assume_scheme="https",
        widget=UnfoldAdminURLInputWidget,
    )


class DeploymentForm(forms.Form):
    """A token's contract on a chain."""

    token = forms.ModelChoiceField(Token.objects.order_by("symbol"), widget=UnfoldAdminSelectWidget)
    network = forms.ModelChoiceField(
        Network.objects.order_by("caip2"), widget=UnfoldAdminSelectWidget
    )
    address = forms.CharField(
        max_length=64, widget=UnfoldAdminTextInputWidget, help_text="With its EIP-55 checksum."
    )
    decimals = forms.IntegerField(
        initial=18, min_value=0, max_value=18, widget=UnfoldAdminIntegerFieldWidget
    )
    deployed_block = forms.IntegerField(min_value=0, widget=UnfoldAdminIntegerFieldWidget)
    multiplier = forms.CharField(
        initial="1", widget=UnfoldAdminTextInputWidget, help_text="Shares per token."
    )

    def clean_multiplier(self) -> Any:
        return _quantity(self.cleaned_data["multiplier"])


class ControlledAddressForm(forms.Form):
    """An address of the issuer's own."""

    network = forms.ModelChoiceField(
        Network.objects.order_by("caip2"), widget=UnfoldAdminSelectWidget
    )
    address = forms.CharField(
        max_length=64, widget=UnfoldAdminTextInputWidget, help_text="With its EIP-55 checksum."
    )
    role = forms.ChoiceField(
        choices=[("", "Choose"), *ControlledRole.choices], widget=UnfoldAdminSelectWidget
    )
    reason = forms.CharField(
        max_length=256, widget=UnfoldAdminTextareaWidget, help_text="Is published."
    )

    def clean_role(self) -> Any:
        return ControlledRole(self.cleaned_data["role"])


def _quantity(text: str) -> Decimal:
    try:
        return quantities.from_text(text)
    except DomainError as refusal:
        raise forms.ValidationError(refusal.detail) from refusal
