"""What the page that halts asks."""

from typing import Any
from uuid import UUID

from django import forms
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextareaWidget

from issuer.gate.models import ScopeKind
from issuer.gate.selectors import ScopeKey
from issuer.instruments.models import Network, Token
from issuer.parties.models import Custodian, Program


def _gates() -> list[tuple[str, list[tuple[str, str]]]]:
    """Return all that can be halted, the widest first: the program is what one halts in a hurry."""
    custodians = Custodian.objects.select_related("entity").order_by("entity__name")
    groups = (
        (ScopeKind.PROGRAM, "All tokens of a program", Program.objects.order_by("name")),
        (ScopeKind.TOKEN, "One token", Token.objects.order_by("symbol")),
        (ScopeKind.NETWORK, "All tokens on a network", Network.objects.order_by("name")),
        (ScopeKind.CUSTODIAN, "All that a custodian holds", custodians),
    )
    return [
        (label, [(f"{kind.value}:{subject.pk}", str(subject)) for subject in subjects])
        for kind, label, subjects in groups
        if subjects
    ]


class HaltForm(forms.Form):
    """What is halted, and why; the first program, unless somebody chooses something narrower."""

    scope = forms.ChoiceField(
        label="Halt", choices=_gates, widget=UnfoldAdminSelectWidget, help_text="At once, and all."
    )
    reason = forms.CharField(
        max_length=500,
        widget=UnfoldAdminTextareaWidget(attrs={"autofocus": True, "rows": 3}),
        help_text="The public and participants read it: no personal data, no secrets.",
    )

    def clean_scope(self) -> ScopeKey:
        """Return the kind and the id of what was chosen; the choices hold no others."""
        chosen: Any = self.cleaned_data["scope"]
        kind, _, subject_id = chosen.partition(":")
        return ScopeKind(kind), UUID(subject_id)
