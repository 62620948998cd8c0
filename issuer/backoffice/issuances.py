"""The page of one issuance request: what happened, what it needs, and what the user may do."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from django import forms
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render

from issuer.backoffice.requests import (
    by_id,
    offers_of_request,
    staff,
    stands_at,
    taking,
    told,
    transactions,
)
from issuer.foundation import clock
from issuer.people.actors import actor_of
from issuer.people.acts import Act, ReasonForm, SeenForm
from issuer.primary_market import selectors, services
from issuer.primary_market.models import IssuanceRequest
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


ACTS: Final[Sequence[Act]] = (
    Act(
        name="accept",
        label="Accept",
        consequence="The custodian is instructed to receive the shares.",
        permission="primary_market.accept_issuance",
        take=by_id(services.accept),
        form=AcceptForm,
        offered=stands_at(IssuanceStep.ACCEPT),
    ),
    Act(
        name="propose",
        label="Propose for approval",
        consequence="Another person can then confirm exactly what is shown below.",
        permission="primary_market.propose_issuance",
        take=by_id(services.propose_approval),
        offered=stands_at(IssuanceStep.APPROVE),
    ),
    Act(
        name="confirm",
        label="Confirm and sign",
        consequence="The shares are held for this request, and the mint is signed and sent.",
        permission="primary_market.confirm_issuance",
        take=by_id(services.confirm_approval),
        form=SeenForm,
        offered=stands_at(IssuanceStep.APPROVE),
    ),
    Act(
        name="decline",
        label="Decline the proposal",
        consequence="The request stays funded, and can be proposed again.",
        permission="primary_market.confirm_issuance",
        take=by_id(services.decline_approval),
        form=ReasonForm,
        offered=stands_at(IssuanceStep.APPROVE),
    ),
    Act(
        name="withdraw",
        label="Withdraw the approval",
        consequence="The shares are no longer held for it, and it has to be approved again.",
        permission="primary_market.confirm_issuance",
        take=by_id(services.withdraw_approval),
        form=ReasonForm,
        offered=stands_at(IssuanceStep.WITHDRAW_APPROVAL),
        grave=True,
    ),
    Act(
        name="reject",
        label="Reject",
        consequence="The request ends for good; the reason is told to the participant.",
        permission="primary_market.accept_issuance",
        take=by_id(services.reject),
        form=ReasonForm,
        offered=stands_at(IssuanceStep.REJECT),
        grave=True,
    ),
    Act(
        name="freeze",
        label="Freeze",
        consequence="Nothing happens to the request until compliance releases it.",
        permission="primary_market.freeze_issuance",
        take=by_id(services.freeze),
        form=ReasonForm,
        offered=stands_at(IssuanceStep.FREEZE),
        grave=True,
    ),
    Act(
        name="unfreeze",
        label="Unfreeze",
        consequence="The request goes on from where no shares are held for it.",
        permission="primary_market.freeze_issuance",
        take=by_id(services.unfreeze),
        form=ReasonForm,
        offered=stands_at(IssuanceStep.UNFREEZE_REQUESTED),
    ),
)

take: Final = taking(ACTS, IssuanceRequest, page=PAGE)


def page(request: HttpRequest, record_id: UUID) -> HttpResponse:
    """Show one issuance request."""
    user = staff(request, "primary_market.view_issuancerequest")
    at = clock.now()
    issuance = get_object_or_404(selectors.issuances(), pk=record_id)
    view = selectors.approval_view(issuance, actor=actor_of(user), at=at)
    context = {
        **admin.site.each_context(request),
        "title": f"Issuance {issuance.client_reference}",
        "row": issuance,
        "now": at,
        "view": view,
        "to_approve": issuance.state == IssuanceState.FUNDED,
        "axes": selectors.axes_of(issuance),
        "requirements": selectors.requirements(issuance, at=at),
        "timeline": told(selectors.timeline(issuance)),
        "offers": offers_of_request(ACTS, issuance, user, route="admin:issuance-act", view=view),
        "share_holds": ShareHold.objects.filter(request_id=issuance.pk).order_by("id"),
        "transactions": transactions([issuance.pk]),
    }
    return render(request, "backoffice/issuance.html", context)
