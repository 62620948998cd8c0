"""The holds on gates, as staff see them."""

from django.contrib import admin
from unfold.admin import ModelAdmin

from issuer.foundation.admin import ReadOnlyAdmin
from issuer.gate.models import Hold


@admin.register(Hold)
class HoldAdmin(ReadOnlyAdmin, ModelAdmin):
    """Staff look up what shuts a gate, since when and why."""

    list_display = ("scope", "effect", "cause", "reason", "placed_at", "released_at")
    list_filter = ("effect", "cause", "scope__kind")
    list_select_related = ("scope",)
    search_fields = ("reason", "scope__subject_id", "reference")
    date_hierarchy = "placed_at"
    ordering = ("-placed_at", "-id")
    show_full_result_count = False
