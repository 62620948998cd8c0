"""Corporate actions as staff see them."""

from typing import Any, Final

from django.contrib import admin
from django.template.loader import render_to_string
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin, TabularInline

from issuer.corporate_actions import forms, selectors, services
from issuer.corporate_actions.models import StockSplit, StockSplitAct, StockSplitTransition
from issuer.corporate_actions.payload import CANCEL_SPLIT, CONFIRM_SPLIT
from issuer.corporate_actions.states import AGREED_STATES, SplitState
from issuer.foundation.admin import ReadOnlyAdmin
from issuer.foundation.templatetags import screens
from issuer.people.actors import names_of
from issuer.people.acts import Act, ActsAdmin, ReasonForm, SeenForm
from issuer.people.histories import HistoryInline

ANNOUNCE: Final = "corporate_actions.announce_stocksplit"
CONFIRM: Final = "corporate_actions.confirm_stocksplit"


def _to_be_signed(stock_split: StockSplit) -> str:
    """Return what was proposed, which is what one signs, and its hash."""
    proposal = selectors.proposal_of(stock_split)
    if proposal is None:
        return ""
    context = {"payload": proposal.payload, "sha256": proposal.payload_hash}
    return render_to_string("corporate_actions/to_be_signed.html", context)


def _seen(stock_split: StockSplit) -> dict[str, str]:
    proposal = selectors.proposal_of(stock_split)
    return {"payload_hash": proposal.payload_hash if proposal else ""}


def _proposed(stock_split: StockSplit) -> str:
    proposal = selectors.proposal_of(stock_split)
    return proposal.action if proposal else ""


def _propose(stock_split: StockSplit, **asked: Any) -> StockSplit:
    services.propose_confirmation(stock_split.pk, **asked)
    return stock_split


def _propose_cancellation(stock_split: StockSplit, **asked: Any) -> StockSplit:
    services.propose_cancellation(stock_split.pk, **asked)
    return stock_split


ACTS: Final = (
    Act(
        name="propose",
        label="Propose to go ahead",
        consequence="Another person has to confirm it. Then every chain is told, and from its time "
        "on each token stands for the new number of shares.",
        permission=ANNOUNCE,
        take=_propose,
        offered=lambda row: row.state == SplitState.ANNOUNCED and not _proposed(row),
    ),
    Act(
        name="confirm",
        label="Confirm",
        consequence="You agree to what stands here, to the byte. Every chain is told at once; the "
        "gate shuts in time, and opens when books and chains agree on the new shares.",
        permission=CONFIRM,
        take=lambda row, **asked: services.confirm(row.pk, **asked),
        form=SeenForm,
        offered=lambda row: _proposed(row) == CONFIRM_SPLIT,
        shown=_to_be_signed,
        initial=_seen,
    ),
    Act(
        name="decline",
        label="Decline",
        consequence="What is proposed is given up. It can be proposed again.",
        permission=CONFIRM,
        take=lambda row, **asked: services.decline(row.pk, **asked),
        form=ReasonForm,
        offered=lambda row: _proposed(row) != "",
        shown=_to_be_signed,
    ),
    Act(
        name="withdraw",
        label="Withdraw",
        consequence="The announcement is taken back for good; nothing has moved.",
        permission=ANNOUNCE,
        take=lambda row, **asked: services.withdraw(row.pk, **asked),
        form=ReasonForm,
        offered=lambda row: row.state == SplitState.ANNOUNCED,
        grave=True,
    ),
    Act(
        name="propose-cancellation",
        label="Propose to cancel",
        consequence="Another person has to confirm it, before the time of the split. Then every "
        "chain is told to leave the multiplier as it is.",
        permission=ANNOUNCE,
        take=_propose_cancellation,
        form=ReasonForm,
        offered=lambda row: row.state in AGREED_STATES and not _proposed(row),
        grave=True,
    ),
    Act(
        name="confirm-cancellation",
        label="Confirm the cancellation",
        consequence="You call the split off. Every chain is told to leave the multiplier as it is; "
        "it is over once each one knows.",
        permission=CONFIRM,
        take=lambda row, **asked: services.confirm_cancellation(row.pk, **asked),
        form=SeenForm,
        offered=lambda row: _proposed(row) == CANCEL_SPLIT,
        shown=_to_be_signed,
        initial=_seen,
        grave=True,
    ),
)


class StockSplitActInline(ReadOnlyAdmin, TabularInline):
    """What the contracts were told."""

    model = StockSplitAct
    fields = ("purpose", "act", "stands")
    readonly_fields = fields
    extra = 0
    ordering = ("id",)

    @admin.display(description="State")
    def stands(self, told: StockSplitAct) -> SafeString:
        return screens.pill(told.act.state, told.act.get_state_display())


class StockSplitTransitionInline(HistoryInline, TabularInline):
    """The history of a split."""

    model = StockSplitTransition
    ordering = ("id",)


@admin.register(StockSplit)
class StockSplitAdmin(ActsAdmin, ModelAdmin):
    """Splits of shares, from the announcement to the statement that shows them."""

    list_display = ("token", "shares", "effective_at", "status", "trouble")
    list_filter = ("state", "token")
    list_select_related = ("token",)
    search_fields = ("token__symbol", "source")
    date_hierarchy = "effective_at"
    ordering = ("-effective_at", "-id")
    show_full_result_count = False
    fields = (
        *("token", "shares", "effective_at", "window_seconds", "source", "status", "trouble"),
        *("announced", "announced_at", "split"),
    )
    readonly_fields = ("shares", "status", "announced")
    inlines = (StockSplitActInline, StockSplitTransitionInline)
    opening = Act(
        name="announce",
        label="Announce a split",
        consequence="Nothing moves yet: another person has to confirm it before its time.",
        permission=ANNOUNCE,
        take=lambda _, **asked: services.announce(**asked),
        form=forms.AnnounceForm,
    )
    acts = ACTS

    @admin.display(description="Shares after and before")
    def shares(self, stock_split: StockSplit) -> str:
        return stock_split.ratio

    @admin.display(description="Announced by")
    def announced(self, stock_split: StockSplit) -> str:
        return names_of([stock_split.announced_by])[stock_split.announced_by]

    @admin.display(description="State", ordering="state")
    def status(self, stock_split: StockSplit) -> SafeString:
        return screens.pill(stock_split.state, stock_split.get_state_display())
