"""What the pages about custody ask."""

from django import forms
from unfold.widgets import (
    UnfoldAdminDecimalFieldWidget,
    UnfoldAdminFileFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminSingleDateWidget,
    UnfoldAdminTextInputWidget,
)

from issuer.custody.models import CustodyAccount, Purpose
from issuer.foundation import quantities
from issuer.instruments.models import Token
from issuer.parties.models import Custodian


class DropForm(forms.Form):
    """A file, and whose it is."""

    custodian = forms.ModelChoiceField(
        Custodian.objects.select_related("entity").order_by("code"), widget=UnfoldAdminSelectWidget
    )
    file = forms.FileField(
        widget=UnfoldAdminFileFieldWidget,
        allow_empty_file=True,  # the refusal says more than the field could
        help_text="The custodian's file as it came, 5 MiB at most. Nothing is taken in yet.",
        error_messages={"required": "Choose the custodian's file."},
    )


class AccountForm(forms.Form):
    """An account at a custodian."""

    token = forms.ModelChoiceField(
        Token.objects.select_related("security", "program__security_agent").order_by("symbol"),
        widget=UnfoldAdminSelectWidget,
    )
    custodian = forms.ModelChoiceField(
        Custodian.objects.select_related("entity").order_by("code"), widget=UnfoldAdminSelectWidget
    )
    reference = forms.CharField(
        max_length=64,
        widget=UnfoldAdminTextInputWidget,
        help_text="The custodian's account number. The account is pledged to the security agent.",
    )


class AgainForm(forms.Form):
    """New dates for what has failed, and who delivers or receives the shares now."""

    trade_date = forms.DateField(widget=UnfoldAdminSingleDateWidget)
    settlement_date = forms.DateField(
        widget=UnfoldAdminSingleDateWidget, help_text="The contractual date."
    )
    counterparty = forms.CharField(max_length=128, widget=UnfoldAdminTextInputWidget)


class OwnSharesForm(forms.Form):
    """Shares of the SPV's own that a broker will deliver."""

    account = forms.ModelChoiceField(
        CustodyAccount.objects.select_related("token__security", "custodian__entity"),
        widget=UnfoldAdminSelectWidget,
    )
    quantity = forms.DecimalField(
        widget=UnfoldAdminDecimalFieldWidget,
        max_digits=quantities.DIGITS - quantities.CUSTODY_SCALE,
        decimal_places=quantities.CUSTODY_SCALE,
        help_text="Whole shares, to nine decimal places.",
    )
    trade_date = forms.DateField(widget=UnfoldAdminSingleDateWidget)
    settlement_date = forms.DateField(
        widget=UnfoldAdminSingleDateWidget, help_text="The contractual date."
    )
    delivering_party = forms.CharField(max_length=128, widget=UnfoldAdminTextInputWidget)

    def clean(self) -> dict[str, object]:
        """Say what these shares are for: this page moves none of a partner's."""
        cleaned: dict[str, object] = super().clean() or {}
        return cleaned | {"purpose": Purpose.OWN_SHARES}
