"""Requests of participants, as staff look them up."""

from django.contrib import admin
from unfold.admin import ModelAdmin

from issuer.foundation.admin import ReadOnlyAdmin
from issuer.primary_market.models import (
    Deposit,
    DepositReturn,
    IssuanceRequest,
    RedemptionRequest,
)


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


@admin.register(RedemptionRequest)
class RedemptionRequestAdmin(ReadOnlyAdmin, ModelAdmin):
    """The requests to redeem; what can be done with one stands on its own page."""

    list_display = ("client_reference", "participant", "token", "quantity", "state", "requested_at")
    list_filter = ("state", "token", "participant")
    list_select_related = ("participant__entity", "token")
    search_fields = ("client_reference", "participant__entity__name", "participant__entity__lei")
    date_hierarchy = "requested_at"
    ordering = ("-requested_at", "-id")
    show_full_result_count = False


@admin.register(Deposit)
class DepositAdmin(ReadOnlyAdmin, ModelAdmin):
    """The tokens that came to deposit addresses."""

    list_display = ("recorded_at", "quantity", "matched", "returned", "state", "cause")
    list_filter = ("state", "cause", "transfer__deployment__token")
    search_fields = ("transfer__sender", "transfer__transaction_hash")
    date_hierarchy = "recorded_at"
    ordering = ("-recorded_at", "-id")
    show_full_result_count = False


@admin.register(DepositReturn)
class DepositReturnAdmin(ReadOnlyAdmin, ModelAdmin):
    """The tokens that go back."""

    list_display = ("proposed_at", "recipient", "quantity", "state", "reason")
    list_filter = ("state",)
    search_fields = ("recipient",)
    date_hierarchy = "proposed_at"
    ordering = ("-proposed_at", "-id")
    show_full_result_count = False
