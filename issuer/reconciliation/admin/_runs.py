"""Runs as staff read them: the three legs of every token, line by line."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin

from issuer.foundation import clock
from issuer.foundation.admin import ReadOnlyAdmin
from issuer.foundation.templatetags import screens
from issuer.people.actors import names_of
from issuer.people.histories import named
from issuer.reconciliation import selectors
from issuer.reconciliation.models import Line, Run, TokenResult
from issuer.reserves.cover import SEVERITY, CoverStatus

#: The legs, by the letter that their lines begin with.
LEGS: Final = {"A": "Tokens: chain against register", "B": "Shares: custody against ledger"} | {
    "C": "Backing: held against owed"
}


@dataclass(frozen=True, slots=True)
class Leg:
    """One of the three parts of a token's statement."""

    name: str
    lines: Sequence[Line]


@admin.register(Run)
class RunAdmin(ReadOnlyAdmin, ModelAdmin):
    """What each run found."""

    list_display = ("as_of", "program", "answer", "tokens", "by")
    list_filter = ("program",)
    list_select_related = ("program",)
    date_hierarchy = "as_of"
    ordering = ("-as_of", "-id")
    show_full_result_count = False
    by = named("started_by", "Started by")

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
            "started_by": names_of([run.started_by])[run.started_by],
            "now": clock.now(),
            "tokens": [(result, _legs(result), breaks[result.token_id]) for result in results],
        }
        return TemplateResponse(request, "reconciliation/run.html", context)


def _legs(result: TokenResult) -> list[Leg]:
    lines = list(result.lines.all())
    return [
        Leg(name, [line for line in lines if line.code.startswith(letter)])
        for letter, name in LEGS.items()
    ]
