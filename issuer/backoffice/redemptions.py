"""The page of one redemption request: what happened, what it needs, and what the user may do."""

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
from issuer.primary_market.models import RedemptionRequest
from issuer.primary_market.states import RedemptionState, RedemptionStep

PAGE: Final = "admin:primary_market_redemptionrequest_change"


class AcceptForm(forms.Form):
    """To whom the shares go."""

    receiving_party = forms.CharField(
        max_length=128, help_text="The participant's custodian or broker, as in its instruction."
    )


ACTS: Final[Sequence[Act]] = (
    Act(
        name="accept",
        label="Accept",
        consequence="The participant may send the tokens to the deposit address.",
        permission="primary_market.accept_redemption",
        take=by_id(services.accept_redemption),
        form=AcceptForm,
        offered=stands_at(RedemptionStep.ACCEPT),
    ),
    Act(
        name="propose",
        label="Propose for approval",
        consequence="Another person can then confirm exactly what is shown below.",
        permission="primary_market.propose_redemption",
        take=by_id(services.propose_redemption),
        offered=stands_at(RedemptionStep.APPROVE),
    ),
    Act(
        name="confirm",
        label="Confirm and sign",
        consequence="The burn is signed and sent. Once it is final, the shares are delivered.",
        permission="primary_market.confirm_redemption",
        take=by_id(services.confirm_redemption),
        form=SeenForm,
        offered=stands_at(RedemptionStep.APPROVE),
    ),
    Act(
        name="decline",
        label="Decline the proposal",
        consequence="The tokens stay here, and the request can be proposed again.",
        permission="primary_market.confirm_redemption",
        take=by_id(services.decline_redemption),
        form=ReasonForm,
        offered=stands_at(RedemptionStep.APPROVE),
    ),
    Act(
        name="withdraw",
        label="Withdraw the approval",
        consequence="Nothing is burned, and the request has to be approved again.",
        permission="primary_market.confirm_redemption",
        take=by_id(services.withdraw_redemption),
        form=ReasonForm,
        offered=stands_at(RedemptionStep.WITHDRAW_APPROVAL),
        grave=True,
    ),
    Act(
        name="reject",
        label="Reject",
        consequence="The request ends for good; the reason is told to the participant. Tokens of "
        "it that have come wait among the deposits to be returned.",
        permission="primary_market.accept_redemption",
        take=by_id(services.reject_redemption),
        form=ReasonForm,
        offered=stands_at(RedemptionStep.REJECT),
        grave=True,
    ),
    Act(
        name="freeze",
        label="Freeze",
        consequence="Nothing happens to the request, nor to tokens of it, until compliance "
        "releases it.",
        permission="primary_market.freeze_redemption",
        take=by_id(services.freeze_redemption),
        form=ReasonForm,
        offered=stands_at(RedemptionStep.FREEZE, RedemptionStep.QUARANTINE),
        grave=True,
    ),
    Act(
        name="unfreeze",
        label="Unfreeze",
        consequence="The request goes on from where it was stopped, and is approved again.",
        permission="primary_market.freeze_redemption",
        take=by_id(services.unfreeze_redemption),
        form=ReasonForm,
        offered=stands_at(RedemptionStep.UNFREEZE_REQUESTED),
    ),
)

take: Final = taking(ACTS, RedemptionRequest, page=PAGE)


def page(request: HttpRequest, record_id: UUID) -> HttpResponse:
    """Show one redemption request."""
    user = staff(request, "primary_market.view_redemptionrequest")
    at = clock.now()
    redemption = get_object_or_404(selectors.redemptions(), pk=record_id)
    view = selectors.redemption_view(redemption, actor=actor_of(user), at=at)
    deposits = redemption.deposits.select_related("transfer__deployment__network").order_by("id")
    context = {
        **admin.site.each_context(request),
        "title": f"Redemption {redemption.client_reference}",
        "row": redemption,
        "now": at,
        "view": view,
        "to_approve": redemption.state == RedemptionState.RECEIVED,
        "axes": selectors.redemption_axes_of(redemption),
        "requirements": selectors.redemption_requirements(redemption, at=at),
        "timeline": told(selectors.redemption_timeline(redemption)),
        "offers": offers_of_request(
            ACTS, redemption, user, route="admin:redemption-act", view=view
        ),
        "deposits": deposits,
        "transactions": transactions([redemption.pk]),
    }
    return render(request, "backoffice/redemption.html", context)
