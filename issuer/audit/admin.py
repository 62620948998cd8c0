"""The trail as staff and auditors see it."""

from django.contrib import admin
from unfold.admin import ModelAdmin

from issuer.audit.models import AuditEvent, Seal
from issuer.foundation.admin import ReadOnlyAdmin


@admin.register(AuditEvent)
class AuditEventAdmin(ReadOnlyAdmin, ModelAdmin):
    """What was done; nobody edits or deletes it."""

    list_display = ("occurred_at", "action", "actor", "subject_type", "subject_id")
    list_filter = ("action", "subject_type")
    search_fields = ("action", "actor", "subject_id")
    date_hierarchy = "occurred_at"
    ordering = ("-id",)
    show_full_result_count = False


@admin.register(Seal)
class SealAdmin(ReadOnlyAdmin, ModelAdmin):
    """The seals over the trail."""

    list_display = ("number", "first_position", "last_position", "hash", "sealed_at")
    ordering = ("-number",)
    show_full_result_count = False
