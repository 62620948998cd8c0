"""Partners at the door, for tests."""

import json
from datetime import datetime, timedelta
from typing import Any

from django.test import Client

from issuer.api import services
from issuer.api.models import ApiKey, Scope
from issuer.foundation.actors import system
from issuer.foundation.identifiers import uuid7
from issuer.parties.models import AuthorizedParticipant
from tests.make import parties


def key(
    participant_: AuthorizedParticipant | None = None,
    *,
    scopes: tuple[Scope, ...] = (Scope.READ, Scope.TRADE),
    at: datetime,
    lifetime: timedelta = timedelta(days=90),
) -> tuple[ApiKey, str]:
    """Return a key and its text, as its owner has it."""
    return services.issue_key(
        participant=participant_ or parties.participant(),
        label="Trading desk",
        scopes=scopes,
        expires_at=at + lifetime,
        actor=system("make"),
        at=at,
    )


class Partner:
    """A client of the interface with a key, or without."""

    def __init__(self, text: str = "") -> None:
        headers = {"Authorization": f"Bearer {text}"} if text else {}
        self.client = Client(raise_request_exception=False, headers=headers)

    def get(self, path: str, **headers: str) -> Any:
        return self.client.get(f"/api/v1/{path}", headers=headers)

    def post(
        self, path: str, body: Any = None, *, key: str | None = "", raw: bytes | None = None
    ) -> Any:
        """Send a body under an Idempotency-Key: a new one by default, none if that is None."""
        headers = {} if key is None else {"Idempotency-Key": key or str(uuid7())}
        content = json.dumps(body).encode() if raw is None else raw
        return self.client.post(
            f"/api/v1/{path}", content, content_type="application/json", headers=headers
        )


def problem(response: Any) -> tuple[int, str]:
    """Return status and code of a refusal, which must have the media type of one."""
    assert response.headers["Content-Type"] == "application/problem+json", response.content
    document = json.loads(response.content)
    assert document["status"] == response.status_code
    assert document["type"].endswith(f"/problems/{document['code']}")
    return response.status_code, document["code"]
