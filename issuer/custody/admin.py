"""Custody as staff see it: accounts, statements, positions and instructions."""

import base64
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from django.contrib import admin, messages
from django.core import signing
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin, TabularInline

from issuer.custody import forms, selectors, services
from issuer.custody.errors import EvidenceInsufficient
from issuer.custody.models import (
    CustodyAccount,
    InstructionTransition,
    Position,
    Purpose,
    SettlementInstruction,
    Statement,
)
from issuer.custody.states import InstructionState
from issuer.foundation import clock
from issuer.foundation.admin import ReadOnlyAdmin
from issuer.foundation.errors import DomainError
from issuer.foundation.templatetags import screens
from issuer.parties.models import Custodian
from issuer.people.actors import actor_of
from issuer.people.acts import Act, ActsAdmin, ReasonForm
from issuer.people.histories import HistoryInline, named
from issuer.people.models import User

LOAD: Final = "custody.load_statement"
INSTRUCT: Final = "custody.instruct_settlement"
MANAGE: Final = "instruments.manage_instruments"

_SALT: Final = "custody.statement"
_SHOWN_SECONDS_MAX: Final = 3600


def _settle(instruction: SettlementInstruction, **asked: Any) -> SettlementInstruction:
    custodian = instruction.account.custodian
    statement = selectors.current_statement(custodian)
    if statement is None:
        raise EvidenceInsufficient(f"{custodian} has sent no statement yet.")
    return services.settle_instruction(instruction.pk, evidence=statement, **asked)


def _may_settle(instruction: SettlementInstruction) -> bool:
    return instruction.state in selectors.OPEN_STATES


def _may_fail(instruction: SettlementInstruction) -> bool:
    return instruction.state == InstructionState.INSTRUCTED


def _has_failed(instruction: SettlementInstruction) -> bool:
    return instruction.state == InstructionState.FAILED


def _may_cancel(instruction: SettlementInstruction) -> bool:
    """Say whether it may be taken back here, which it may not once a part has settled.

    A receipt for a request goes with the request. A delivery for one has failed before: its
    request is stopped then, until somebody has looked at it.
    """
    if instruction.settled_quantity or instruction.purpose == Purpose.ISSUANCE:
        return False
    if instruction.purpose == Purpose.REDEMPTION:
        return _has_failed(instruction)
    return _may_settle(instruction)


def _told_before(instruction: SettlementInstruction) -> Mapping[str, Any]:
    return {"counterparty": instruction.counterparty}


ACTS: Final = (
    Act(
        name="settle",
        label="Settle by the current statement",
        consequence="The custodian's current statement must show that the shares have come, or "
        "gone. The books then follow, and the statement stands beside them as evidence. Where it "
        "bears one of several instructions, you have asked the custodian which it was.",
        permission=INSTRUCT,
        take=_settle,
        offered=_may_settle,
    ),
    Act(
        name="fail",
        label="Note as failed",
        consequence="The shares did not move on their date; they may move yet.",
        permission=INSTRUCT,
        take=lambda row, **asked: services.fail_instruction(row.pk, **asked),
        form=ReasonForm,
        offered=_may_fail,
    ),
    Act(
        name="reinstruct",
        label="Instruct again",
        consequence="The custodian is told again to move the shares, or what is left of them, by "
        "another date. The books go on showing them as on their way.",
        permission=INSTRUCT,
        take=lambda row, **asked: services.reinstruct(row.pk, **asked),
        form=forms.AgainForm,
        offered=_has_failed,
        initial=_told_before,
    ),
    Act(
        name="cancel",
        label="Cancel",
        consequence="The instruction is taken back for good, and the books no longer show its "
        "shares as on their way. Those of a delivery are owed for burned tokens again, and its "
        "request is frozen; the current statement must show them there, and not about to leave.",
        permission=INSTRUCT,
        take=lambda row, **asked: services.cancel_instruction(row.pk, **asked),
        offered=_may_cancel,
        grave=True,
    ),
)


@admin.register(CustodyAccount)
class CustodyAccountAdmin(ActsAdmin, ModelAdmin):
    """Each token's own accounts, and with whom."""

    list_display = ("reference", "token", "custodian", "pledgee", "opened_at")
    list_filter = ("custodian", "token")
    list_select_related = ("token", "custodian__entity", "pledgee")
    search_fields = ("reference", "token__symbol", "custodian__code")
    ordering = ("reference", "id")
    show_full_result_count = False
    opening = Act(
        name="open",
        label="Open custody account",
        consequence="The token's shares may then be delivered there. Every statement of the "
        "custodian has to name the account from the day it is opened.",
        permission=MANAGE,
        take=lambda _, **asked: services.open_custody_account(**asked),
        form=forms.AccountForm,
    )


