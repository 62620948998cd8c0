"""The page of one token: is it covered, by what, on which chains, and on what terms."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render

from issuer.backoffice.gates import is_alarming, named
from issuer.foundation import clock
from issuer.foundation.charts import LineChart
from issuer.gate.models import GateState, Hold
from issuer.gate.selectors import tightest
from issuer.instruments.models import Multiplier, Token
from issuer.people.acts import ActsAdmin
from issuer.reconciliation.history import Low, Span, history_of, standing_since
from issuer.reconciliation.models import Break
from issuer.reconciliation.selectors import BY_SEVERITY
from issuer.reconciliation.states import BreakState
from issuer.reserves.figures import DeploymentFigures, TokenFigures, total, total_known
from issuer.reserves.gates import holds_on, shut_networks
from issuer.reserves.selectors import figures_of, headrooms

#: The box of the chart; a narrow screen draws it smaller.
CHART_WIDTH, CHART_HEIGHT = 720, 160


@dataclass(frozen=True, slots=True)
class CoverLine:
    """Cover over time: the line, and what it goes through: the lows of each period, newest first.

    `spans` are when the token was held shut, or there was no answer.
    """

    unit: str
    chart: LineChart | None
    lows: tuple[tuple[datetime, Low], ...]
    spans: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class Chain:
    """One deployment of the token, and how many whole tokens it may still mint.

    Without an answer to whether the token is covered, there is no headroom: None.
    """

    figures: DeploymentFigures
    headroom: Decimal | None
    shut: bool

    @property
    def excluded(self) -> Decimal | None:
        """Tokens at addresses of the issuer's own."""
        return self._known(one.quantity for one in self.figures.excluded)

    @property
    def unbooked(self) -> Decimal | None:
        """Tokens by which final mints and burns that are not booked changed the supply."""
        minted = self._known(one.quantity for one in self.figures.unbooked)
        burned = self._known(one.quantity for one in self.figures.unbooked_burns)
        return None if minted is None or burned is None else minted - burned

    @property
    def contract_url(self) -> str:
        """Where the chain's explorer shows the contract; empty if it has none."""
        deployment = self.figures.deployment
        explorer = deployment.network.explorer_url
        return f"{explorer}/address/{deployment.address}" if explorer else ""

    @property
    def age_max(self) -> timedelta:
        """How old a final block may be before the chain counts as silent."""
        return timedelta(seconds=self.figures.deployment.network.final_age_max_seconds)

    def _known(self, parts: Iterable[Decimal]) -> Decimal | None:
        return None if self.figures.supply is None else total(parts)


@dataclass(frozen=True, slots=True)
class Term:
    """How many shares a token of a deployment stands for, from when to when."""

    multiplier: Multiplier
    standing: str


def page(request: HttpRequest, token_id: UUID) -> HttpResponse:
    """Show one token.

    Raises:
        PermissionDenied: if the user may not look at tokens.
    """
    model_admin = admin.site.get_model_admin(Token)
    assert isinstance(model_admin, ActsAdmin), "tokens change by acts"
    if not request.user.has_perm("instruments.view_token"):
        raise PermissionDenied
    at = clock.now()
    tokens = Token.objects.select_related("security", "program")
    token = get_object_or_404(tokens, pk=token_id)
    figures = figures_of([token], at=at)[token.pk]
    holds = holds_on([token])[token.pk]
    gate = tightest(GateState(hold.effect) for hold in holds)
    context = {
        **admin.site.each_context(request),
        "title": f"{token.symbol}, {token.name}",
        "token": token,
        "now": at,
        "figures": figures,
        "cover": figures.cover,
        "chains": _chains(figures, holds),
        "redeemable": total_known(one.redeemable for one in figures.deployments),
        "exclusions": [
            (one.deployment, excluded) for one in figures.deployments for excluded in one.excluded
        ],
        "since": standing_since({token.pk: figures.cover.status}).get(token.pk),
        "gate": gate,
        "alarming": is_alarming(figures.cover.status, gate),
        "holds": named(holds),
        "cover_line": _cover_line(token, at),
        "terms": _terms(token, at),
        "splits": token.splits.order_by("-effective_at"),
        "breaks": _open_breaks(token),
        "acts": model_admin.offers(request, token),
    }
    return render(request, "backoffice/token.html", context)


def _chains(figures: TokenFigures, holds: list[Hold]) -> list[Chain]:
    shut = shut_networks(figures, holds)
    rooms = headrooms(figures, shut)
    known = figures.cover.headroom is not None
    return [
        Chain(
            figures=one,
            headroom=rooms[one.deployment.pk] if known else None,
            shut=one.deployment.network_id in shut,
        )
        for one in figures.deployments
    ]


def _cover_line(token: Token, at: datetime) -> CoverLine:
    history = history_of([token], at=at, width=CHART_WIDTH, height=CHART_HEIGHT)
    (line,) = history.tokens
    return CoverLine(
        unit=history.unit,
        chart=line.chart,
        lows=tuple((start, low) for start, (low,) in history.rows),
        spans=history.spans,
    )


def _terms(token: Token, at: datetime) -> list[Term]:
    """Return the multipliers of every deployment, past and scheduled, the newest first."""
    multipliers = (
        Multiplier.objects.filter(deployment__token=token)
        .select_related("deployment__network", "deployment__token")
        .order_by("deployment__network__caip2", "-effective")
    )
    return [Term(one, _standing(one, at)) for one in multipliers]


def _standing(multiplier: Multiplier, at: datetime) -> str:
    """Return whether a multiplier is over, in force or to come, in a word."""
    start, end = multiplier.effective.lower, multiplier.effective.upper
    if start > at:
        return "scheduled"
    return "in force" if end is None or at < end else "over"


def _open_breaks(token: Token) -> QuerySet[Break]:
    breaks = Break.objects.filter(token=token, state=BreakState.OPEN)
    return breaks.order_by(BY_SEVERITY, "opened_at", "id")
