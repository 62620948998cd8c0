"""The books as staff and auditors read them."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin, TabularInline

from issuer.foundation.admin import ReadOnlyAdmin
from issuer.foundation.templatetags import screens
from issuer.ledger import selectors
from issuer.ledger.models import Account, Entry, Transfer


@admin.register(Account)
class AccountAdmin(ReadOnlyAdmin, ModelAdmin):
    """What each account holds, under the trial balance."""

    list_display = ("code", "unit", "side", "held")
    list_filter = ("unit", "side")
    search_fields = ("code", "unit")
    ordering = ("code",)
    show_full_result_count = False
    list_before_template = "ledger/trial_balance.html"
    fields = ("code", "unit", "side", "held", "version", "opened_at", "entries_link")
    readonly_fields = ("held", "entries_link")

    @admin.display(description="Balance", ordering="balance")
    def held(self, account: Account) -> SafeString:
        return screens.quantity(account.balance)

    @admin.display(description="Entries")
    def entries_link(self, account: Account) -> SafeString:
        address = reverse("admin:ledger_entry_changelist", query={"account__id": account.pk})
        return format_html('<a href="{}">{} in all</a>', address, account.version)

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        context = {"trial_balance": selectors.trial_balance(), **(extra_context or {})}
        shown: HttpResponse = super().changelist_view(request, context)
        return shown


class EntryInline(ReadOnlyAdmin, TabularInline):
    """The two entries of a transfer, under it."""

    model = Entry
    fields = ("account", "side", "quantity", "balance", "version")
    extra = 0


@admin.register(Transfer)
class TransferAdmin(ReadOnlyAdmin, ModelAdmin):
    """What was posted, when, and by whom."""

    list_display = (
        *("booked_at", "reference", "line", "debit_account", "credit_account"),
        *("moved", "unit", "effective_at"),
    )
    list_filter = ("unit",)
    list_select_related = ("debit_account", "credit_account")
    search_fields = ("reference", "debit_account__code", "credit_account__code")
    date_hierarchy = "booked_at"
    ordering = ("-id",)
    show_full_result_count = False
    inlines = (EntryInline,)

    @admin.display(description="Quantity", ordering="quantity")
    def moved(self, transfer: Transfer) -> SafeString:
        return screens.quantity(transfer.quantity)


@admin.register(Entry)
class EntryAdmin(ReadOnlyAdmin, ModelAdmin):
    """The legs of transfers, each with the balance that it left."""

    list_display = ("booked_at", "account", "side", "moved", "left", "version", "transfer")
    list_filter = ("side", "account__unit", ("account", admin.RelatedOnlyFieldListFilter))
    list_select_related = ("account", "transfer")
    search_fields = ("account__code", "transfer__reference")
    ordering = ("-booked_at", "-id")
    show_full_result_count = False

    @admin.display(description="Quantity", ordering="quantity")
    def moved(self, entry: Entry) -> SafeString:
        return screens.quantity(entry.quantity)

    @admin.display(description="Balance")
    def left(self, entry: Entry) -> SafeString:
        return screens.quantity(entry.balance)
