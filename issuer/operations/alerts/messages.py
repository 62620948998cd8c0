"""Which events are alerts, and what an alert says; never more than the public may read."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from django.conf import settings
from django.db import models

from issuer.events.models import Event
from issuer.reconciliation.states import Severity


class Urgency(models.TextChoices):
    """How soon somebody has to look."""

    NOW = "NOW", "Now"
    TODAY = "TODAY", "Today"


@dataclass(frozen=True, slots=True)
class Alert:
    """What a channel hands over; `id` is the same each time one delivery is tried."""

    id: str
    urgency: Urgency
    title: str
    facts: Mapping[str, str]
    occurred_at: str
    url: str

    def as_text(self) -> str:
        """Return the alert as plain text, for people."""
        lines = [
            f"{name.replace('_', ' ').capitalize()}: {self.facts[name]}" for name in self.facts
        ]
        return "\n".join([self.title, "", *lines, f"When: {self.occurred_at}", "", self.url, ""])

    def as_document(self) -> dict[str, object]:
        """Return the alert as JSON has it, for machines."""
        return {
            "type": "alert",
            "timestamp": self.occurred_at,
            "data": {
                "id": self.id,
                "urgency": self.urgency.value,
                "title": self.title,
                "facts": dict(self.facts),
                "url": self.url,
            },
        }


#: Title and urgency of the events that are told; a title is filled in from the event's data.
_TOLD: Final[Mapping[str, tuple[str, Urgency]]] = {
    "gate.hold_placed": ("Minting is held shut: {scope_name}", Urgency.NOW),
    "gate.resumed": ("Minting goes on again: {scope_name}", Urgency.TODAY),
    "break.opened": ("Break {code} on {token}", Urgency.NOW),
    "break.regraded": ("Break {code} on {token} is graver now: {severity}", Urgency.NOW),
    "signer.nonce_missing": ("Nonce {nonce} of {address} is missing: send it", Urgency.NOW),
    "stock_split.trouble": ("The split of {token} cannot be booked", Urgency.NOW),
    "attestation.published": ("Statement {sequence} is published: {status}", Urgency.TODAY),
    "attestation.overtaken": ("Statement {sequence} was declined by itself", Urgency.NOW),
    "attestation.withheld": ("What got worse in {program} cannot be stated", Urgency.NOW),
    "attestation.publishing_failed": ("Statement {sequence} cannot be published", Urgency.NOW),
}
#: Breaks of other severities wait for the desk to look at its screen anyway.
_SEVERITIES_TOLD: Final = frozenset({Severity.CRITICAL, Severity.HIGH})


def is_told(event: Event) -> bool:
    """Say whether staff are alerted to `event`."""
    if event.type == "break.opened":
        return event.data.get("severity") in _SEVERITIES_TOLD
    if event.type == "break.regraded":
        return event.data["severity"] in _SEVERITIES_TOLD and _is_graver(event)
    return event.type in _TOLD


def alert_of(event: Event, *, delivery_id: str) -> Alert:
    """Return what is said of an event that is told."""
    return Alert(
        id=delivery_id,
        urgency=_TOLD[event.type][1],
        title=title_of(event),
        facts={name: value for name, value in event.data.items() if value},
        occurred_at=f"{event.occurred_at:%Y-%m-%dT%H:%M:%SZ}",
        url=f"{settings.PUBLIC_URL}/admin/",
    )


def title_of(event: Event) -> str:
    """Return the one line that is said of an event that is told."""
    return _TOLD[event.type][0].format_map(_Said(event.data))


def _is_graver(event: Event) -> bool:
    gravest_first = Severity.values
    severity, before = event.data["severity"], event.data["severity_before"]
    return gravest_first.index(severity) < gravest_first.index(before)


class _Said(dict[str, str]):
    """The data of an event; what it does not say is left open."""

    def __missing__(self, _name: str) -> str:
        return "–"
