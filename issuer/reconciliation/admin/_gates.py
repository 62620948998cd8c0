"""The gates: what is shut, since when, by whom and why; and going on, which takes two persons."""

from collections.abc import Mapping
from typing import Any, Final

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from unfold.admin import ModelAdmin

from issuer.approvals import selectors as proposals
from issuer.approvals.models import Proposal
from issuer.foundation import clock
from issuer.gate import selectors as gates
from issuer.gate.models import RESUMED_BY_PERSONS, Resumption, Scope, ScopeKind
from issuer.gate.services import RESUME
from issuer.people.acts import Act, ActsAdmin, ReasonForm, SeenForm
from issuer.reconciliation import forms, services
from issuer.reconciliation.gates import gates_today, in_the_way

PROPOSE: Final = "gate.propose_resume"
CONFIRM: Final = "gate.confirm_resume"
#: The gates page shows so many of the last resumptions.
_RESUMPTIONS_SHOWN: Final = 10


def _proposal(scope: Scope) -> Proposal | None:
    return proposals.open_proposal(scope, RESUME)


def _may_be_proposed(scope: Scope) -> bool:
    held = scope.holds.filter(released_at=None, cause__in=RESUMED_BY_PERSONS)
    return held.exists() and _proposal(scope) is None


def _waits(scope: Scope) -> bool:
    return _proposal(scope) is not None


def _propose(scope: Scope, **asked: Any) -> Scope:
    kind = ScopeKind(scope.kind)
    services.propose_resume(kind=kind, subject_id=scope.subject_id, **asked)
    return scope


def _confirm(scope: Scope, **asked: Any) -> Scope:
    services.confirm_resume(_proposed(scope), **asked)
    return scope


def _decline(scope: Scope, **asked: Any) -> Scope:
    services.decline_resume(_proposed(scope), **asked)
    return scope


def _proposed(scope: Scope) -> Any:
    """Return the id of what is proposed; of nothing, if it was closed meanwhile."""
    proposal = _proposal(scope)
    return None if proposal is None else proposal.pk


def _seen(scope: Scope) -> Mapping[str, str]:
    proposal = _proposal(scope)
    return {} if proposal is None else {"payload_hash": proposal.payload_hash}


def _as_it_stands(scope: Scope) -> str:
    return _rendered("reconciliation/gate.html", scope)


def _to_be_signed(scope: Scope) -> str:
    return _rendered("reconciliation/resume.html", scope)


def _rendered(template: str, scope: Scope) -> str:
    (gate,) = gates_today([scope])
    context = {"gate": gate, "in_the_way": in_the_way(scope), "now": clock.now()}
    return render_to_string(template, context)


ACTS: Final = (
    Act(
        name="propose",
        label="Propose to resume",
        consequence="Another person has to confirm it. It ends what persons and breaks hold shut "
        "here, once the newest reconciliation is later than all of them and clean; what a stale "
        "source or a window holds shut ends by itself.",
        permission=PROPOSE,
        take=_propose,
        form=forms.PublicExplanationForm,
        offered=_may_be_proposed,
        shown=_as_it_stands,
    ),
    Act(
        name="confirm",
        label="Confirm and resume",
        consequence="You sign that minting and redemption go on under this gate, to the letter of "
        "what is below. A hold that is placed before you confirm voids it.",
        permission=CONFIRM,
        take=_confirm,
        form=SeenForm,
        offered=_waits,
        shown=_to_be_signed,
        initial=_seen,
    ),
    Act(
        name="decline",
        label="Leave it shut",
        consequence="The proposal to resume is declined; the gate stays as it is.",
        permission=CONFIRM,
        take=_decline,
        form=ReasonForm,
        offered=_waits,
        shown=_to_be_signed,
    ),
)


@admin.register(Scope)
class GateAdmin(ActsAdmin, ModelAdmin):
    """What is shut at the top, and what went on last below it; a gate's page has its acts."""

    search_fields = ("subject_id",)
    fields = ("name", "as_it_stands", "proposed", "history")
    readonly_fields = fields
    acts = ACTS

    def get_queryset(self, request: HttpRequest) -> QuerySet[Scope]:
        rows: QuerySet[Scope] = super().get_queryset(request)
        return rows.annotate(subject_name=gates.subject_name("subject_id"))

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show every gate that is shut with its holds, and what two persons let go on last."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        shut = gates_today(Scope.objects.filter(holds__released_at=None, holds__isnull=False))
        resumptions = Resumption.objects.select_related("scope", "proposed_by", "confirmed_by")
        context = {
            **self.admin_site.each_context(request),
            **(extra_context or {}),
            "title": "Gates",
            "opts": self.opts,
            "cl": None,
            "shut": shut,
            "resumptions": resumptions.annotate(
                subject_name=gates.subject_name("scope__subject_id")
            ).order_by("-resumed_at", "-id")[:_RESUMPTIONS_SHOWN],
            "now": clock.now(),
            "may_halt": request.user.has_perm("gate.place_hold"),
        }
        return TemplateResponse(request, "reconciliation/gates.html", context)

    @admin.display(description="Gate")
    def name(self, scope: Any) -> str:
        return f"{scope.get_kind_display()} {scope.subject_name or scope.subject_id}"

    @admin.display(description="What holds it")
    def as_it_stands(self, scope: Scope) -> str:
        return _as_it_stands(scope)

    @admin.display(description="Proposed")
    def proposed(self, scope: Scope) -> str:
        return _to_be_signed(scope)

    @admin.display(description="Resumed before")
    def history(self, scope: Scope) -> str:
        rows = scope.resumptions.select_related("proposed_by", "confirmed_by").order_by("-id")
        return render_to_string("reconciliation/resumptions.html", {"resumptions": rows})
