"""What chains said and what we said to them, as staff see it."""

from typing import Any, Final

from django.apps import apps
from django.contrib import admin
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin, TabularInline

from issuer.chain import forms, registry, selectors, services
from issuer.chain.models import (
    ChainEvent,
    ContractAct,
    ContractActTransition,
    ContractCall,
    IncomingTransfer,
    IntentTransition,
    NetworkTrouble,
    SignerAccount,
    SupplySnapshot,
    TransactionAttempt,
    TransactionIntent,
)
from issuer.chain.payload import act_payload
from issuer.chain.states import ActState, IntentKind
from issuer.foundation.admin import ReadOnlyAdmin
from issuer.foundation.templatetags.screens import pill
from issuer.people.actors import names_of
from issuer.people.acts import Act, ActsAdmin, ReasonForm, SeenForm
from issuer.people.histories import HistoryInline

PROPOSE: Final = "chain.propose_contractact"
CONFIRM: Final = "chain.confirm_contractact"


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


@admin.register(IncomingTransfer)
class IncomingTransferAdmin(ReadOnlyAdmin, ModelAdmin):
    """What was sent to redemption addresses, in final blocks."""

    list_display = ("deployment", "base_units", "sender", "recipient", "block_number", "seen_at")
    list_filter = ("deployment__token", "deployment__network")
    list_select_related = ("deployment__token", "deployment__network")
    search_fields = ("transaction_hash", "sender", "recipient")
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
    fields = (
        "transaction_hash",
        "cancels",
        "max_fee_per_gas",
        "max_priority_fee_per_gas",
        "signed_at",
    )
    extra = 0


class IntentTransitionInline(HistoryInline, TabularInline):
    """The history of a transaction, under it."""

    model = IntentTransition
    fields = (*HistoryInline.fields, "block_number", "block_hash")
    readonly_fields = fields
    ordering = ("serial",)


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


@admin.register(SignerAccount)
class SignerAccountAdmin(ReadOnlyAdmin, ModelAdmin):
    """Who signs for what on each network, and who did; the keys are not here."""

    list_display = ("network", "purpose", "address", "appointed_at", "retired_at")
    list_filter = ("network", "purpose")
    list_select_related = ("network",)
    search_fields = ("address",)
    ordering = ("network", "purpose", "-appointed_at")
    show_full_result_count = False


def _waits(act: ContractAct) -> bool:
    """Say whether it waits for a second person here, and not on the page of something larger."""
    return act.state == ActState.PROPOSED and act.part_of_id is None


def _can_be_given_up(act: ContractAct) -> bool:
    return act.state == ActState.APPROVED and not selectors.is_under_way(act)


def _to_be_signed(act: ContractAct) -> str:
    """Return what one approves: everything that decides what is called, and its hash."""
    proposal = selectors.open_proposal(act)
    payload = {name.replace("_", " "): value for name, value in act_payload(act).items() if value}
    context = {"payload": payload, "sha256": proposal.payload_hash if proposal else ""}
    return render_to_string("chain/to_be_signed.html", context)


def _seen(act: ContractAct) -> dict[str, str]:
    proposal = selectors.open_proposal(act)
    return {"payload_hash": proposal.payload_hash if proposal else ""}


ACTS: Final = (
    Act(
        name="confirm",
        label="Confirm",
        consequence="You approve what stands here, to the byte. It is signed and sent at once, "
        "and cannot be taken back. A role that is granted or revoked changes who signs for us "
        "from now on.",
        permission=CONFIRM,
        take=lambda row, **asked: services.confirm_act(
            row.pk, guard=registry.confirmation_guard_of(IntentKind(row.kind)), **asked
        ),
        form=SeenForm,
        offered=_waits,
        shown=_to_be_signed,
        initial=_seen,
        grave=True,
    ),
    Act(
        name="decline",
        label="Decline",
        consequence="The act is given up; nothing is signed.",
        permission=CONFIRM,
        take=lambda row, **asked: services.decline_act(row.pk, **asked),
        form=ReasonForm,
        offered=_waits,
    ),
    Act(
        name="give-up",
        label="Give up",
        consequence="What of the act is not signed yet never is. What a contract has done already "
        "stays done.",
        permission=CONFIRM,
        take=lambda row, **asked: services.fail_act(row.pk, **asked),
        form=ReasonForm,
        offered=_can_be_given_up,
        grave=True,
    ),
)


class ContractCallInline(ReadOnlyAdmin, TabularInline):
    """What an act does to each contract."""

    model = ContractCall
    fields = ("deployment", "intent", "refusal")
    readonly_fields = fields
    extra = 0


class ContractActTransitionInline(HistoryInline, TabularInline):
    """The history of an act."""

    model = ContractActTransition


#: What one kind of act or another needs, as the page shows it.
_SAID: Final = (
    *("account", "role", "base_units", "remedied_event", "multiplier", "effective_at"),
    *("reason", "stopped_reason"),
)


@admin.register(ContractAct)
class ContractActAdmin(ActsAdmin, ModelAdmin):
    """One person proposes what contracts are to do, another confirms it; nobody edits an act."""

    list_display = ("kind", "network", "account", "role", "state", "proposed_at")
    list_filter = ("kind", "state", "network")
    list_select_related = ("network",)
    search_fields = ("account", "calls__intent__attempts__transaction_hash")
    date_hierarchy = "proposed_at"
    ordering = ("-proposed_at", "-id")
    readonly_fields = ("status", "decided_with", "proposer")
    show_full_result_count = False
    inlines = (ContractCallInline, ContractActTransitionInline)
    opening = Act(
        name="propose",
        label="Propose an act",
        consequence="Nothing is signed until another person has confirmed it.",
        permission=PROPOSE,
        take=lambda _, **asked: services.propose_act(**asked),
        form=forms.ProposeActForm,
    )
    acts = ACTS

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        """Return what the act says; each kind leaves out what it does not need."""
        said = [name for name in _SAID if obj is None or getattr(obj, name) not in {"", None}]
        return ["kind", "network", *said, "status", "decided_with", "proposer", "proposed_at"]

    @admin.display(description="State")
    def status(self, act: ContractAct) -> SafeString:
        return pill(act.state, act.get_state_display())

    @admin.display(description="Proposed by")
    def proposer(self, act: ContractAct) -> str:
        return names_of([act.proposed_by])[act.proposed_by]

    @admin.display(description="Decided on with")
    def decided_with(self, act: ContractAct) -> SafeString:
        """Return a link to what the act is a part of, where alone it is confirmed or declined."""
        if act.part_of_id is None:
            return SafeString("itself")
        model = apps.get_model(act.part_of_type)
        page = reverse(f"admin:{act.part_of_type.replace('.', '_')}_change", args=[act.part_of_id])
        whole = model._default_manager.get(pk=act.part_of_id)
        return format_html('<a href="{}">{}, {}</a>', page, model._meta.verbose_name, whole)
