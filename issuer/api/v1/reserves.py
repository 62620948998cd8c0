"""Reserves: for each token the shares held and owed, and what both are made of. Public."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from issuer.api.documentation import reads
from issuer.api.errors import TokenMissing
from issuer.api.fields import QuantityField
from issuer.api.v1.gates import GateOutput, gate_document
from issuer.api.v1.tokens import token_of, tokens
from issuer.api.views import ApiView, unless_known
from issuer.foundation import canonical, clock, quantities
from issuer.gate.models import Hold
from issuer.instruments.models import Token
from issuer.reserves import gates, selectors
from issuer.reserves.cover import CoverStatus
from issuer.reserves.figures import (
    AccountFigures,
    DeploymentFigures,
    TokenFigures,
    total,
    total_known,
)


class ExcludedOutput(serializers.Serializer):
    """Tokens at an address of the issuer's own, which are owed to nobody."""

    address = serializers.CharField()
    role = serializers.CharField()
    reason = serializers.CharField()
    quantity = QuantityField(help_text="Whole tokens.")


class ChainOutput(serializers.Serializer):
    """One deployment at the newest final block that was read; whole tokens."""

    network = serializers.CharField(help_text="CAIP-2.")
    address = serializers.CharField()
    decimals = serializers.IntegerField()
    supply = QuantityField(allow_null=True)
    excluded = ExcludedOutput(many=True)
    multiplier = QuantityField(allow_null=True, help_text="Shares per token.")
    headroom = QuantityField(
        allow_null=True,
        help_text="Whole tokens that may be minted here, whatever the other chains mint.",
    )
    block_number = serializers.IntegerField(allow_null=True)
    block_hash = serializers.CharField(allow_null=True)
    block_mined_at = serializers.DateTimeField(allow_null=True)
    reason = serializers.CharField(allow_null=True, help_text="Why a figure is missing.")


class CustodyOutput(serializers.Serializer):
    """One custody account; whole shares. Figures that the custodian did not state are null.

    Over a split, what was stated and booked before it is given in the shares of after it.
    """

    custodian = serializers.CharField()
    account = serializers.CharField(help_text="Its last four characters.")
    settled = QuantityField(allow_null=True)
    pending_receipt = QuantityField(allow_null=True)
    encumbered = QuantityField(allow_null=True, help_text="On their way out, lent or blocked.")
    booked = QuantityField(help_text="Settled by our own books.")
    eligible = serializers.CharField(allow_null=True, help_text="What counts for cover.")
    statement_as_of = serializers.DateField(allow_null=True)
    reason = serializers.CharField(allow_null=True, help_text="Why a figure is missing.")


class ReserveOutput(serializers.Serializer):
    """Whether the shares of one token are there. While that is UNKNOWN, figures are null."""

    token = serializers.CharField()
    isin = serializers.CharField()
    underlying_isin = serializers.CharField()
    as_of = serializers.DateTimeField(help_text="When it was computed.")
    status = serializers.ChoiceField(CoverStatus.choices)
    reasons = serializers.ListField(
        child=serializers.CharField(), help_text="Why the status is UNKNOWN."
    )
    unit = serializers.CharField(help_text="Of held, owed, surplus and their parts.")
    held = QuantityField(allow_null=True)
    owed = QuantityField(allow_null=True)
    owed_on_tokens = QuantityField(allow_null=True)
    paid_not_minted = QuantityField(allow_null=True)
    burned_not_delivered = QuantityField(
        allow_null=True, help_text="For tokens that were redeemed and burned."
    )
    reserved = QuantityField(allow_null=True, help_text="Held for approved requests.")
    in_transit = QuantityField(allow_null=True, help_text="Disclosed receipts; not in `held`.")
    surplus = serializers.CharField(
        allow_null=True, help_text="Held less owed; negative when short."
    )
    ratio_bps = serializers.IntegerField(
        allow_null=True, help_text="Held over owed in basis points; null if nothing is owed."
    )
    headroom = QuantityField(
        allow_null=True, help_text="Whole tokens that may be minted, on all chains together."
    )
    headroom_unit = serializers.CharField()
    gate = GateOutput()
    chains = ChainOutput(many=True)
    custody = CustodyOutput(many=True)


class ReservesOutput(serializers.Serializer):
    """The reserves of every token, by symbol."""

    results = ReserveOutput(many=True)


