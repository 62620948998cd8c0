"""The desk of breaks: what is open, the gravest and oldest first, each with its evidence."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin

from issuer.approvals import selectors as proposals
from issuer.approvals.models import Proposal
from issuer.foundation import clock
from issuer.foundation.templatetags import screens
from issuer.people.acts import Act, ActsAdmin, ReasonForm, SeenForm
from issuer.reconciliation import evidence, forms, selectors, services
from issuer.reconciliation.models import Break
from issuer.reconciliation.services import CLOSE
from issuer.reconciliation.states import BreakState

PROPOSE: Final = "reconciliation.propose_close_break"
CONFIRM: Final = "reconciliation.confirm_close_break"


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
        "critical break holds shut stays so until two persons resume. A difference that comes "
        "back opens a break of its own.",
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


def _in_run(at: datetime, run_id: UUID) -> SafeString:
    """Return a time, and a link to the reconciliation that was made then."""
    address = reverse("admin:reconciliation_run_change", args=[run_id])
    return format_html('{}, <a href="{}">the reconciliation</a>', screens.utc(at), address)


@admin.register(Break)
class BreakAdmin(ActsAdmin, ModelAdmin):
    """The desk: what is open first, the gravest and oldest at the top."""

    list_display = ("grade", "name", "token", "difference", "status", "age", "detail")
    list_display_links = ("name",)
    list_filter = ("state", "severity", "code", "token__program", "token")
    list_select_related = ("token",)
    search_fields = ("token__symbol", "code", "subject", "detail")
    show_full_result_count = False
    readonly_fields = (
        *("name", "grade", "difference", "status", "found", "seen_last", "proposed", "rests_on"),
    )
    acts = ACTS

    def get_queryset(self, request: HttpRequest) -> QuerySet[Break]:
        rows: QuerySet[Break] = super().get_queryset(request)
        return selectors.with_gone_since(rows.select_related("token__program"))

    def get_ordering(self, request: HttpRequest) -> Sequence[Any]:
        return ("-state", selectors.BY_SEVERITY, "opened_at", "id")

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        """Return what there is to say: a subject if it has one, an end once it has come."""
        found = ["token", "name", "grade", "difference", "detail", "status", "found", "seen_last"]
        subject = ["subject"] if obj is not None and obj.subject else []
        if obj is None or obj.ended_at is None:
            return [*found, *subject, "proposed", "rests_on"]
        return [*found, *subject, "ended_at", "ended_run", "explanation", "rests_on"]

    @admin.display(description="Found")
    def found(self, row: Break) -> SafeString:
        return _in_run(row.opened_at, row.opened_run_id)

    @admin.display(description="Seen last")
    def seen_last(self, row: Break) -> SafeString:
        return _in_run(row.last_seen_at, row.last_seen_run_id)

    @admin.display(description="Code", ordering="code")
    def name(self, row: Break) -> str:
        return row.code

    @admin.display(description="Severity")
    def grade(self, row: Break) -> SafeString:
        return screens.pill(row.severity, row.get_severity_display())

    @admin.display(description="State", ordering="state")
    def status(self, row: Any) -> SafeString | str:
        """Say where a break stands; one that only persons end may be open and seen no longer."""
        if row.gone_since is None:
            return str(row.get_state_display())
        return format_html("Open, no longer seen since {}", screens.utc(row.gone_since))

    @admin.display(description="Open for", ordering="opened_at")
    def age(self, row: Break) -> str:
        return screens.duration((row.ended_at or clock.now()) - row.opened_at)

    @admin.display(description="Difference", ordering="quantity")
    def difference(self, row: Break) -> SafeString | str:
        if row.quantity is None:
            return "–"
        return format_html("{} {}", screens.exact(row.quantity), row.unit)

    @admin.display(description="Proposed")
    def proposed(self, row: Break) -> str:
        return render_to_string("reconciliation/proposed.html", {"proposal": _proposal(row)})

    @admin.display(description="Rests on")
    def rests_on(self, row: Break) -> str:
        context = {"found": row, "evidence": evidence.evidence_of(row), "now": clock.now()}
        return render_to_string("reconciliation/evidence.html", context)
