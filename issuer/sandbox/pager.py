"""The desk's pager in the demo world: takes signed alerts, and notes those that check."""

import json
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

from django.conf import settings
from standardwebhooks import Webhook, WebhookVerificationError

HOST: Final = "127.0.0.1"


def notes() -> Path:
    """Return the file in which the pager notes alerts, one JSON document a line."""
    return Path(settings.DATA_DIR) / "sandbox" / "pager.jsonl"


def received() -> list[dict[str, Any]]:
    """Return the alerts that the pager has shown, the oldest first."""
    path = notes()
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


class _Pager(BaseHTTPRequestHandler):
    """One request; an alert that comes again is noted once."""

    _lock: Final = threading.Lock()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", "0")))
        try:
            alert = Webhook(settings.ALERT_WEBHOOK_SECRET).verify(body, dict(self.headers))
        except WebhookVerificationError:
            self._answer(HTTPStatus.UNAUTHORIZED)
            return
        with self._lock:
            if alert["data"]["id"] not in {known["data"]["id"] for known in received()}:
                with notes().open("a", encoding="utf-8") as file:
                    file.write(f"{json.dumps(alert)}\n")
        self._answer(HTTPStatus.NO_CONTENT)

    def log_message(self, *_words: object) -> None:
        """Say nothing: the one who sends has it in the log."""

    def _answer(self, status: HTTPStatus) -> None:
        self.send_response(status)
        self.end_headers()


def serve(port: int) -> ThreadingHTTPServer:
    """Switch the pager on, beside whatever else the process does; return the server."""
    notes().parent.mkdir(parents=True, exist_ok=True)
    server = ThreadingHTTPServer((HOST, port), _Pager)
    threading.Thread(target=server.serve_forever, name="pager", daemon=True).start()
    return server
