"""Redemption requests of the participant."""

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
from issuer.foundation import canonical, clock, quantities
from issuer.foundation.errors import IllegalTransition
from issuer.primary_market import errors, selectors, services
from issuer.primary_market.models import Deposit, DepositReturn, RedemptionRequest
from issuer.primary_market.states import DepositState, RedemptionState, ReturnState


class RedemptionInput(RequestInput):
    """What a participant asks for; the tokens come from the wallet that is named."""


class ReturnOutput(serializers.Serializer):
    """Tokens that go back to where they came from."""

    quantity = QuantityField()
    state = serializers.ChoiceField(ReturnState.choices)
    reason = serializers.CharField()
    transaction_hash = serializers.CharField(allow_null=True)


class DepositOutput(serializers.Serializer):
    """Tokens that came, finally, and what of them is counted."""

    transaction_hash = serializers.CharField()
    block_number = serializers.IntegerField()
    mined_at = serializers.DateTimeField()
    quantity = QuantityField()
    counted = QuantityField(help_text="Of them, for this request; the rest goes back.")
    state = serializers.ChoiceField(DepositState.choices)
    returns = ReturnOutput(many=True)


class OutgoingDeliveryOutput(serializers.Serializer):
    """The shares that are delivered, once the custodian is instructed."""

    custodian = serializers.CharField()
    isin = serializers.CharField()
    shares = QuantityField()
    receiving_party = serializers.CharField()
    trade_date = serializers.DateField()
    settlement_date = serializers.DateField()


class RedemptionOutput(RequestOutput):
    """A redemption request, seen from three sides: business, custody and chain."""

    wallet = serializers.CharField(help_text="From which the tokens are to come.")
    deposit_address = serializers.CharField(help_text="To which they are to be sent.")
    minimum = QuantityField(help_text="Whole tokens that are redeemed at once at least.")
    received = QuantityField(help_text="Whole tokens of it that have come, finally.")
    multiplier = QuantityField(help_text="Shares per token; it changes with a split.")
    shares = QuantityField(help_text="Whole shares that are delivered.")
    state = serializers.ChoiceField(RedemptionState.choices)
    deposits = DepositOutput(many=True)
    burn = ChainActOutput(allow_null=True)
    delivery = OutgoingDeliveryOutput(allow_null=True)
    expires_at = serializers.DateTimeField(help_text="Unless the tokens have come before.")


class RedemptionDetailOutput(RedemptionOutput):
    """One redemption request, with what it still needs."""

    requirements = RequirementOutput(many=True)


class RedemptionPage(PageOutput):
    """Redemption requests, the newest first."""

    results = RedemptionOutput(many=True)


class RedemptionList(PartnerView):
    """The requests of the participant."""

    @reads(
        "list_redemptions",
        "List redemption requests",
        RedemptionPage,
        parameters=[*filters(RedemptionState), *PAGE_PARAMETERS],
    )
    def get(self, request: Request) -> Response:
        mine = selectors.redemptions_of(caller_of(request).participant)
        rows = filtered(mine, request, RedemptionState)
        return page_of(rows, request, self, output=redemption_document)

    @writes(
        "request_redemption",
        "Request a redemption",
        RedemptionInput,
        RedemptionDetailOutput,
        refusals=[*REFUSED_AT_ONCE, errors.RedemptionClosed, errors.BelowMinimum],
    )
    @idempotent
    def post(self, request: Request) -> Response:
        at = clock.now()
        redemption = services.request_redemption(**asked_by(request, RedemptionInput), at=at)
        return Response(_detail(request, redemption.pk, at=at), status=HTTPStatus.CREATED)


class RedemptionDetail(PartnerView):
    """One request of the participant."""

    @reads(
        "get_redemption",
        "Get a redemption request",
        RedemptionDetailOutput,
        refusals=[errors.RedemptionMissing],
    )
    def get(self, request: Request, redemption_id: UUID) -> Response:
        return Response(_detail(request, redemption_id, at=clock.now()))


class RedemptionCancellation(PartnerView):
    """The cancellation of a request."""

    @writes(
        "cancel_redemption",
        "Cancel a redemption request whose tokens have not all come",
        None,
        RedemptionDetailOutput,
        status=HTTPStatus.OK,
        refusals=[errors.RedemptionMissing, IllegalTransition],
    )
    @idempotent
    def post(self, request: Request, redemption_id: UUID) -> Response:
        caller, at = caller_of(request), clock.now()
        services.cancel_redemption(
            redemption_id, participant=caller.participant, actor=caller.actor, at=at
        )
        return Response(_detail(request, redemption_id, at=at))


def redemption_document(redemption: RedemptionRequest) -> dict[str, Any]:
    """Return how a request that `selectors.redemptions` returned is shown."""
    axes = selectors.redemption_axes_of(redemption)
    return request_document(redemption, axes) | {
        "deposit_address": redemption.deposit_address,
        "minimum": quantities.to_text(redemption.minimum),
        "received": quantities.to_text(redemption.received),
        "deposits": [_deposit(deposit) for deposit in redemption.deposits.all()],
        "burn": chain_act_document(redemption.burn_intent),
        "delivery": _delivery(redemption),
    }


def _detail(request: Request, redemption_id: UUID, *, at: datetime) -> dict[str, Any]:
    redemption = selectors.redemption_of(caller_of(request).participant, redemption_id)
    needed = selectors.redemption_requirements(redemption, at=at)
    document = redemption_document(redemption)
    return document | {"requirements": [requirement_document(one) for one in needed]}


def _deposit(deposit: Deposit) -> dict[str, Any]:
    return {
        "transaction_hash": deposit.transfer.transaction_hash,
        "block_number": deposit.transfer.block_number,
        "mined_at": canonical.timestamp(deposit.transfer.block_mined_at),
        "quantity": quantities.to_text(deposit.quantity),
        "counted": quantities.to_text(deposit.matched),
        "state": deposit.state,
        "returns": [
            _return(found)
            for found in deposit.returns.all()
            if found.state not in {ReturnState.PROPOSED, ReturnState.DECLINED}
        ],
    }


def _return(found: DepositReturn) -> dict[str, Any]:
    """Return how an approved return is shown; its newest transaction once it is final."""
    transaction_hash = None
    if found.state == ReturnState.RETURNED and found.intent is not None:
        newest = max(found.intent.attempts.all(), key=lambda attempt: attempt.serial)
        transaction_hash = newest.transaction_hash
    return {
        "quantity": quantities.to_text(found.quantity),
        "state": found.state,
        "reason": found.reason,
        "transaction_hash": transaction_hash,
    }


def _delivery(redemption: RedemptionRequest) -> dict[str, str] | None:
    instruction = redemption.instruction
    if instruction is None:
        return None
    return {
        "custodian": str(instruction.account.custodian),
        "isin": redemption.token.security.isin,
        "shares": quantities.to_text(instruction.quantity),
        "receiving_party": instruction.counterparty,
        "trade_date": instruction.trade_date.isoformat(),
        "settlement_date": instruction.settlement_date.isoformat(),
    }
