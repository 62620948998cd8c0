"""Tokens that came to a deposit address: the queue of what waits for a person, and one deposit."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from django import forms
from django.contrib import admin
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render

from issuer.backoffice.proposed import name_of_request
from issuer.backoffice.requests import (
    by_id,
    offers,
    staff,
    stands_at,
    taking,
    told,
    transactions,
)
from issuer.foundation import clock
from issuer.parties.models import Wallet
from issuer.parties.states import WalletState
from issuer.people.actors import actor_of
from issuer.people.acts import Act, ReasonForm, SeenForm
from issuer.primary_market import selectors, services
from issuer.primary_market.errors import RedemptionNotReceiving
from issuer.primary_market.models import Deposit, DepositReturn, RedemptionRequest
from issuer.primary_market.selectors import Refusal
from issuer.primary_market.states import (
    OPEN_RETURN_STATES,
    RECEIVING_STATES,
    DepositStep,
    ReturnState,
)

PAGE: Final = "admin:primary_market_deposit_change"
#: Rows on a page of the deposits that wait for nobody.
PAGE_SIZE: Final = 50


@dataclass(frozen=True, slots=True)
class QueueRow:
    """A deposit, and whose wallet it came from, as far as anybody has ever bound that."""

    deposit: Deposit
    wallet: Wallet | None


class RedemptionChoice(forms.ModelChoiceField):
    """A choice among redemptions, by what staff call them."""

    def label_from_instance(self, obj: RedemptionRequest) -> str:
        return name_of_request(obj)


class AssignForm(forms.Form):
    """For which redemption the tokens count."""

    redemption = RedemptionChoice(
        queryset=RedemptionRequest.objects.filter(state__in=RECEIVING_STATES),
        empty_label="Choose one that waits for tokens",
        help_text="Those of the sender's wallet, for this token on this network.",
    )

    def offer(self, redemptions: QuerySet[RedemptionRequest]) -> None:
        """Let one choose among `redemptions` alone."""
        choice = self.fields["redemption"]
        assert isinstance(choice, RedemptionChoice)
        choice.queryset = redemptions


_NONE_RECEIVES: Final = Refusal(
    RedemptionNotReceiving.code,
    "No redemption of the sender waits for this token on this network.",
)


def _open_return(deposit: Deposit) -> DepositReturn | None:
    return deposit.returns.filter(state__in=OPEN_RETURN_STATES).first()


def _counts_for_none(deposit: Deposit) -> bool:
    return deposit.redemption is None and _open_return(deposit) is None


def _may_be_assigned(deposit: Deposit) -> bool:
    return stands_at(DepositStep.ASSIGN)(deposit) and _counts_for_none(deposit)


def _may_be_cleared(deposit: Deposit) -> bool:
    return stands_at(DepositStep.CLEAR)(deposit) and _counts_for_none(deposit)


def _may_be_returned(deposit: Deposit) -> bool:
    waits = stands_at(DepositStep.APPROVE_RETURN)(deposit) and _open_return(deposit) is None
    return waits and deposit.to_return > 0


def _return_is_proposed(deposit: Deposit) -> bool:
    found = _open_return(deposit)
    return found is not None and found.state == ReturnState.PROPOSED


def _assign(deposit: Deposit, *, redemption: RedemptionRequest, **asked: Any) -> Deposit:
    return services.assign_deposit(deposit.pk, request_id=redemption.pk, **asked)


def _confirm(deposit: Deposit, **asked: Any) -> DepositReturn:
    return services.confirm_return(_the_return(deposit).pk, **asked)


def _decline(deposit: Deposit, **asked: Any) -> DepositReturn:
    return services.decline_return(_the_return(deposit).pk, **asked)


def _the_return(deposit: Deposit) -> DepositReturn:
    return get_object_or_404(deposit.returns.all(), state=ReturnState.PROPOSED)


ACTS: Final[Sequence[Act]] = (
    Act(
        name="confirm",
        label="Confirm the return and sign",
        consequence="The tokens go back to where they came from; that cannot be undone.",
        permission="primary_market.confirm_return",
        take=_confirm,
        form=SeenForm,
        offered=_return_is_proposed,
    ),
    Act(
        name="decline",
        label="Decline the return",
        consequence="The tokens stay here, and go on waiting.",
        permission="primary_market.confirm_return",
        take=_decline,
        form=ReasonForm,
        offered=_return_is_proposed,
    ),
    Act(
        name="assign",
        label="Assign to a redemption",
        consequence="The tokens count for the redemption. What is more than it lacks goes on "
        "waiting, to be returned.",
        permission="primary_market.accept_redemption",
        take=_assign,
        form=AssignForm,
        offered=_may_be_assigned,
    ),
    Act(
        name="return",
        label="Propose to return",
        consequence="Another person has to confirm that the tokens go back to where they came "
        "from.",
        permission="primary_market.propose_return",
        take=by_id(services.propose_return),
        form=ReasonForm,
        offered=_may_be_returned,
    ),
    Act(
        name="clear",
        label="Take out of quarantine",
        consequence="The tokens are matched, if a redemption waits for them, or queue again.",
        permission="primary_market.freeze_redemption",
        take=by_id(services.clear_deposit),
        form=ReasonForm,
        offered=_may_be_cleared,
    ),
)

take: Final = taking(ACTS, Deposit, page=PAGE)


def queue(request: HttpRequest) -> HttpResponse:
    """Show what waits for a person, the oldest first, and below it what came before."""
    staff(request, "primary_market.view_deposit")
    waiting = list(selectors.waiting_deposits())
    others = selectors.deposits().exclude(pk__in=[deposit.pk for deposit in waiting])
    settled = Paginator(others.order_by("-id"), PAGE_SIZE).get_page(request.GET.get("p"))
    rows = _with_wallets([*waiting, *settled])
    context = {
        **admin.site.each_context(request),
        "title": "Deposits",
        "model_opts": Deposit._meta,
        "now": clock.now(),
        "waiting": rows[: len(waiting)],
        "others": rows[len(waiting) :],
        "page": settled,
    }
    return render(request, "backoffice/deposits.html", context)


def page(request: HttpRequest, record_id: UUID) -> HttpResponse:
    """Show one deposit."""
    user = staff(request, "primary_market.view_deposit")
    at = clock.now()
    deposit = get_object_or_404(selectors.deposits(), pk=record_id)
    (row,) = _with_wallets([deposit])
    view = selectors.return_view(deposit, actor=actor_of(user))
    assignable = selectors.assignable_to(deposit)
    found = offers(
        ACTS,
        deposit,
        user,
        route="admin:deposit-act",
        refused={
            "return": view.not_to_propose,
            "confirm": view.not_to_confirm,
            "assign": () if assignable.exists() else (_NONE_RECEIVES,),
        },
        payload_hash=view.payload_hash,
    )
    for offer in found:
        if isinstance(offer.form, AssignForm):
            offer.form.offer(assignable)
    returns = list(deposit.returns.all())
    context = {
        **admin.site.each_context(request),
        "title": str(deposit),
        "row": deposit,
        "wallet": row.wallet,
        "now": at,
        "view": view,
        "timeline": told(selectors.deposit_timeline(deposit)),
        "offers": found,
        "returns": returns,
        "transactions": transactions([one.pk for one in returns]),
    }
    return render(request, "backoffice/deposit.html", context)


def _with_wallets(deposits: Iterable[Deposit]) -> list[QueueRow]:
    """Return deposits with the wallets that they came from, by one query; a bound one first."""
    deposits = list(deposits)
    senders = {deposit.transfer.sender for deposit in deposits}
    wallets = Wallet.objects.filter(address__in=senders).select_related("participant__entity")
    known = {(one.namespace, one.address): one for one in wallets.order_by("id")}
    bound = wallets.filter(state=WalletState.BOUND)
    known |= {(one.namespace, one.address): one for one in bound}
    return [
        QueueRow(
            deposit,
            known.get((deposit.transfer.deployment.network.namespace, deposit.transfer.sender)),
        )
        for deposit in deposits
    ]
