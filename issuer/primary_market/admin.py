"""Requests of participants, as staff look them up."""

from django.contrib import admin
from unfold.admin import ModelAdmin

from issuer.foundation.admin import ReadOnlyAdmin
from issuer.primary_market.models import IssuanceRequest


@admin.register(IssuanceRequest)
class IssuanceRequestAdmin(ReadOnlyAdmin, ModelAdmin):
    """The requests to issue; what can be done with one stands on its own page."""

    list_display = ("client_reference", "participant", "token", "quantity", "state", "requested_at")
    list_filter = ("state", "token", "participant")
    list_select_related = ("participant__entity", "token")
    search_fields = ("client_reference", "participant__entity__name", "participant__entity__lei")
    date_hierarchy = "requested_at"
    ordering = ("-requested_at", "-id")
    show_full_result_count = False
