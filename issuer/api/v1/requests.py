"""What issuance and redemption requests have in common on the wire."""

from collections.abc import Sequence
from datetime import datetime
from typing import TypeVar

from django.db import models
from django.db.models import QuerySet
from django.utils.dateparse import parse_datetime
from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers
from rest_framework.request import Request

from issuer.api.errors import ParameterError, TokenUnknown
from issuer.api.fields import Input, QuantityField, StrictCharField, choice_of
from issuer.instruments.models import Token
from issuer.primary_market.models import IssuanceRequest, RedemptionRequest
from issuer.primary_market.selectors import Party, Requirement

Row = TypeVar("Row", IssuanceRequest, RedemptionRequest)


class RequestInput(Input):
    """What every request of a participant says."""

    token = StrictCharField(max_length=16, help_text="Symbol.")
    network = StrictCharField(max_length=41, help_text="CAIP-2; the token is deployed there.")
    wallet = StrictCharField(max_length=64, help_text="Address of a bound wallet.")
    quantity = QuantityField(help_text="Whole tokens, before the multiplier; a JSON string.")
    client_reference = StrictCharField(
        max_length=64, help_text="Yours; names one request and cannot be used again."
    )


class RequirementOutput(serializers.Serializer):
    """One thing that has to happen before the request goes on."""

    code = serializers.CharField()
    detail = serializers.CharField()
    awaiting_action_from = serializers.ChoiceField(Party.choices)


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
