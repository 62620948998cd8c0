"""The outbox as staff see it."""

from django.contrib import admin
from unfold.admin import ModelAdmin

from issuer.events.models import Event
from issuer.foundation.admin import ReadOnlyAdmin


@admin.register(Event)
class EventAdmin(ReadOnlyAdmin, ModelAdmin):
    """What others may want to know, in the order in which it was recorded."""

    list_display = ("occurred_at", "type", "subject_type", "subject_id", "sequence")
    list_filter = ("type",)
    search_fields = ("subject_id",)
    date_hierarchy = "occurred_at"
    ordering = ("-id",)
    show_full_result_count = False
