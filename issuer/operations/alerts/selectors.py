"""Questions about what staff were told, and what not."""

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Exists, OuterRef, Q

from issuer.operations.alerts.messages import title_of
from issuer.operations.alerts.states import DeliveryState
from issuer.operations.models import AlertDelivery

_TOLD = [DeliveryState.SENT, DeliveryState.ACKNOWLEDGED]
#: Nobody to tell, given up, or tried in vain so far.
_UNTAKEN = Q(state__in=[DeliveryState.UNADDRESSED, DeliveryState.ABANDONED]) | (
    Q(state=DeliveryState.PENDING) & ~Q(problem="")
)


@dataclass(frozen=True, slots=True)
class Untold:
    """An alert that no channel has handed over, and nobody on staff has read."""

    title: str
    occurred_at: datetime
    problem: str


@dataclass(frozen=True, slots=True)
class FailingChannel:
    """A channel that others had to stand in for: how often, and what hindered it last."""

    name: str
    count: int
    problem: str


def channels_due(*, at: datetime) -> list[str]:
    """Return the channels by which something is due."""
    due = AlertDelivery.objects.filter(state=DeliveryState.PENDING, due_at__lte=at)
    return sorted(due.order_by().values_list("channel", flat=True).distinct())


def untold() -> list[Untold]:
    """Return the alerts that were told to nobody, the newest first."""
    found: dict[object, Untold] = {}
    rows = AlertDelivery.objects.filter(_UNTAKEN, ~_told_elsewhere()).select_related("event")
    for row in rows.order_by("-event_id", "pk"):
        found.setdefault(
            row.event_id, Untold(title_of(row.event), row.event.occurred_at, row.problem)
        )
    return list(found.values())


def failing_channels() -> list[FailingChannel]:
    """Return the channels that did not hand over what others did."""
    failing = AlertDelivery.objects.filter(_UNTAKEN, _told_elsewhere())
    counted = failing.order_by().values("channel").annotate(count=Count("pk"))
    return [
        FailingChannel(
            name=row["channel"],
            count=row["count"],
            problem=failing.filter(channel=row["channel"]).latest("pk").problem,
        )
        for row in counted.order_by("channel")
    ]


def _told_elsewhere() -> Exists:
    return Exists(AlertDelivery.objects.filter(event=OuterRef("event"), state__in=_TOLD))
