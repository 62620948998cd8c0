"""What is said of which event."""

from collections.abc import Callable

import pytest

from issuer.events.models import Event
from issuer.operations.alerts.messages import Urgency, alert_of, is_told

Happen = Callable[..., Event]


@pytest.mark.django_db
class TestIsTold:
    @pytest.mark.parametrize(
        ("severity", "told"), [("CRITICAL", True), ("HIGH", True), ("MEDIUM", False)]
    )
    def test_of_breaks_only_for_grave_ones(self, happen: Happen, severity: str, told: bool) -> None:
        assert is_told(happen("break.opened", severity=severity)) is told

    @pytest.mark.parametrize(
        ("before", "severity", "told"),
        [
            ("INFO", "HIGH", True),
            ("HIGH", "CRITICAL", True),
            ("CRITICAL", "HIGH", False),
            ("INFO", "MEDIUM", False),
        ],
    )
    def test_of_breaks_that_got_graver(
        self, happen: Happen, before: str, severity: str, told: bool
    ) -> None:
        event = happen("break.regraded", severity=severity, severity_before=before)

        assert is_told(event) is told

    def test_of_a_gap_in_the_nonces_of_an_account(self, happen: Happen) -> None:
        event = happen("signer.nonce_missing", address="0x12", nonce="7")

        assert is_told(event)
        assert alert_of(event, delivery_id="d-1").title == "Nonce 7 of 0x12 is missing: send it"

    def test_of_a_split_that_cannot_be_booked(self, happen: Happen) -> None:
        event = happen("stock_split.trouble", token="NVDAx", reason="A fraction.")

        assert is_told(event)
        assert alert_of(event, delivery_id="d-1").title == "The split of NVDAx cannot be booked"

    def test_not_for_the_daily_business(self, happen: Happen) -> None:
        assert not is_told(happen("issuance.completed"))


@pytest.mark.django_db
class TestAlertOf:
    def test_fills_the_title_from_the_event(self, happen: Happen) -> None:
        event = happen("break.opened", code="UNA-MINT", token="AAPLx", severity="CRITICAL")

        alert = alert_of(event, delivery_id="d-1")

        assert (alert.id, alert.urgency) == ("d-1", Urgency.NOW)
        assert alert.title == "Break UNA-MINT on AAPLx"
        assert alert.facts == {"code": "UNA-MINT", "token": "AAPLx", "severity": "CRITICAL"}
        assert alert.occurred_at == "2026-11-20T15:00:00Z"

    def test_leaves_open_what_the_event_does_not_say(self, happen: Happen) -> None:
        assert alert_of(happen(), delivery_id="d-1").title == "Minting is held shut: –"
