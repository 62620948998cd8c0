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
from issuer.api.errors import TokenUnknown
from issuer.api.fields import QuantityField
from issuer.api.idempotency import idempotent
from issuer.api.pagination import PAGE_PARAMETERS
from issuer.api.v1.requests import (
    RequestInput,
    RequirementOutput,
    filtered,
    filters,
    requirement_document,
    token_called,
)
from issuer.api.views import PartnerView, page_of
from issuer.foundation import canonical, clock, quantities
from issuer.foundation.errors import IllegalTransition, Malformed
from issuer.foundation.quantities import QuantityMalformed, QuantityTooFine
from issuer.gate.errors import GateClosed
from issuer.instruments.errors import MultiplierUnknown
from issuer.kyc.errors import KycNotCleared
from issuer.parties.errors import NamespaceUnsupported, WalletNotBound
from issuer.primary_market import errors, selectors, services
from issuer.primary_market.axes import Business, Custody, OnChain
from issuer.primary_market.models import IssuanceRequest
from issuer.primary_market.states import IssuanceState


class IssuanceInput(RequestInput):
    """What a participant asks for; shares to deliver follow from the token's multiplier."""


class MintOutput(serializers.Serializer):
    """The mint on chain, once it is final."""

    transaction_hash = serializers.CharField()
    block_number = serializers.IntegerField()
    block_hash = serializers.CharField()
    mined_at = serializers.DateTimeField()


class DeliveryOutput(serializers.Serializer):
    """The shares to deliver, once the request is accepted."""

    custodian = serializers.CharField()
    account = serializers.CharField()
    isin = serializers.CharField()
    shares = QuantityField()
    delivering_party = serializers.CharField()
    trade_date = serializers.DateField()
    settlement_date = serializers.DateField()


class IssuanceOutput(serializers.Serializer):
    """An issuance request, seen from three sides: business, custody and chain."""

    id = serializers.UUIDField()
    client_reference = serializers.CharField()
    token = serializers.CharField()
    network = serializers.CharField()
    wallet = serializers.CharField()
    quantity = QuantityField(help_text="Whole tokens, before the multiplier.")
    unit = serializers.CharField()
    decimals = serializers.IntegerField()
    multiplier = QuantityField(help_text="Shares per token when the request was made.")
    shares = QuantityField(help_text="Whole shares to deliver.")
    state = serializers.ChoiceField(IssuanceState.choices)
    business = serializers.ChoiceField(Business.choices)
    custody = serializers.ChoiceField(Custody.choices)
    chain = serializers.ChoiceField(OnChain.choices)
    reason = serializers.CharField(allow_blank=True, help_text="Of the last step.")
    delivery = DeliveryOutput(allow_null=True)
    mint = MintOutput(allow_null=True)
    requested_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField(help_text="Unless the shares have settled before.")
    completed_at = serializers.DateTimeField(allow_null=True)


class IssuanceDetailOutput(IssuanceOutput):
    """One issuance request, with what it still needs."""

    requirements = RequirementOutput(many=True)


class IssuancePage(serializers.Serializer):
    """Issuance requests, the newest first."""

    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)
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
        refusals=[
            TokenUnknown,
            errors.TokenOfAnotherProgram,
            errors.TokenNotOnNetwork,
            errors.IssuanceClosed,
            errors.ClientReferenceUsed,
            KycNotCleared,
            NamespaceUnsupported,
            Malformed,
            WalletNotBound,
            QuantityMalformed,
            QuantityTooFine,
            GateClosed,
            MultiplierUnknown,
        ],
    )
    @idempotent
    def post(self, request: Request) -> Response:
        body = IssuanceInput(data=request.data)
        body.is_valid(raise_exception=True)
        asked, caller, at = body.validated_data, caller_of(request), clock.now()
        issuance = services.request_issuance(
            participant=caller.participant,
            token=token_called(asked["token"]),
            network=asked["network"],
            wallet_address=asked["wallet"],
            quantity=asked["quantity"],
            client_reference=asked["client_reference"],
            actor=caller.actor,
            at=at,
        )
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
    axes = selectors.axes_of(issuance)
    completed_at = issuance.completed_at
    return {
        "id": str(issuance.pk),
        "client_reference": issuance.client_reference,
        "token": issuance.token.symbol,
        "network": issuance.deployment.network.caip2,
        "wallet": issuance.wallet.address,
        "quantity": quantities.to_text(issuance.quantity),
        "unit": "tokens",
        "decimals": issuance.deployment.decimals,
        "multiplier": quantities.to_text(issuance.multiplier),
        "shares": quantities.to_text(issuance.shares),
        "state": issuance.state,
        "business": axes.business.value,
        "custody": axes.custody.value,
        "chain": axes.chain.value,
        "reason": issuance.reason,
        "delivery": _delivery(issuance),
        "mint": _mint(issuance),
        "requested_at": canonical.timestamp(issuance.requested_at),
        "expires_at": canonical.timestamp(issuance.expires_at),
        "completed_at": None if completed_at is None else canonical.timestamp(completed_at),
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


def _mint(issuance: IssuanceRequest) -> dict[str, Any] | None:
    if issuance.mint_intent is None or issuance.mint_intent.event is None:
        return None
    event = issuance.mint_intent.event
    return {
        "transaction_hash": event.transaction_hash,
        "block_number": event.block_number,
        "block_hash": event.block_hash,
        "mined_at": canonical.timestamp(event.block_mined_at),
    }
