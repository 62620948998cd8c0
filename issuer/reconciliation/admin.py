"""Reconciliation as staff read it: the three legs of every token, and the desk of breaks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin

from issuer.approvals import selectors as proposals
from issuer.approvals.models import Proposal
from issuer.foundation import clock
from issuer.foundation.admin import ReadOnlyAdmin
from issuer.foundation.templatetags import screens
from issuer.people.acts import Act, ActsAdmin, ReasonForm, SeenForm
from issuer.reconciliation import forms, selectors, services
from issuer.reconciliation.models import Break, Line, Run, TokenResult
from issuer.reconciliation.services import CLOSE
from issuer.reconciliation.states import BreakState
from issuer.reserves.cover import SEVERITY, CoverStatus

PROPOSE: Final = "reconciliation.propose_close_break"
CONFIRM: Final = "reconciliation.confirm_close_break"

#: The legs, by the letter that their lines begin with.
LEGS: Final = {"A": "Tokens: chain against register", "B": "Shares: custody against ledger"} | {
    "C": "Backing: held against owed"
}


@dataclass(frozen=True, slots=True)
class Leg:
    """One of the three parts of a token's statement."""

    name: str
    lines: Sequence[Line]


def _proposal(row: Break) -> Proposal | None:
    return proposals.open_proposal(row, CLOSE)


def _may_be_proposed(row: Break) -> bool:
    closable = row.state == BreakState.OPEN and not selectors.still_seen(row)
    return closable and _proposal(row) is None


def _waits(row: Break) -> bool:
    return row.state == BreakState.OPEN and _proposal(row) is not None


def _propose(row: Break, **asked: Any) -> Break:
    services.propose_close_break(row.pk, **asked)
    return row


def _shown(row: Break) -> str:
    return render_to_string("reconciliation/proposed.html", {"proposal": _proposal(row)})


def _seen(row: Break) -> Mapping[str, str]:
    proposal = _proposal(row)
    return {} if proposal is None else {"payload_hash": proposal.payload_hash}


def _decline(row: Break, **asked: Any) -> Break:
    services.decline_close_break(row.pk, **asked)
    return row


ACTS: Final = (
    Act(
        name="propose",
        label="Propose to close",
        consequence="Another person has to confirm it. Your explanation becomes part of the "
        "record and, as far as the break is published, of the next statement.",
        permission=PROPOSE,
        take=_propose,
        form=forms.ExplanationForm,
        offered=_may_be_proposed,
    ),
    Act(
        name="confirm",
        label="Confirm that it is closed",
        consequence="You sign that the difference is gone, and why, as it stands below. What a "
        "critical break holds shut stays so until two persons resume. A difference that comes back opens a break of its own.",
        permission=CONFIRM,
        take=lambda row, **asked: services.confirm_close_break(row.pk, **asked),
        form=SeenForm,
        offered=_waits,
        shown=_shown,
        initial=_seen,
    ),
    Act(
        name="decline",
        label="Leave it open",
        consequence="The proposal to close the break is declined; the break stays open.",
        permission=CONFIRM,
        take=_decline,
        form=ReasonForm,
        offered=_waits,
    ),
)


@admin.register(Run)
class RunAdmin(ReadOnlyAdmin, ModelAdmin):
    """What each run found."""

    list_display = ("as_of", "program", "answer", "tokens", "started_by")
    list_filter = ("program",)
    list_select_related = ("program",)
    date_hierarchy = "as_of"
    ordering = ("-as_of", "-id")
    show_full_result_count = False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Run]:
        rows: QuerySet[Run] = super().get_queryset(request)
        return rows.prefetch_related("results")

    @admin.display(description="Gravest answer")
    def answer(self, run: Run) -> SafeString | str:
        statuses = [CoverStatus(result.status) for result in run.results.all()]
        if not statuses:
            return "no tokens"
        worst = max(statuses, key=SEVERITY.index)
        return screens.pill(worst.value, worst.label)

    @admin.display(description="Tokens")
    def tokens(self, run: Run) -> int:
        return len(run.results.all())

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Show the statement of a run: per token three legs, line by line, with their items."""
        run = self.get_object(request, unquote(object_id))
        if run is None:
            raise Http404
        if not self.has_view_permission(request, run):
            raise PermissionDenied
        results = run.results.select_related("token__security").prefetch_related("lines__items")
        breaks = selectors.breaks_at(run)
        context = {
            **self.admin_site.each_context(request),
            **(extra_context or {}),
            "title": str(run),
            "opts": self.opts,
            "run": run,
            "now": clock.now(),
            "tokens": [(result, _legs(result), breaks[result.token_id]) for result in results],
        }
        return TemplateResponse(request, "reconciliation/run.html", context)


@admin.register(Break)
class BreakAdmin(ActsAdmin, ModelAdmin):
    """The desk: what is open first, the gravest and oldest at the top."""

    list_display = ("grade", "name", "token", "difference", "status", "opened_at", "detail")
    list_display_links = ("name",)
    list_filter = ("state", "severity", "code", "token__program", "token")
    list_select_related = ("token",)
    search_fields = ("token__symbol", "code", "subject", "detail")
    show_full_result_count = False
    fields = (
        *("token", "name", "grade", "subject", "difference", "detail", "status"),
        *("opened_at", "opened_run", "last_seen_at", "last_seen_run", "proposed"),
        *("ended_at", "ended_run", "explanation"),
    )
    readonly_fields = ("name", "grade", "difference", "status", "proposed")
    acts = ACTS

    def get_queryset(self, request: HttpRequest) -> QuerySet[Break]:
        rows: QuerySet[Break] = super().get_queryset(request)
        return rows.select_related("token__program")

    def get_ordering(self, request: HttpRequest) -> Sequence[Any]:
        return ("-state", selectors.BY_SEVERITY, "opened_at", "id")

    @admin.display(description="Code", ordering="code")
    def name(self, row: Break) -> str:
        return row.code

    @admin.display(description="Severity")
    def grade(self, row: Break) -> SafeString:
        return screens.pill(row.severity, row.get_severity_display())

    @admin.display(description="State", ordering="state")
    def status(self, row: Break) -> str:
        return row.get_state_display()

    @admin.display(description="Difference", ordering="quantity")
    def difference(self, row: Break) -> SafeString | str:
        if row.quantity is None:
            return "–"
        return format_html("{} {}", screens.exact(row.quantity), row.unit)

    @admin.display(description="Proposed")
    def proposed(self, row: Break) -> str:
        return render_to_string("reconciliation/proposed.html", {"proposal": _proposal(row)})


def _legs(result: TokenResult) -> list[Leg]:
    lines = list(result.lines.all())
    return [
        Leg(name, [line for line in lines if line.code.startswith(letter)])
        for letter, name in LEGS.items()
    ]
