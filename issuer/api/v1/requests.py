"""What issuance and redemption requests have in common on the wire."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, TypeVar

from django.db import models
from django.db.models import QuerySet
from django.utils.dateparse import parse_datetime
from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers
from rest_framework.request import Request

from issuer.api.authentication import caller_of
from issuer.api.errors import ParameterError, TokenUnknown
from issuer.api.fields import Input, QuantityField, StrictCharField, choice_of
from issuer.chain.models import TransactionIntent
from issuer.foundation import canonical, quantities
from issuer.foundation.errors import DomainError, Malformed
from issuer.foundation.quantities import QuantityMalformed, QuantityTooFine
from issuer.gate.errors import GateClosed
from issuer.instruments.errors import MultiplierUnknown
from issuer.instruments.models import Token
from issuer.kyc.errors import KycNotCleared
from issuer.parties.errors import NamespaceUnsupported, WalletNotBound
from issuer.primary_market import errors
from issuer.primary_market.axes import Axes, Business, Custody, OnChain
from issuer.primary_market.models import IssuanceRequest, RedemptionRequest
from issuer.primary_market.selectors import Party, Requirement

Row = TypeVar("Row", IssuanceRequest, RedemptionRequest)

#: Why a request of either kind is not taken.
REFUSED_AT_ONCE: Final[Sequence[type[DomainError]]] = (
    TokenUnknown,
    errors.TokenOfAnotherProgram,
    errors.TokenNotOnNetwork,
    errors.ClientReferenceUsed,
    KycNotCleared,
    NamespaceUnsupported,
    Malformed,
    WalletNotBound,
    QuantityMalformed,
    QuantityTooFine,
    GateClosed,
    MultiplierUnknown,
)


class RequestInput(Input):
    """What every request of a participant says."""

    token = StrictCharField(max_length=16, help_text="Symbol.")
    network = StrictCharField(max_length=41, help_text="CAIP-2; the token is deployed there.")
    wallet = StrictCharField(max_length=64, help_text="Address of a bound wallet.")
    quantity = QuantityField(help_text="Whole tokens, before the multiplier; a JSON string.")
    client_reference = StrictCharField(
        max_length=64, help_text="Yours; names one request and cannot be used again."
    )


class RequestOutput(serializers.Serializer):
    """What every request says of itself, seen from three sides: business, custody and chain."""

    id = serializers.UUIDField()
    client_reference = serializers.CharField()
    token = serializers.CharField()
    network = serializers.CharField()
    wallet = serializers.CharField()
    quantity = QuantityField(help_text="Whole tokens, before the multiplier.")
    unit = serializers.CharField()
    decimals = serializers.IntegerField()
    business = serializers.ChoiceField(Business.choices)
    custody = serializers.ChoiceField(Custody.choices)
    chain = serializers.ChoiceField(OnChain.choices)
    reason = serializers.CharField(allow_blank=True, help_text="Of the last step.")
    requested_at = serializers.DateTimeField()
    completed_at = serializers.DateTimeField(allow_null=True)


class ChainActOutput(serializers.Serializer):
    """A mint or a burn on chain, once it is final."""

    transaction_hash = serializers.CharField()
    block_number = serializers.IntegerField()
    block_hash = serializers.CharField()
    mined_at = serializers.DateTimeField()


class RequirementOutput(serializers.Serializer):
    """One thing that has to happen before the request goes on."""

    code = serializers.CharField()
    detail = serializers.CharField()
    awaiting_action_from = serializers.ChoiceField(Party.choices)


def asked_by(request: Request, form: type[RequestInput]) -> dict[str, Any]:
    """Return what the service that opens a request is told, but for the time.

    Raises:
        TokenUnknown: if there is no such token.
    """
    body = form(data=request.data)
    body.is_valid(raise_exception=True)
    asked, caller = body.validated_data, caller_of(request)
    return {
        "participant": caller.participant,
        "token": token_called(asked["token"]),
        "network": asked["network"],
        "wallet_address": asked["wallet"],
        "quantity": asked["quantity"],
        "client_reference": asked["client_reference"],
        "actor": caller.actor,
    }


def request_document(request: IssuanceRequest | RedemptionRequest, axes: Axes) -> dict[str, Any]:
    """Return what is shown alike of either kind of request."""
    completed_at = request.completed_at
    return {
        "id": str(request.pk),
        "client_reference": request.client_reference,
        "token": request.token.symbol,
        "network": request.deployment.network.caip2,
        "wallet": request.wallet.address,
        "quantity": quantities.to_text(request.quantity),
        "unit": "tokens",
        "decimals": request.deployment.decimals,
        "multiplier": quantities.to_text(request.multiplier),
        "shares": quantities.to_text(request.shares),
        "state": request.state,
        "business": axes.business.value,
        "custody": axes.custody.value,
        "chain": axes.chain.value,
        "reason": request.reason,
        "requested_at": canonical.timestamp(request.requested_at),
        "expires_at": canonical.timestamp(request.expires_at),
        "completed_at": None if completed_at is None else canonical.timestamp(completed_at),
    }


def chain_act_document(intent: TransactionIntent | None) -> dict[str, Any] | None:
    """Return how a mint or a burn is shown; nothing before it is final."""
    if intent is None or intent.event is None:
        return None
    event = intent.event
    return {
        "transaction_hash": event.transaction_hash,
        "block_number": event.block_number,
        "block_hash": event.block_hash,
        "mined_at": canonical.timestamp(event.block_mined_at),
    }


def requirement_document(requirement: Requirement) -> dict[str, str]:
    """Return how something that a request needs is shown."""
    return {
        "code": requirement.code,
        "detail": requirement.detail,
        "awaiting_action_from": requirement.awaiting_action_from.value,
    }


def token_called(symbol: str) -> Token:
    """Return the token of this symbol.

    Raises:
        TokenUnknown: if there is none.
    """
    token = Token.objects.select_related("program").filter(symbol=symbol).first()
    if token is None:
        raise TokenUnknown(f"There is no token {symbol!r}.", token=symbol)
    return token


def filters(states: type[models.TextChoices]) -> Sequence[OpenApiParameter]:
    """Return the query parameters by which requests in `states` are filtered."""
    return (
        OpenApiParameter("state", str, enum=states.values),
        OpenApiParameter("token", str, description="Symbol."),
        OpenApiParameter("created_at.gte", datetime, description="Requested then or later."),
        OpenApiParameter("created_at.lt", datetime, description="Requested before then."),
    )


def filtered(
    rows: QuerySet[Row], request: Request, states: type[models.TextChoices]
) -> QuerySet[Row]:
    """Return the rows that the query parameters ask for.

    Raises:
        ParameterError: if one of them is not valid.
    """
    asked = request.query_params
    if "state" in asked:
        rows = rows.filter(state=choice_of(states, "state", asked["state"]))
    if "token" in asked:
        rows = rows.filter(token__symbol=asked["token"])
    if "created_at.gte" in asked:
        rows = rows.filter(requested_at__gte=_moment("created_at.gte", asked["created_at.gte"]))
    if "created_at.lt" in asked:
        rows = rows.filter(requested_at__lt=_moment("created_at.lt", asked["created_at.lt"]))
    return rows


def _moment(name: str, text: str) -> datetime:
    refused = ParameterError({name: ["Must be a time with its zone (RFC 3339), ending in Z."]})
    try:
        moment = parse_datetime(text)
    except ValueError as exc:
        raise refused from exc
    if moment is None or moment.tzinfo is None:
        raise refused
    return moment
