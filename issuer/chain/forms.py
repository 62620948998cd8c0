"""What the pages about contract acts ask."""

from typing import Any

from django import forms
from unfold.widgets import (
    UnfoldAdminSelectMultipleWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from issuer.chain import selectors
from issuer.chain.models import ChainEvent
from issuer.chain.states import ACT_KINDS, IntentKind, SignerPurpose
from issuer.foundation import quantities
from issuer.foundation.errors import DomainError
from issuer.instruments.models import Deployment


class _MintChoice(forms.ModelChoiceField):
    """A mint past the books, by what one knows it by."""

    def label_from_instance(self, obj: Any) -> str:
        assert isinstance(obj, ChainEvent)
        quantity = quantities.to_quantity(obj.base_units, decimals=obj.deployment.decimals)
        return f"{quantities.to_text(quantity)} {obj.deployment}, to {obj.address}"


class ProposeActForm(forms.Form):
    """What is to be done, on which contracts; which of the rest it needs follows from its kind."""

    kind = forms.ChoiceField(
        choices=[("", "Choose"), *((k.value, k.label) for k in IntentKind if k in ACT_KINDS)],
        widget=UnfoldAdminSelectWidget,
    )
    deployments = forms.ModelMultipleChoiceField(
        Deployment.objects.select_related("token", "network").order_by(
            "network__caip2", "token__symbol"
        ),
        label="Contracts",
        widget=UnfoldAdminSelectMultipleWidget,
        help_text="All of one network.",
    )
    account = forms.CharField(
        required=False,
        max_length=64,
        label="Address",
        widget=UnfoldAdminTextInputWidget,
        help_text="To block, to seize from, or whose role changes.",
    )
    role = forms.ChoiceField(
        choices=[("", "None"), *SignerPurpose.choices],
        required=False,
        widget=UnfoldAdminSelectWidget,
        help_text="To grant or to revoke.",
    )
    remedied_event = _MintChoice(
        ChainEvent.objects.none(),
        required=False,
        label="Mint past the books",
        widget=UnfoldAdminSelectWidget,
        help_text="That a seizure undoes.",
    )
    quantity = forms.CharField(
        required=False,
        widget=UnfoldAdminTextInputWidget,
        help_text="Whole tokens to seize.",
    )
    multiplier = forms.CharField(
        required=False,
        widget=UnfoldAdminTextInputWidget,
        help_text="Shares per token, to schedule.",
    )
    effective_at = forms.DateTimeField(
        required=False,
        widget=UnfoldAdminTextInputWidget,
        help_text="When the multiplier holds, as 2027-01-04T09:00:00Z.",
    )
    reason = forms.CharField(
        max_length=500,
        widget=UnfoldAdminTextareaWidget,
        help_text="Stands in the record and in the trail: no personal data.",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        mints = self.fields["remedied_event"]
        assert isinstance(mints, _MintChoice)
        mints.queryset = selectors.mints_past_the_books()

    def clean_kind(self) -> IntentKind:
        return IntentKind(self.cleaned_data["kind"])

    def clean(self) -> dict[str, Any]:
        asked = dict(self.cleaned_data)
        quantity, event = asked.pop("quantity", ""), asked.get("remedied_event")
        try:
            if asked.get("multiplier") is not None:
                text = asked["multiplier"]
                asked["multiplier"] = quantities.from_text(text) if text else None
            asked["base_units"] = None
            if quantity and event is not None:
                decimals = event.deployment.decimals
                tokens = quantities.from_text(quantity)
                asked["base_units"] = quantities.to_base_units(tokens, decimals=decimals)
            elif quantity:
                raise forms.ValidationError("Name the mint that the seizure undoes.")
        except DomainError as refusal:
            raise forms.ValidationError(refusal.detail) from refusal
        asked["deployments"] = list(asked.get("deployments", []))
        return asked
