"""The holds on gates as staff see them, and the page on which anybody of them halts."""

from typing import Any, Final

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin

from issuer.foundation.templatetags import screens
from issuer.gate import forms, selectors, services
from issuer.gate.models import Cause, GateState, Hold
from issuer.gate.selectors import ScopeKey
from issuer.people.acts import Act, ActsAdmin
from issuer.people.histories import named


def _halt(_: None, *, scope: ScopeKey, reason: str, **told: Any) -> Hold:
    kind, subject_id = scope
    return services.place_hold(
        kind=kind,
        subject_id=subject_id,
        effect=GateState.HALTED,
        cause=Cause.PERSON,
        reason=reason,
        **told,
    )


HALT: Final = Act(
    name="halt",
    label="Halt",
    consequence="At once, no request is taken or accepted, and no mint, burn, return of tokens or "
    "delivery of shares is proposed, approved, signed, sent or instructed. What a chain or a "
    "custodian was told before may still be carried out, and is recorded; requests can still be "
    "rejected, cancelled and expire; acts on a contract, such as a seizure, go on. Resuming takes "
    "two persons and a clean reconciliation. Tokens that are out stay with their holders, who can "
    "still move them.",
    permission="gate.place_hold",
    take=_halt,
    form=forms.HaltForm,
    grave=True,
)


@admin.register(Hold)
class HoldAdmin(ActsAdmin, ModelAdmin):
    """Staff look up what shut a gate, since when and why; who halts adds one."""

    list_display = ("name", "status", "cause", "reason", "placed_at", "released_at")
    list_display_links = ("name",)
    list_filter = ("effect", "cause", "scope__kind")
    list_select_related = ("scope",)
    search_fields = ("reason", "scope__subject_id", "reference")
    date_hierarchy = "placed_at"
    ordering = ("-placed_at", "-id")
    show_full_result_count = False
    fields = (
        *("name", "status", "cause", "reason", "reference", "placed_at", "placer"),
        *("released_at", "releaser", "resumption"),
    )
    readonly_fields = ("name", "status", "placer", "releaser")
    placer = named("placed_by", "Placed by")
    releaser = named("released_by", "Released by")
    opening = HALT

    def get_queryset(self, request: HttpRequest) -> QuerySet[Hold]:
        rows: QuerySet[Hold] = super().get_queryset(request)
        return rows.select_related("scope").annotate(
            subject_name=selectors.subject_name("scope__subject_id")
        )

    @admin.display(description="Gate")
    def name(self, hold: Any) -> str:
        return f"{hold.scope.get_kind_display()} {hold.subject_name or hold.scope.subject_id}"

    @admin.display(description="Effect", ordering="effect")
    def status(self, hold: Hold) -> SafeString:
        return screens.pill(hold.effect, hold.get_effect_display())
