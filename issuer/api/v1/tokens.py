"""Tokens: what is issued, where, and whether it can be asked for now."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from issuer.api.documentation import reads
from issuer.api.errors import TokenMissing
from issuer.api.fields import QuantityField
from issuer.api.v1.gates import GateOutput, gate_document
from issuer.api.views import ApiView
from issuer.foundation import canonical, clock, quantities
from issuer.gate.models import Hold
from issuer.instruments.models import Deployment, Multiplier, Token
from issuer.reserves import gates


class UnderlyingOutput(serializers.Serializer):
    """The share that a token stands for."""

    isin = serializers.CharField()
    ticker = serializers.CharField()
    mic = serializers.CharField(help_text="ISO 10383.")
    name = serializers.CharField()


class DeploymentOutput(serializers.Serializer):
    """A token's contract on one network."""

    network = serializers.CharField(help_text="CAIP-2.")
    address = serializers.CharField()
    caip10 = serializers.CharField()
    decimals = serializers.IntegerField(help_text="Finest part of a token: 10^-decimals.")
    multiplier = QuantityField(
        allow_null=True, help_text="Shares per token now; null if none is in effect."
    )
    multiplier_since = serializers.DateTimeField(allow_null=True)


class TokenOutput(serializers.Serializer):
    """A token. Quantities of it are whole tokens, before the multiplier."""

    symbol = serializers.CharField()
    name = serializers.CharField()
    isin = serializers.CharField()
    program = serializers.CharField()
    unit = serializers.CharField(help_text="What quantities of the token count.")
    underlying = UnderlyingOutput()
    issuance_open = serializers.BooleanField()
    gate = GateOutput()
    deployments = DeploymentOutput(many=True)


class TokensOutput(serializers.Serializer):
    """Every token, by symbol."""

    results = TokenOutput(many=True)


class TokenList(ApiView):
    """Every token."""

    @reads("list_tokens", "List the tokens", TokensOutput, public=True)
    def get(self, request: Request) -> Response:
        return Response({"results": token_documents(tokens(), at=clock.now())})


class TokenDetail(ApiView):
    """One token."""

    @reads("get_token", "Get a token", TokenOutput, refusals=[TokenMissing], public=True)
    def get(self, request: Request, symbol: str) -> Response:
        [document] = token_documents([token_of(symbol)], at=clock.now())
        return Response(document)


def tokens() -> QuerySet[Token]:
    """Return every token, by symbol."""
    return Token.objects.select_related("security", "program").order_by("symbol")


def token_of(symbol: str) -> Token:
    """Return the token of a symbol.

    Raises:
        TokenMissing: if there is none.
    """
    token = tokens().filter(symbol=symbol).first()
    if token is None:
        raise TokenMissing(f"There is no token {symbol[:16]!r}.")
    return token


def token_documents(asked: Sequence[Token] | QuerySet[Token], *, at: datetime) -> list[Any]:
    """Return how tokens are shown; as many queries for one as for all."""
    rows = list(asked)
    holds = gates.holds_on(rows)
    deployments: dict[UUID, list[Deployment]] = {row.pk: [] for row in rows}
    for deployment in Deployment.objects.filter(token__in=rows).select_related("network"):
        deployments[deployment.token_id].append(deployment)
    multipliers = {
        multiplier.deployment_id: multiplier
        for multiplier in Multiplier.objects.filter(
            deployment__token__in=rows, effective__contains=at
        )
    }
    return [_document(row, deployments[row.pk], multipliers, holds[row.pk]) for row in rows]


def _document(
    token: Token,
    deployments: Sequence[Deployment],
    multipliers: Mapping[UUID, Multiplier],
    holds: Sequence[Hold],
) -> Mapping[str, Any]:
    security = token.security
    return {
        "symbol": token.symbol,
        "name": token.name,
        "isin": token.isin,
        "program": token.program.code,
        "unit": "tokens",
        "underlying": {
            "isin": security.isin,
            "ticker": security.ticker,
            "mic": security.mic,
            "name": security.name,
        },
        "issuance_open": token.issuance_open,
        "gate": gate_document(holds),
        "deployments": [
            _deployment_document(deployment, multipliers.get(deployment.pk))
            for deployment in sorted(deployments, key=lambda one: one.network.caip2)
        ],
    }


def _deployment_document(deployment: Deployment, multiplier: Multiplier | None) -> Any:
    return {
        "network": deployment.network.caip2,
        "address": deployment.address,
        "caip10": deployment.caip10,
        "decimals": deployment.decimals,
        "multiplier": None if multiplier is None else quantities.to_text(multiplier.value),
        "multiplier_since": (
            None if multiplier is None else canonical.timestamp(multiplier.effective.lower)
        ),
    }
