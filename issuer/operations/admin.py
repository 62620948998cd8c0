"""Alerts, as staff see them."""

from django.contrib import admin
from unfold.admin import ModelAdmin

from issuer.foundation.admin import ReadOnlyAdmin
from issuer.operations.models import AlertDelivery


@admin.register(AlertDelivery)
class AlertDeliveryAdmin(ReadOnlyAdmin, ModelAdmin):
    """Whether staff were told, by which way and when, and what went wrong."""

    list_display = ("event", "channel", "state", "tries", "raised_at", "sent_at", "problem")
    list_filter = ("state", "channel", "event__type")
    list_select_related = ("event",)
    date_hierarchy = "raised_at"
    ordering = ("-raised_at", "-id")
    show_full_result_count = False
