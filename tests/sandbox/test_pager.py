"""The pager of the demo world, with alerts as the house sends them."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from pytest_django import Settings

from issuer.operations.alerts.channels import AlertNotSent, WebhookChannel
from issuer.operations.alerts.messages import Alert, Urgency
from issuer.sandbox import pager

ALERT = Alert("a-1", Urgency.NOW, "Break UNA-MINT on AAPLx", {}, "2026-11-20T15:00:00Z", "/admin/")


@pytest.fixture
def url(settings: Settings, tmp_path: Path) -> Iterator[str]:
    settings.DATA_DIR = tmp_path
    with pager.serve(0) as server:
        yield f"http://127.0.0.1:{server.server_address[1]}/"
        server.shutdown()


class TestServe:
    def test_notes_an_alert_once(self, url: str, settings: Settings) -> None:
        channel = WebhookChannel(url, settings.ALERT_WEBHOOK_SECRET)

        channel.send(ALERT)
        channel.send(ALERT)

        assert [alert["data"]["title"] for alert in pager.received()] == ["Break UNA-MINT on AAPLx"]

    def test_takes_nothing_that_is_not_signed(self, url: str) -> None:
        assert httpx.post(url, json={"data": {"id": "1"}}).status_code == 401
        assert pager.received() == []

    def test_takes_nothing_that_another_signed(self, url: str) -> None:
        with pytest.raises(AlertNotSent, match="401"):
            WebhookChannel(url, "whsec_c29tZWJvZHkgZWxzZQ==").send(ALERT)

        assert pager.received() == []
