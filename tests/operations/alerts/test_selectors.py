"""What nobody was told, and which channels fail."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from issuer.events.models import Event
from issuer.foundation.actors import Actor
from issuer.operations.alerts import selectors, services
from issuer.operations.alerts.selectors import FailingChannel, Untold

Happen = Callable[..., Event]
pytestmark = pytest.mark.django_db(transaction=True)


def try_by(channel: str, problem: str, *, actor: Actor, at: datetime) -> None:
    delivery = services.begin_try(channel, actor=actor, at=at)
    assert delivery is not None
    if problem:
        services.record_failure(delivery.pk, problem=problem, actor=actor, at=at)
    else:
        services.record_sent(delivery.pk, actor=actor, at=at)


class TestUntold:
    def test_is_empty_while_a_first_try_is_ahead(
        self, happen: Happen, system: Actor, at: datetime
    ) -> None:
        happen()
        services.raise_alerts(channels=["mail"], actor=system, at=at)

        assert selectors.untold() == []

    def test_has_what_found_no_channel(self, happen: Happen, system: Actor, at: datetime) -> None:
        event = happen("break.opened", code="UNA-MINT", token="AAPLx", severity="CRITICAL")
        services.raise_alerts(channels=[], actor=system, at=at)

        assert selectors.untold() == [
            Untold("Break UNA-MINT on AAPLx", event.occurred_at, services.NO_CHANNEL)
        ]

    def test_has_once_what_every_channel_failed_to_tell(
        self, happen: Happen, system: Actor, at: datetime
    ) -> None:
        happen()
        services.raise_alerts(channels=["mail", "webhook"], actor=system, at=at)
        try_by("mail", "It answered 500.", actor=system, at=at)
        try_by("webhook", "It answered 500.", actor=system, at=at + timedelta(hours=24))

        [alert] = selectors.untold()

        assert alert.problem == "It answered 500."

    def test_ends_when_one_channel_has_told_it(
        self, happen: Happen, system: Actor, at: datetime
    ) -> None:
        happen()
        services.raise_alerts(channels=["mail", "webhook"], actor=system, at=at)
        try_by("webhook", "It answered 500.", actor=system, at=at)
        try_by("mail", "", actor=system, at=at)

        assert selectors.untold() == []
        assert selectors.failing_channels() == [FailingChannel("webhook", 1, "It answered 500.")]

    def test_ends_when_somebody_has_read_it(
        self, happen: Happen, system: Actor, staff: Actor, at: datetime
    ) -> None:
        event = happen()
        services.raise_alerts(channels=[], actor=system, at=at)

        services.acknowledge(event_ids=[event.pk], actor=staff, at=at)

        assert selectors.untold() == []
        assert selectors.failing_channels() == []


class TestChannelsDue:
    def test_names_each_once(self, happen: Happen, system: Actor, at: datetime) -> None:
        happen()
        happen()
        services.raise_alerts(channels=["webhook", "mail"], actor=system, at=at)
        try_by("mail", "No.", actor=system, at=at)

        assert selectors.channels_due(at=at) == ["webhook"]
        assert selectors.channels_due(at=at + timedelta(seconds=10)) == ["mail", "webhook"]
