"""What `manage.py check --deploy` asks of this installation, beside what Django asks."""

from typing import Any

from django.core.checks import CheckMessage, Error

from issuer.operations.alerts import channels

NOBODY_IS_ALERTED = Error(
    "No channel for alerts is configured: of a halt or a grave break nobody would be told.",
    hint="Set ALERT_MAIL_TO, or ALERT_WEBHOOK_URL and ALERT_WEBHOOK_SECRET.",
    id="operations.E001",
)


def check_alerts_reach_somebody(**_scope: Any) -> list[CheckMessage]:
    """Report an installation that would keep its alarms to itself."""
    return [] if channels.configured() else [NOBODY_IS_ALERTED]
