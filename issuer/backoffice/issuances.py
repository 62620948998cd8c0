"""The page of one issuance request: what happened, what it needs, and what the user may do."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST

from issuer.backoffice.actors import names_of
from issuer.backoffice.desk import may
from issuer.chain.models import TransactionIntent
from issuer.chain.states import IntentState
from issuer.foundation import clock
from issuer.foundation.errors import DomainError
from issuer.people.actors import actor_of
from issuer.people.acts import Act, ReasonForm
from issuer.people.models import User
from issuer.primary_market import selectors, services
from issuer.primary_market.models import IssuanceRequest
from issuer.primary_market.selectors import ApprovalView, Moment
from issuer.primary_market.states import IssuanceState, IssuanceStep
from issuer.reserves.models import ShareHold

PAGE: Final = "admin:primary_market_issuancerequest_change"


class AcceptForm(forms.Form):
    """Who delivers the shares, and when they were traded."""

    delivering_party = forms.CharField(
        max_length=128, help_text="The participant's custodian or broker, as in its instruction."
    )
    trade_date = forms.DateField(
        widget=forms.DateInput(attrs={"type": "date"}),
        help_text="The shares are due one settlement cycle later.",
    )


class ConfirmForm(forms.Form):
    """What the officer saw, so that nobody confirms anything else."""

    payload_hash = forms.CharField(max_length=64, widget=forms.HiddenInput)


@dataclass(frozen=True, slots=True)
class Offer:
    """An act on the page: its form, or in words why the user cannot take it now."""

    act: Act
    form: forms.Form
    refusals: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TimelineEntry:
    """A moment, and how who acted is called."""

    moment: Moment
    who: str


@dataclass(frozen=True, slots=True)
class Stage:
    """A station on a mint's way; `mark` is done, failed or nothing."""

    label: str
    mark: str
    note: str


def _from(step: IssuanceStep) -> Callable[[IssuanceRequest], bool]:
    """Return whether a request stands where `step` starts from."""
    return lambda request: IssuanceState(request.state) in step.value.origins


def _of(service: Callable[..., Any]) -> Callable[..., Any]:
    return lambda request, **asked: service(request.pk, **asked)


ACTS: Final[Sequence[Act]] = (
    Act(
        name="accept",
        label="Accept",
        consequence="The custodian is instructed to receive the shares.",
        permission="primary_market.accept_issuance",
        take=_of(services.accept),
        form=AcceptForm,
        offered=_from(IssuanceStep.ACCEPT),
    ),
    Act(
        name="propose",
        label="Propose for approval",
        consequence="Another person can then confirm exactly what is shown below.",
        permission="primary_market.propose_issuance",
        take=_of(services.propose_approval),
        offered=_from(IssuanceStep.APPROVE),
    ),
    Act(
        name="confirm",
        label="Confirm and sign",
        consequence="The shares are held for this request, and the mint is signed and sent.",
        permission="primary_market.confirm_issuance",
        take=_of(services.confirm_approval),
        form=ConfirmForm,
        offered=_from(IssuanceStep.APPROVE),
    ),
    Act(
        name="decline",
        label="Decline the proposal",
        consequence="The request stays funded, and can be proposed again.",
        permission="primary_market.confirm_issuance",
        take=_of(services.decline_approval),
        form=ReasonForm,
        offered=_from(IssuanceStep.APPROVE),
    ),
    Act(
        name="withdraw",
        label="Withdraw the approval",
        consequence="The shares are no longer held for it, and it has to be approved again.",
        permission="primary_market.confirm_issuance",
        take=_of(services.withdraw_approval),
        form=ReasonForm,
        offered=_from(IssuanceStep.WITHDRAW_APPROVAL),
        grave=True,
    ),
    Act(
        name="reject",
        label="Reject",
        consequence="The request ends for good; the reason is told to the participant.",
        permission="primary_market.accept_issuance",
        take=_of(services.reject),
        form=ReasonForm,
        offered=_from(IssuanceStep.REJECT),
        grave=True,
    ),
    Act(
        name="freeze",
        label="Freeze",
        consequence="Nothing happens to the request until compliance releases it.",
        permission="primary_market.freeze_issuance",
        take=_of(services.freeze),
        form=ReasonForm,
        offered=_from(IssuanceStep.FREEZE),
        grave=True,
    ),
    Act(
        name="unfreeze",
        label="Unfreeze",
        consequence="The request goes on from where no shares are held for it.",
        permission="primary_market.freeze_issuance",
        take=_of(services.unfreeze),
        form=ReasonForm,
        offered=_from(IssuanceStep.UNFREEZE_REQUESTED),
    ),
)


