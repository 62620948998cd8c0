"""What is asked of an installation before it serves."""

from pytest_django import Settings

from issuer.operations.checks import NOBODY_IS_ALERTED, check_alerts_reach_somebody


class TestCheckAlertsReachSomebody:
    def test_reports_that_nobody_would_be_told(self, settings: Settings) -> None:
        settings.ALERT_MAIL_TO, settings.ALERT_WEBHOOK_URL = [], ""

        assert check_alerts_reach_somebody() == [NOBODY_IS_ALERTED]

    def test_is_content_with_one_channel(self, settings: Settings) -> None:
        settings.ALERT_MAIL_TO, settings.ALERT_WEBHOOK_URL = ["desk@issuer.example"], ""

        assert check_alerts_reach_somebody() == []
