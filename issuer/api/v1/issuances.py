"""Issuance requests of the participant."""

from datetime import datetime
from http import HTTPStatus
from typing import Any
from uuid import UUID

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from issuer.api.authentication import caller_of
from issuer.api.documentation import reads, writes
from issuer.api.fields import QuantityField
from issuer.api.idempotency import idempotent
from issuer.api.pagination import PAGE_PARAMETERS, PageOutput
from issuer.api.v1.requests import (
    REFUSED_AT_ONCE,
    ChainActOutput,
    RequestInput,
    RequestOutput,
    RequirementOutput,
    asked_by,
    chain_act_document,
    filtered,
    filters,
    request_document,
    requirement_document,
)
from issuer.api.views import PartnerView, page_of
from issuer.foundation import clock, quantities
from issuer.foundation.errors import IllegalTransition
from issuer.primary_market import errors, selectors, services
from issuer.primary_market.models import IssuanceRequest
from issuer.primary_market.states import IssuanceState


class IssuanceInput(RequestInput):
    """What a participant asks for; shares to deliver follow from the token's multiplier."""


class DeliveryOutput(serializers.Serializer):
    """The shares to deliver, once the request is accepted."""

    custodian = serializers.CharField()
    account = serializers.CharField()
    isin = serializers.CharField()
    shares = QuantityField()
    delivering_party = serializers.CharField()
    trade_date = serializers.DateField()
    settlement_date = serializers.DateField()


class IssuanceOutput(RequestOutput):
    """An issuance request, seen from three sides: business, custody and chain."""

    multiplier = QuantityField(help_text="Shares per token when the request was made.")
    shares = QuantityField(help_text="Whole shares to deliver.")
    state = serializers.ChoiceField(IssuanceState.choices)
    delivery = DeliveryOutput(allow_null=True)
    mint = ChainActOutput(allow_null=True)
    expires_at = serializers.DateTimeField(help_text="Unless the shares have settled before.")


class IssuanceDetailOutput(IssuanceOutput):
    """One issuance request, with what it still needs."""

    requirements = RequirementOutput(many=True)


class IssuancePage(PageOutput):
    """Issuance requests, the newest first."""

    results = IssuanceOutput(many=True)


class IssuanceList(PartnerView):
    """The requests of the participant."""

    @reads(
        "list_issuances",
        "List issuance requests",
        IssuancePage,
        parameters=[*filters(IssuanceState), *PAGE_PARAMETERS],
    )
    def get(self, request: Request) -> Response:
        mine = selectors.issuances_of(caller_of(request).participant)
        rows = filtered(mine, request, IssuanceState)
        return page_of(rows, request, self, output=issuance_document)

    @writes(
        "request_issuance",
        "Request an issuance",
        IssuanceInput,
        IssuanceDetailOutput,
        refusals=[*REFUSED_AT_ONCE, errors.IssuanceClosed],
    )
    @idempotent
    def post(self, request: Request) -> Response:
        at = clock.now()
        issuance = services.request_issuance(**asked_by(request, IssuanceInput), at=at)
        return Response(_detail(request, issuance.pk, at=at), status=HTTPStatus.CREATED)


class IssuanceDetail(PartnerView):
    """One request of the participant."""

    @reads(
        "get_issuance",
        "Get an issuance request",
        IssuanceDetailOutput,
        refusals=[errors.IssuanceMissing],
    )
    def get(self, request: Request, issuance_id: UUID) -> Response:
        return Response(_detail(request, issuance_id, at=clock.now()))


class IssuanceCancellation(PartnerView):
    """The cancellation of a request."""

    @writes(
        "cancel_issuance",
        "Cancel an issuance request whose shares have not settled",
        None,
        IssuanceDetailOutput,
        status=HTTPStatus.OK,
        refusals=[errors.IssuanceMissing, errors.SharesReceived, IllegalTransition],
    )
    @idempotent
    def post(self, request: Request, issuance_id: UUID) -> Response:
        caller, at = caller_of(request), clock.now()
        services.cancel(issuance_id, participant=caller.participant, actor=caller.actor, at=at)
        return Response(_detail(request, issuance_id, at=at))


def issuance_document(issuance: IssuanceRequest) -> dict[str, Any]:
    """Return how a request that `selectors.issuances` returned is shown."""
    return request_document(issuance, selectors.axes_of(issuance)) | {
        "delivery": _delivery(issuance),
        "mint": chain_act_document(issuance.mint_intent),
    }


def _detail(request: Request, issuance_id: UUID, *, at: datetime) -> dict[str, Any]:
    issuance = selectors.issuance_of(caller_of(request).participant, issuance_id)
    needed = selectors.requirements(issuance, at=at)
    return issuance_document(issuance) | {
        "requirements": [requirement_document(one) for one in needed]
    }


def _delivery(issuance: IssuanceRequest) -> dict[str, str] | None:
    instruction = issuance.instruction
    if instruction is None:
        return None
    return {
        "custodian": str(instruction.account.custodian),
        "account": instruction.account.reference,
        "isin": issuance.token.security.isin,
        "shares": quantities.to_text(instruction.quantity),
        "delivering_party": instruction.counterparty,
        "trade_date": instruction.trade_date.isoformat(),
        "settlement_date": instruction.settlement_date.isoformat(),
    }