def page(request: HttpRequest, request_id: UUID) -> HttpResponse:
    """Show one issuance request."""
    user = _staff(request, "primary_market.view_issuancerequest")
    at = clock.now()
    issuance = get_object_or_404(selectors.issuances(), pk=request_id)
    view = selectors.approval_view(issuance, actor=actor_of(user), at=at)
    timeline = selectors.timeline(issuance)
    names = names_of({moment.actor for moment in timeline})
    context = {
        **admin.site.each_context(request),
        "title": f"Issuance {issuance.client_reference}",
        "issuance": issuance,
        "now": at,
        "view": view,
        "to_approve": issuance.state == IssuanceState.FUNDED,
        "axes": selectors.axes_of(issuance),
        "requirements": selectors.requirements(issuance, at=at),
        "timeline": [
            TimelineEntry(moment, moment.person or names[moment.actor]) for moment in timeline
        ],
        "offers": _offers(issuance, view, user),
        "share_holds": ShareHold.objects.filter(request_id=issuance.pk).order_by("id"),
        "mints": [(intent, _stages(intent)) for intent in _intents(issuance)],
    }
    return render(request, "backoffice/issuance.html", context)


@require_POST
def take(request: HttpRequest, request_id: UUID, name: str) -> HttpResponse:
    """Do one thing to a request: one call of a service, whose answer is told."""
    act = next((act for act in ACTS if act.name == name), None)
    if act is None:
        raise Http404(name)
    user = _staff(request, act.permission)
    issuance = get_object_or_404(IssuanceRequest, pk=request_id)
    form = act.form(request.POST)
    if not form.is_valid():
        for field, errors in form.errors.get_json_data().items():
            for error in errors:
                messages.error(
                    request, f"{field.replace('_', ' ').capitalize()}: {error['message']}"
                )
        return redirect(PAGE, request_id)
    try:
        act.take(issuance, actor=actor_of(user), at=clock.now(), **form.cleaned_data)
    except DomainError as refusal:
        messages.error(request, f"Refused ({refusal.code}): {refusal.detail}")
    else:
        messages.success(request, f"{act.label}: done.")
    return redirect(PAGE, request_id)


def _staff(request: HttpRequest, permission: str) -> User:
    """Return the user behind `request`.

    Raises:
        PermissionDenied: if they lack `permission`.
    """
    if not isinstance(request.user, User) or not request.user.has_perm(permission):
        raise PermissionDenied
    return request.user


def _offers(issuance: IssuanceRequest, view: ApprovalView, user: User) -> list[Offer]:
    """Return what the page offers, what can be done before what cannot."""
    pointless = {"decline"} if view.proposal is None else {"propose"}
    offers = [
        _offer(act, view, user)
        for act in ACTS
        if act.offered(issuance) and act.name not in pointless
    ]
    return sorted(offers, key=lambda offer: bool(offer.refusals))


def _offer(act: Act, view: ApprovalView, user: User) -> Offer:
    refusals = []
    if not user.has_perm(act.permission):
        refusals.append(f"This takes the role of {may(act.permission)}.")
    elif act.name == "propose":
        refusals += [refusal.detail for refusal in view.not_to_propose]
    elif act.name == "confirm":
        refusals += [refusal.detail for refusal in view.not_to_confirm]
    initial: dict[str, Any] = {"payload_hash": view.payload_hash}
    form = act.form(initial=initial, auto_id=f"{act.name}_%s")
    return Offer(act, form, tuple(refusals))


def _intents(issuance: IssuanceRequest) -> QuerySet[TransactionIntent]:
    """Return the mints of a request, the newest first; all but the last have failed."""
    return (
        TransactionIntent.objects.filter(request_id=issuance.pk)
        .select_related("deployment__network", "event")
        .prefetch_related("attempts", "transitions")
        .order_by("-id")
    )


def _stages(intent: TransactionIntent) -> list[Stage]:
    """Return how far a mint has come on its way into the books."""
    way = [
        (IntentState.SIGNED, "Signed"),
        (IntentState.BROADCAST, "Sent"),
        (IntentState.MINED, "In a block"),
        (IntentState.FINAL, "Final"),
        (IntentState.BOOKED, "Booked"),
    ]
    blocks = {
        transition.destination: f"block {transition.block_number}"
        for transition in intent.transitions.all()
        if transition.block_number is not None
    }
    if intent.state in {IntentState.REVERTED, IntentState.DROPPED}:
        return [Stage("Signed", "done", ""), Stage(intent.get_state_display(), "failed", "")]
    reached = [state for state, _ in way].index(IntentState(intent.state))
    return [
        Stage(label, "done" if position <= reached else "", blocks.get(state, ""))
        for position, (state, label) in enumerate(way)
    ]