def _shares(name: str, label: str, *, stored: bool = True) -> Any:
    """Return a column of a list that writes the quantity `name` of a row."""

    @admin.display(description=label, ordering=name if stored else None)
    def shown(row: Any) -> SafeString:
        return screens.quantity(getattr(row, name))

    return shown


_QUANTITIES: Final = (
    _shares("settled", "Settled"),
    _shares("pending_receipt", "Pending receipt"),
    _shares("pending_delivery", "Pending delivery"),
    _shares("lent", "Lent"),
    _shares("blocked", "Blocked"),
    _shares("pledged", "Pledged"),
    _shares("eligible", "Counts for backing", stored=False),
)


class PositionInline(ReadOnlyAdmin, TabularInline):
    """The lines of a statement."""

    model = Position
    fields = ("account", "isin", *_QUANTITIES)
    readonly_fields = fields
    extra = 0
    hide_title = True


@admin.register(Statement)
class StatementAdmin(ReadOnlyAdmin, ModelAdmin):
    """What custodians said; a file is looked at before it is taken in, and never changed."""

    list_display = ("reference", "custodian", "as_of_date", "received_at")
    list_filter = ("custodian",)
    list_select_related = ("custodian__entity",)
    search_fields = ("reference", "file_name", "sha256")
    date_hierarchy = "as_of_date"
    ordering = ("-as_of_date", "-id")
    show_full_result_count = False
    fields = (
        *("custodian", "reference", "as_of_date", "file_name", "sha256"),
        *("received_at", "by", "supersedes"),
    )
    readonly_fields = ("by",)
    inlines = (PositionInline,)
    by = named("received_by", "Received by")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Statement]:
        rows: QuerySet[Statement] = super().get_queryset(request)
        return rows.defer("raw")

    def has_add_permission(self, *context: object) -> bool:
        request = context[0]
        assert isinstance(request, HttpRequest)
        return request.user.has_perm(LOAD)

    def add_view(self, request: HttpRequest, *_context: object, **_more: object) -> HttpResponse:
        """Read a dropped file, show what it would change, and take it in on a second word."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        if "accepted" in request.POST:
            return self._accept(request)
        posted = request.method == "POST"
        form = forms.DropForm(request.POST, request.FILES) if posted else forms.DropForm()
        context: dict[str, Any] = {"form": form}
        if posted and form.is_valid():
            upload = form.cleaned_data["file"]
            file = {"custodian": form.cleaned_data["custodian"], "file_name": upload.name}
            context |= self._looked_at(request, raw=upload.read(), **file)
        return self._page(request, context)

    def _looked_at(
        self, request: HttpRequest, *, custodian: Custodian, file_name: str, raw: bytes
    ) -> dict[str, Any]:
        assert isinstance(request.user, User)
        try:
            preview = services.preview_statement(
                custodian=custodian,
                file_name=file_name,
                raw=raw,
                actor=actor_of(request.user),
                at=clock.now(),
            )
        except DomainError as refusal:
            return {"refusal": refusal, "file_name": file_name}
        shown = {
            "custodian": str(custodian.pk),
            "file_name": file_name,
            "raw": base64.b64encode(raw).decode(),
        }
        # What is taken in is what was shown, to the byte, whoever sends the second word.
        return {"preview": preview, "shown": signing.dumps(shown, salt=_SALT, compress=True)}

    def _accept(self, request: HttpRequest) -> HttpResponse:
        assert isinstance(request.user, User)
        try:
            shown = signing.loads(request.POST["accepted"], salt=_SALT, max_age=_SHOWN_SECONDS_MAX)
        except signing.BadSignature:
            messages.error(request, "Refused: look at the file again; it was shown too long ago.")
            return HttpResponseRedirect(reverse("admin:custody_statement_add"))
        try:
            statement = services.receive_statement(
                custodian=Custodian.objects.get(pk=shown["custodian"]),
                file_name=shown["file_name"],
                raw=base64.b64decode(shown["raw"]),
                actor=actor_of(request.user),
                at=clock.now(),
            )
        except DomainError as refusal:
            context = {"form": forms.DropForm(), "refusal": refusal}
            return self._page(request, context | {"file_name": shown["file_name"]})
        messages.success(request, f"Taken in: {statement}.")
        return HttpResponseRedirect(reverse("admin:custody_statement_change", args=[statement.pk]))

    def _page(self, request: HttpRequest, context: dict[str, Any]) -> HttpResponse:
        frame = {
            **self.admin_site.each_context(request),
            "title": "Drop a statement",
            "opts": self.opts,
            "back": reverse("admin:custody_statement_changelist"),
        }
        return TemplateResponse(request, "custody/drop.html", {**frame, **context})


@admin.register(Position)
class PositionAdmin(ReadOnlyAdmin, ModelAdmin):
    """What statements say of each account."""

    list_display = ("account", "as_of", *_QUANTITIES, "statement")
    list_filter = ("account__custodian", "account__token")
    list_select_related = ("account__token", "account__custodian__entity", "statement")
    search_fields = ("account__reference", "isin", "statement__reference")
    ordering = ("-statement__as_of_date", "account__reference", "-id")
    show_full_result_count = False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Position]:
        rows: QuerySet[Position] = super().get_queryset(request)
        return rows.defer("statement__raw")

    @admin.display(description="As of", ordering="statement__as_of_date")
    def as_of(self, position: Position) -> SafeString:
        return screens.utc(position.statement.as_of_date)


class InstructionTransitionInline(HistoryInline, TabularInline):
    """The history of an instruction."""

    model = InstructionTransition
    fields = (*HistoryInline.fields, "detail")
    readonly_fields = fields


@admin.register(SettlementInstruction)
class SettlementInstructionAdmin(ActsAdmin, ModelAdmin):
    """What custodians were told to take in or to deliver, and what became of it."""

    list_display = (
        *("account", "direction", "purpose", "shares", "moved", "settlement_date"),
        *("status", "late", "counterparty"),
    )
    list_filter = ("state", "direction", "purpose", "account__token")
    list_select_related = ("account__token", "account__custodian")
    search_fields = ("account__reference", "request_id", "counterparty")
    date_hierarchy = "settlement_date"
    ordering = ("-settlement_date", "-id")
    show_full_result_count = False
    fields = (
        *("account", "direction", "purpose", "request_id", "shares", "moved", "left"),
        *("trade_date", "settlement_date", "counterparty", "status", "late", "reason"),
        *("evidence", "by", "instructed_at", "settled_at"),
    )
    readonly_fields = ("shares", "moved", "left", "status", "late", "by")
    inlines = (InstructionTransitionInline,)
    opening = Act(
        name="instruct",
        label="Instruct receipt of own shares",
        consequence="The custodian will be expected to receive the shares, and the books show "
        "them as on their way. They count for backing once a statement shows them as settled.",
        permission=INSTRUCT,
        take=lambda _, **asked: services.instruct_receipt(**asked),
        form=forms.OwnSharesForm,
    )
    acts = ACTS

    def get_queryset(self, request: HttpRequest) -> QuerySet[SettlementInstruction]:
        rows: QuerySet[SettlementInstruction] = super().get_queryset(request)
        return rows.select_related("account__token__security", "account__custodian__entity")

    by = named("instructed_by", "Instructed by")

    @admin.display(description="Quantity", ordering="quantity")
    def shares(self, instruction: SettlementInstruction) -> SafeString:
        return screens.quantity(instruction.quantity)

    @admin.display(description="Settled so far", ordering="settled_quantity")
    def moved(self, instruction: SettlementInstruction) -> SafeString:
        return screens.quantity(instruction.settled_quantity)

    @admin.display(description="Still to move")
    def left(self, instruction: SettlementInstruction) -> SafeString:
        still = instruction.state in selectors.OPEN_STATES
        return screens.quantity(instruction.remaining if still else Decimal(0))

    @admin.display(description="Late", ordering="settlement_date")
    def late(self, instruction: SettlementInstruction) -> str:
        """Say for how long an open instruction is past its date."""
        days = (clock.now().date() - instruction.settlement_date).days
        if instruction.state not in selectors.OPEN_STATES or days <= 0:
            return ""
        return f"{days} day{'s' if days > 1 else ''}"

    @admin.display(description="State", ordering="state")
    def status(self, instruction: SettlementInstruction) -> SafeString:
        return screens.pill(instruction.state, instruction.get_state_display())
