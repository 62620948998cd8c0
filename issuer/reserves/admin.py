"""Shares held for requests, as staff see them."""

from django.contrib import admin
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin

from issuer.foundation.admin import ReadOnlyAdmin
from issuer.foundation.templatetags import screens
from issuer.reserves.models import ShareHold


@admin.register(ShareHold)
class ShareHoldAdmin(ReadOnlyAdmin, ModelAdmin):
    """Which shares are set aside, for which request, and until when."""

    list_display = ("token", "shares", "request_id", "status", "held_at", "ended_at")
    list_filter = ("state", "token")
    list_select_related = ("token",)
    search_fields = ("request_id", "token__symbol")
    date_hierarchy = "held_at"
    ordering = ("-held_at", "-id")
    show_full_result_count = False
    fields = ("token", "shares", "request_id", "status", "held_at", "ended_at")
    readonly_fields = ("shares", "status")

    @admin.display(description="Shares", ordering="quantity")
    def shares(self, hold: ShareHold) -> SafeString:
        return screens.quantity(hold.quantity)

    @admin.display(description="State", ordering="state")
    def status(self, hold: ShareHold) -> SafeString:
        return screens.pill(hold.state, hold.get_state_display())