class ReserveList(ApiView):
    """The reserves of every token."""

    @reads("list_reserves", "List reserves", ReservesOutput, public=True, cached=True)
    def get(self, request: Request) -> Response:
        documents = reserve_documents(list(tokens()), at=clock.now())
        return unless_known(
            request, {"results": documents}, tagged=[_gist(one) for one in documents]
        )


class ReserveDetail(ApiView):
    """The reserves of one token."""

    @reads(
        "get_reserves",
        "Get reserves",
        ReserveOutput,
        refusals=[TokenMissing],
        public=True,
        cached=True,
    )
    def get(self, request: Request, symbol: str) -> Response:
        [document] = reserve_documents([token_of(symbol)], at=clock.now())
        return unless_known(request, document, tagged=_gist(document))


def reserve_documents(rows: list[Token], *, at: datetime) -> list[dict[str, Any]]:
    """Return how the reserves of tokens are shown; as many queries for one as for all."""
    figures, holds = selectors.figures_of(rows, at=at), gates.holds_on(rows)
    return [_document(figures[row.pk], holds[row.pk]) for row in rows]


def _gist(document: dict[str, Any]) -> dict[str, Any]:
    """Return all of a document but the time at which it was computed."""
    return {key: value for key, value in document.items() if key != "as_of"}


def _document(figures: TokenFigures, holds: Sequence[Hold]) -> dict[str, Any]:
    token, cover = figures.token, figures.cover
    headrooms = selectors.headrooms(figures, gates.shut_networks(figures, holds))
    known = cover.status != CoverStatus.UNKNOWN

    def shown(quantity: Decimal | None) -> str | None:
        return _text(quantity) if known else None

    return {
        "token": token.symbol,
        "isin": token.isin,
        "underlying_isin": token.security.isin,
        "as_of": canonical.timestamp(figures.as_of),
        "status": cover.status.value,
        "reasons": list(cover.reasons),
        "unit": "shares",
        "held": shown(cover.held),
        "owed": shown(cover.owed),
        "owed_on_tokens": shown(cover.owed_on_tokens),
        "paid_not_minted": shown(cover.paid_not_minted),
        "burned_not_delivered": shown(cover.burned_not_delivered),
        "reserved": shown(cover.reserved),
        "in_transit": shown(cover.disclosed),
        "surplus": shown(cover.surplus),
        "ratio_bps": cover.ratio_bps,
        "headroom": shown(total(headrooms.values())),
        "headroom_unit": "tokens",
        "gate": gate_document(holds),
        "chains": [
            _chain(one, headroom=shown(headrooms[one.deployment.pk])) for one in figures.deployments
        ],
        "custody": [_custody(one) for one in figures.accounts],
    }


def _chain(figures: DeploymentFigures, *, headroom: str | None) -> dict[str, Any]:
    deployment, snapshot = figures.deployment, figures.snapshot
    return {
        "network": deployment.network.caip2,
        "address": deployment.address,
        "decimals": deployment.decimals,
        "supply": _text(figures.supply),
        "excluded": [
            {
                "address": one.address,
                "role": one.role.value,
                "reason": one.reason,
                "quantity": quantities.to_text(one.quantity),
            }
            for one in figures.excluded
        ],
        "multiplier": _text(figures.multiplier),
        "headroom": headroom,
        "block_number": None if snapshot is None else snapshot.block_number,
        "block_hash": None if snapshot is None else snapshot.block_hash,
        "block_mined_at": (
            None if snapshot is None else canonical.timestamp(snapshot.block_mined_at)
        ),
        "reason": figures.reason,
    }


def _custody(figures: AccountFigures) -> dict[str, Any]:
    statement, position = figures.statement, figures.position
    stated = position is not None and figures.reason is None
    return {
        "custodian": str(figures.account.custodian),
        "account": figures.account.reference[-4:],
        "settled": _text(figures.settled),
        "pending_receipt": _text(figures.awaited if stated else None),
        "encumbered": _text(total_known([figures.leaving, figures.encumbered]) if stated else None),
        "booked": quantities.to_text(figures.booked),
        "eligible": _text(figures.free),
        "statement_as_of": None if statement is None else statement.as_of_date.isoformat(),
        "reason": figures.reason,
    }


def _text(quantity: Decimal | None) -> str | None:
    return None if quantity is None else quantities.to_text(quantity)
