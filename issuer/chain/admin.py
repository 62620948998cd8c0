"""What chains said and what we said to them, as staff see it."""

from django.contrib import admin
from unfold.admin import ModelAdmin, TabularInline

from issuer.chain.models import (
    ChainEvent,
    IntentTransition,
    NetworkTrouble,
    SupplySnapshot,
    TransactionAttempt,
    TransactionIntent,
)
from issuer.foundation.admin import ReadOnlyAdmin


@admin.register(SupplySnapshot)
class SupplySnapshotAdmin(ReadOnlyAdmin, ModelAdmin):
    """The supply of each deployment at its final blocks."""

    list_display = ("deployment", "block_number", "total_supply_base_units", "taken_at")
    list_filter = ("deployment__token", "deployment__network")
    list_select_related = ("deployment__token", "deployment__network")
    search_fields = ("block_hash",)
    date_hierarchy = "taken_at"
    ordering = ("-taken_at", "-id")
    show_full_result_count = False


@admin.register(ChainEvent)
class ChainEventAdmin(ReadOnlyAdmin, ModelAdmin):
    """Every mint and burn in a final block."""

    list_display = ("kind", "deployment", "base_units", "address", "block_number", "seen_at")
    list_filter = ("kind", "deployment__token", "deployment__network")
    list_select_related = ("deployment__token", "deployment__network")
    search_fields = ("transaction_hash", "address", "request_id")
    date_hierarchy = "seen_at"
    ordering = ("-seen_at", "-id")
    show_full_result_count = False


@admin.register(NetworkTrouble)
class NetworkTroubleAdmin(ReadOnlyAdmin, ModelAdmin):
    """When a network could not be read, and why."""

    list_display = ("network", "reason", "since", "last_seen_at", "ended_at")
    list_filter = ("network",)
    list_select_related = ("network",)
    ordering = ("-since", "-id")
    show_full_result_count = False


class TransactionAttemptInline(ReadOnlyAdmin, TabularInline):
    """The tries at a transaction, under it; the signed bytes stay in the database."""

    model = TransactionAttempt
    fields = ("transaction_hash", "max_fee_per_gas", "max_priority_fee_per_gas", "signed_at")
    extra = 0


class IntentTransitionInline(ReadOnlyAdmin, TabularInline):
    """The history of a transaction, under it."""

    model = IntentTransition
    extra = 0


@admin.register(TransactionIntent)
class TransactionIntentAdmin(ReadOnlyAdmin, ModelAdmin):
    """The transactions that we committed ourselves to, with every try and step."""

    list_display = (
        "request_id",
        "kind",
        "deployment",
        "base_units",
        "account",
        "state",
        "signed_at",
    )
    list_filter = ("kind", "state", "deployment__token", "deployment__network")
    list_select_related = ("deployment__token", "deployment__network")
    search_fields = ("request_id", "account", "attempts__transaction_hash")
    date_hierarchy = "signed_at"
    ordering = ("-signed_at", "-id")
    readonly_fields = ("state",)
    inlines = (TransactionAttemptInline, IntentTransitionInline)
    show_full_result_count = False
