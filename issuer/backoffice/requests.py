"""What the pages of requests share: what happened, what can be done, and what is on chain."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final
from uuid import UUID

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.views.decorators.http import require_POST

from issuer.backoffice.desk import acts_at_all, may
from issuer.chain.models import TransactionIntent
from issuer.chain.states import CANCELLING_STATES, FAILED_STATES, IntentState
from issuer.foundation import clock
from issuer.foundation.errors import DomainError
from issuer.people.actors import actor_of, names_of
from issuer.people.acts import Act
from issuer.people.models import User
from issuer.primary_market.models import IssuanceRequest, RedemptionRequest
from issuer.primary_market.selectors import ApprovalView, Moment, RedemptionView, Refusal

#: The way of a transaction into the books.
_WAY: Final = (
    (IntentState.SIGNED, "Signed"),
    (IntentState.BROADCAST, "Sent"),
    (IntentState.MINED, "In a block"),
    (IntentState.FINAL, "Final"),
    (IntentState.BOOKED, "Booked"),
)


@dataclass(frozen=True, slots=True)
class Offer:
    """An act on the page: its form, or in words why the user cannot take it now."""

    act: Act
    form: forms.Form
    address: str
    refusals: tuple[str, ...]

    @property
    def signs(self) -> bool:
        """Whether what is signed has to stand beside the button."""
        return self.act.name in {"propose", "confirm"}


@dataclass(frozen=True, slots=True)
class TimelineEntry:
    """A moment, and how who acted is called."""

    moment: Moment
    who: str


@dataclass(frozen=True, slots=True)
class Stage:
    """A station on a transaction's way; `mark` is done, failed or nothing."""

    label: str
    mark: str
    note: str


def stands_at(*steps: Enum) -> Callable[[Any], bool]:
    """Return whether a record stands where one of `steps` starts from."""
    origins = frozenset().union(*(step.value.origins for step in steps))
    return lambda row: row.state in origins


def by_id(service: Callable[..., Any]) -> Callable[..., Any]:
    """Return `service`, which takes the id of a record, as one that takes the record."""
    return lambda row, **asked: service(row.pk, **asked)


def staff(request: HttpRequest, permission: str) -> User:
    """Return the user behind `request`.

    Raises:
        PermissionDenied: if they lack `permission`.
    """
    if not isinstance(request.user, User) or not request.user.has_perm(permission):
        raise PermissionDenied
    return request.user


def offers(
    acts: Iterable[Act],
    row: Model,
    user: User,
    *,
    route: str,
    refused: Mapping[str, Sequence[Refusal]],
    payload_hash: str = "",
    pointless: Collection[str] = (),
) -> list[Offer]:
    """Return what the page of `row` offers, what can be done before what cannot.

    Whoever only looks, as an auditor, is offered nothing, and no button that is shut either.
    `route` is the name of the address that takes an act; `refused` says, by the name of an act,
    why the service would refuse it; `pointless` are acts with nothing to act on.
    """
    found: list[Offer] = []
    if not acts_at_all(user):
        return found
    for act in acts:
        if not act.offered(row) or act.name in pointless:
            continue
        refusals = [refusal.detail for refusal in refused.get(act.name, ())]
        if not user.has_perm(act.permission):
            refusals = [f"This takes the role of {may(act.permission)}."]
        form = act.form(initial={"payload_hash": payload_hash}, auto_id=f"{act.name}_%s")
        found.append(Offer(act, form, reverse(route, args=[row.pk, act.name]), tuple(refusals)))
    return sorted(found, key=lambda offer: bool(offer.refusals))


def offers_of_request(
    acts: Iterable[Act],
    row: IssuanceRequest | RedemptionRequest,
    user: User,
    *,
    route: str,
    view: ApprovalView | RedemptionView,
) -> list[Offer]:
    """Return what the page of a request offers, which one accepts and two approve, as `offers`."""
    return offers(
        acts,
        row,
        user,
        route=route,
        refused={
            "accept": view.not_to_accept,
            "propose": view.not_to_propose,
            "confirm": view.not_to_confirm,
        },
        payload_hash=view.payload_hash,
        pointless={"decline"} if view.proposal is None else {"propose"},
    )


def taking(
    acts: Iterable[Act], model: type[Model], *, page: str
) -> Callable[[HttpRequest, UUID, str], HttpResponse]:
    """Return the view that takes one of `acts` on a record of `model` and leads back to `page`."""

    @require_POST
    def take(request: HttpRequest, record_id: UUID, name: str) -> HttpResponse:
        act = _act_named(acts, name)
        user = staff(request, act.permission)
        row = get_object_or_404(model, pk=record_id)
        return _take_act(request, act, row, user, page=page)

    return take


def told(moments: Sequence[Moment]) -> list[TimelineEntry]:
    """Return `moments` with the names of who acted."""
    names = names_of({moment.actor for moment in moments})
    return [TimelineEntry(moment, moment.person or names[moment.actor]) for moment in moments]


def transactions(request_ids: Collection[UUID]) -> list[tuple[TransactionIntent, list[Stage]]]:
    """Return the transactions for requests, the newest first, and how far each has come."""
    intents = (
        TransactionIntent.objects.filter(request_id__in=request_ids)
        .select_related("deployment__network", "event")
        .prefetch_related("attempts", "transitions")
        .order_by("-id")
    )
    return [(intent, _stages(intent)) for intent in intents]


def _act_named(acts: Iterable[Act], name: str) -> Act:
    """Return the act that is called `name`.

    Raises:
        Http404: if there is none.
    """
    act = next((act for act in acts if act.name == name), None)
    if act is None:
        raise Http404(name)
    return act


def _take_act(request: HttpRequest, act: Act, row: Model, user: User, *, page: str) -> HttpResponse:
    """Do one thing to `row` by one call of a service, tell its answer, and lead back to `page`."""
    form = act.form(request.POST)
    if not form.is_valid():
        for field, errors in form.errors.get_json_data().items():
            for error in errors:
                name = field.replace("_", " ").capitalize()
                messages.error(request, f"{name}: {error['message']}")
        return redirect(page, row.pk)
    try:
        act.take(row, actor=actor_of(user), at=clock.now(), **form.cleaned_data)
    except DomainError as refusal:
        messages.error(request, f"Refused ({refusal.code}): {refusal.detail}")
    else:
        messages.success(request, f"{act.label}: done.")
    return redirect(page, row.pk)


def _stages(intent: TransactionIntent) -> list[Stage]:
    """Return how far a transaction has come on its way into the books."""
    blocks = {
        transition.destination: f"block {transition.block_number}"
        for transition in intent.transitions.all()
        if transition.block_number is not None
    }
    if intent.state in FAILED_STATES:
        return [Stage("Signed", "done", ""), Stage(intent.get_state_display(), "failed", "")]
    if intent.state in CANCELLING_STATES:  # what becomes of it is open
        return [Stage("Signed", "done", ""), Stage(intent.get_state_display(), "done", "")]
    reached = [state for state, _ in _WAY].index(IntentState(intent.state))
    return [
        Stage(label, "done" if position <= reached else "", blocks.get(state, ""))
        for position, (state, label) in enumerate(_WAY)
    ]
