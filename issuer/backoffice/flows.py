"""How much of what is under way, and where it is listed."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeVar

from django.db.models import Count, QuerySet, TextChoices

from issuer.backoffice.navigation import record_url
from issuer.chain.models import TransactionIntent
from issuer.chain.states import LIVE_STATES, IntentKind
from issuer.corporate_actions.models import StockSplit
from issuer.corporate_actions.states import FINAL_STATES as SPLITS_OVER
from issuer.corporate_actions.states import SplitState
from issuer.primary_market.models import Deposit, IssuanceRequest, RedemptionRequest
from issuer.primary_market.states import (
    ENDED_STATES,
    FINAL_STATES,
    DepositState,
    IssuanceState,
    RedemptionState,
)

Request = TypeVar("Request", IssuanceRequest, RedemptionRequest, StockSplit)


@dataclass(frozen=True, slots=True)
class Flow:
    """How many of something are under way, and where they are listed."""

    count: int
    what: str
    url: str


def flows() -> Iterator[Flow]:
    """Return what is under way, in the order in which it gets done."""
    issuances = IssuanceRequest.objects.exclude(state__in=FINAL_STATES)
    yield from _by_state(issuances, IssuanceState, "issuance", "issuances")
    redemptions = RedemptionRequest.objects.exclude(state__in=ENDED_STATES)
    yield from _by_state(redemptions, RedemptionState, "redemption", "redemptions")
    splits = StockSplit.objects.exclude(state__in=SPLITS_OVER)
    yield from _by_state(splits, SplitState, "split", "splits")
    yield from _not_final()
    waiting = Deposit.objects.filter(state__in=[DepositState.UNMATCHED, DepositState.QUARANTINED])
    if count := waiting.count():
        what = "deposit unmatched" if count == 1 else "deposits unmatched"
        yield Flow(count, what, record_url(Deposit._meta.label_lower))


def _by_state(
    requests: QuerySet[Request], states: type[TextChoices], one: str, many: str
) -> Iterator[Flow]:
    counts = dict(requests.order_by().values_list("state").annotate(count=Count("pk")))
    listing = record_url(requests.model._meta.label_lower)
    for state in states:
        if count := counts.get(state):
            what = f"{one if count == 1 else many} {state.label.lower()}"
            yield Flow(count, what, f"{listing}?state__exact={state}")


def _not_final() -> Iterator[Flow]:
    """Count the transactions that the chains may still carry out: mints, burns, the others."""
    live = TransactionIntent.objects.filter(state__in=sorted(LIVE_STATES)).order_by()
    counts = dict(live.values_list("kind").annotate(count=Count("pk")))
    listing = record_url(TransactionIntent._meta.label_lower)
    named = {IntentKind.MINT: "mint", IntentKind.BURN: "burn"}
    for kind, name in named.items():
        if count := counts.pop(kind, 0):
            what = f"{name if count == 1 else name + 's'} not final"
            yield Flow(count, what, f"{listing}?kind__exact={kind}")
    if others := sum(counts.values()):
        what = "transaction not final" if others == 1 else "other transactions not final"
        yield Flow(others, what, listing)
