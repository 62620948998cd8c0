"""What the pages about parties ask."""

from django import forms
from unfold.widgets import (
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from issuer.parties.models import LegalEntity, Program


class LegalEntityForm(forms.Form):
    """A company."""

    name = forms.CharField(max_length=128, widget=UnfoldAdminTextInputWidget)
    lei = forms.CharField(label="LEI", max_length=20, widget=UnfoldAdminTextInputWidget)
    jurisdiction = forms.CharField(
        max_length=2, widget=UnfoldAdminTextInputWidget, help_text="ISO 3166-1 alpha-2, as JE."
    )


class ProgramForm(forms.Form):
    """An SPV and those around it."""

    code = forms.SlugField(max_length=32, widget=UnfoldAdminTextInputWidget)
    name = forms.CharField(max_length=128, widget=UnfoldAdminTextInputWidget)
    spv = forms.ModelChoiceField(
        LegalEntity.objects.order_by("name"), label="SPV", widget=UnfoldAdminSelectWidget
    )
    arranger = forms.ModelChoiceField(
        LegalEntity.objects.order_by("name"), widget=UnfoldAdminSelectWidget
    )
    security_agent = forms.ModelChoiceField(
        LegalEntity.objects.order_by("name"), widget=UnfoldAdminSelectWidget
    )


class CriteriaForm(forms.Form):
    """A version of the policy."""

    program = forms.ModelChoiceField(
        Program.objects.order_by("name"), widget=UnfoldAdminSelectWidget
    )
    name = forms.CharField(max_length=128, widget=UnfoldAdminTextInputWidget)
    version = forms.CharField(max_length=16, widget=UnfoldAdminTextInputWidget)
    text = forms.CharField(widget=UnfoldAdminTextareaWidget, strip=False)


class CustodianForm(forms.Form):
    """An entity that holds shares."""

    code = forms.SlugField(max_length=32, widget=UnfoldAdminTextInputWidget)
    entity = forms.ModelChoiceField(
        LegalEntity.objects.filter(custodian=None).order_by("name"),
        widget=UnfoldAdminSelectWidget,
    )


class ParticipantForm(forms.Form):
    """An entity that may request issuance and redemption."""

    code = forms.SlugField(max_length=32, widget=UnfoldAdminTextInputWidget)
    entity = forms.ModelChoiceField(
        LegalEntity.objects.order_by("name"), widget=UnfoldAdminSelectWidget
    )
    program = forms.ModelChoiceField(
        Program.objects.order_by("name"), widget=UnfoldAdminSelectWidget
    )
