"""How much of what is under way, and where it is listed."""

from collections.abc import Iterator
from dataclasses import dataclass

from django.db.models import Count

from issuer.backoffice.navigation import record_url
from issuer.chain.models import TransactionIntent
from issuer.chain.states import LIVE_STATES
from issuer.primary_market.models import IssuanceRequest
from issuer.primary_market.states import FINAL_STATES, IssuanceState


@dataclass(frozen=True, slots=True)
class Flow:
    """How many of something are under way, and where they are listed."""

    count: int
    what: str
    url: str


def flows() -> Iterator[Flow]:
    """Return what is under way, in the order in which it gets done."""
    requests = IssuanceRequest.objects.exclude(state__in=FINAL_STATES).order_by()
    counts = dict(requests.values_list("state").annotate(count=Count("pk")))
    listing = record_url(IssuanceRequest._meta.label_lower)
    for state in IssuanceState:
        if count := counts.get(state):
            what = f"{'issuance' if count == 1 else 'issuances'} {state.label.lower()}"
            yield Flow(count, what, f"{listing}?state__exact={state}")
    live = TransactionIntent.objects.filter(state__in=sorted(LIVE_STATES)).count()
    if live:
        what = "mint not final" if live == 1 else "mints not final"
        yield Flow(live, what, record_url(TransactionIntent._meta.label_lower))
