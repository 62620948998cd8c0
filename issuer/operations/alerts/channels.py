"""How alerts reach staff: one protocol, and a module's worth of ways."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from smtplib import SMTPException, SMTPResponseException
from typing import Final, Protocol

import httpx
from django.conf import settings
from django.core.mail import EmailMessage
from standardwebhooks import Webhook

from issuer.operations.alerts.messages import Alert

TIMEOUT_SECONDS: Final = 10


class AlertNotSent(Exception):
    """The other side did not take an alert; whether it got it is not known."""


class AlertChannel(Protocol):
    """Hands alerts over. Handing one over twice must do no harm, for a try may be repeated."""

    def send(self, alert: Alert) -> None:
        """Hand `alert` over.

        Raises:
            AlertNotSent: if the other side did not say that it took it.
        """


@dataclass(frozen=True)
class MailChannel:
    """Mail to the desk; a repeated mail has the Message-ID of the first."""

    sender: str
    recipients: Sequence[str]

    def send(self, alert: Alert) -> None:
        host = self.sender.rpartition("@")[2]
        message = EmailMessage(
            subject=f"[{alert.urgency.label}] {alert.title}",
            body=alert.as_text(),
            from_email=self.sender,
            to=list(self.recipients),
            headers={"Message-ID": f"<{alert.id}@{host}>", "Auto-Submitted": "auto-generated"},
        )
        try:
            taken = message.send()
        except (SMTPException, OSError) as problem:
            # What the server says may name people, and how we log in.
            code = problem.smtp_code if isinstance(problem, SMTPResponseException) else ""
            what = f"{type(problem).__name__} {code}".strip()
            raise AlertNotSent(f"The mail server did not take it: {what}.") from problem
        if taken != 1:
            raise AlertNotSent("The mail server took nothing.")


@dataclass(frozen=True)
class WebhookChannel:
    """A signed POST as Standard Webhooks describes it; a repeated one has the same webhook-id."""

    url: str
    secret: str

    def send(self, alert: Alert) -> None:
        body = json.dumps(alert.as_document(), separators=(",", ":"))
        sent_at = datetime.now(UTC)  # the other side compares it with the world's clock
        headers = {
            "content-type": "application/json",
            "webhook-id": alert.id,
            "webhook-timestamp": str(int(sent_at.timestamp())),
            "webhook-signature": Webhook(self.secret).sign(alert.id, sent_at, body),
        }
        try:
            answer = httpx.post(self.url, content=body, headers=headers, timeout=TIMEOUT_SECONDS)
        except httpx.HTTPError as problem:
            what = type(problem).__name__  # its text may repeat the address, which may be a secret
            raise AlertNotSent(f"It did not answer: {what}.") from None
        if not answer.is_success:
            raise AlertNotSent(f"It answered {answer.status_code}.")


def configured() -> Mapping[str, AlertChannel]:
    """Return the channels that the settings name, by the name under which deliveries keep them."""
    channels: dict[str, AlertChannel] = {}
    if settings.ALERT_MAIL_TO:
        channels["mail"] = MailChannel(settings.DEFAULT_FROM_EMAIL, settings.ALERT_MAIL_TO)
    if settings.ALERT_WEBHOOK_URL:
        channels["webhook"] = WebhookChannel(
            settings.ALERT_WEBHOOK_URL, settings.ALERT_WEBHOOK_SECRET
        )
    return channels
