"""One contract for every channel, against a mail server and a receiver that are really there."""

import json
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
from django.core import mail
from pytest_django import Settings
from standardwebhooks import Webhook, WebhookVerificationError

from issuer.operations.alerts import channels
from issuer.operations.alerts.channels import AlertNotSent, MailChannel, WebhookChannel
from issuer.operations.alerts.messages import Alert, Urgency

SECRET = "whsec_dGhlIHNlY3JldCBvZiB0aGUgdGVzdHM="
ALERT = Alert(
    id="0197a1de-0000-7000-8000-00000000a11a",
    urgency=Urgency.NOW,
    title="Break UNA-MINT on AAPLx",
    facts={"code": "UNA-MINT", "token": "AAPLx", "quantity": "5"},
    occurred_at="2026-11-20T15:00:00Z",
    url="https://issuer.example/admin/",
)


class Receiver(ThreadingHTTPServer):
    """Keeps what is posted to it, and answers with `status`."""

    status = 204

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.posted: list[tuple[dict[str, str], bytes]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/alerts"


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.posted.append((dict(self.headers), body))
        self.send_response(self.server.status)
        self.end_headers()

    def log_message(self, *_words: Any) -> None:
        pass


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


class TestMailChannel:
    CHANNEL = MailChannel("issuer@issuer.example", ["desk@issuer.example", "ceo@issuer.example"])

    def test_says_what_happened_in_plain_words(self) -> None:
        self.CHANNEL.send(ALERT)

        [sent] = mail.outbox
        assert sent.subject == "[Now] Break UNA-MINT on AAPLx"
        assert sent.to == ["desk@issuer.example", "ceo@issuer.example"]
        assert sent.body == (
            "Break UNA-MINT on AAPLx\n\nCode: UNA-MINT\nToken: AAPLx\nQuantity: 5\n"
            "When: 2026-11-20T15:00:00Z\n\nhttps://issuer.example/admin/\n"
        )

    def test_repeats_itself_under_one_message_id(self) -> None:
        self.CHANNEL.send(ALERT)
        self.CHANNEL.send(ALERT)

        ids = {sent.extra_headers["Message-ID"] for sent in mail.outbox}
        assert ids == {f"<{ALERT.id}@issuer.example>"}

    def test_says_that_no_server_took_it(self, settings: Settings) -> None:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 9

        with pytest.raises(AlertNotSent, match=r"did not take it: ConnectionRefusedError\.$"):
            self.CHANNEL.send(ALERT)


class TestWebhookChannel:
    def test_is_signed_as_standard_webhooks_says(self, receiver: Receiver) -> None:
        WebhookChannel(receiver.url, SECRET).send(ALERT)

        [(headers, body)] = receiver.posted
        assert Webhook(SECRET).verify(body, headers) == json.loads(body) == ALERT.as_document()
        assert {name.lower(): value for name, value in headers.items()}["webhook-id"] == ALERT.id

    def test_does_not_check_once_it_is_changed(self, receiver: Receiver) -> None:
        WebhookChannel(receiver.url, SECRET).send(ALERT)

        [(headers, body)] = receiver.posted
        with pytest.raises(WebhookVerificationError):
            Webhook(SECRET).verify(body.replace(b"AAPLx", b"TSLAx"), headers)

    def test_says_what_the_other_side_answered(self, receiver: Receiver) -> None:
        receiver.status = 503

        with pytest.raises(AlertNotSent, match=r"It answered 503\."):
            WebhookChannel(receiver.url, SECRET).send(ALERT)

    def test_says_that_nobody_is_there_but_not_where(self) -> None:
        with pytest.raises(AlertNotSent, match=r"^It did not answer: ConnectError\.$"):
            WebhookChannel("http://127.0.0.1:9/s3cret", SECRET).send(replace(ALERT, facts={}))


class TestConfigured:
    def test_names_those_that_the_settings_name(self, settings: Settings) -> None:
        settings.ALERT_MAIL_TO = ["desk@issuer.example"]
        settings.DEFAULT_FROM_EMAIL = "issuer@issuer.example"
        settings.ALERT_WEBHOOK_URL, settings.ALERT_WEBHOOK_SECRET = "https://pager.example/", SECRET

        assert channels.configured() == {
            "mail": MailChannel("issuer@issuer.example", ["desk@issuer.example"]),
            "webhook": WebhookChannel("https://pager.example/", SECRET),
        }

    def test_is_empty_where_they_name_none(self, settings: Settings) -> None:
        settings.ALERT_MAIL_TO, settings.ALERT_WEBHOOK_URL = [], ""

        assert channels.configured() == {}
