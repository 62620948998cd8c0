"""Issuing and revoking keys, and forgetting answers that nobody asks for again."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.db import transaction

from issuer.api import errors, keys
from issuer.api.models import ApiKey, Scope, ServedRequest
from issuer.audit import services as audit
from issuer.foundation import canonical
from issuer.foundation.actors import Actor
from issuer.parties.models import AuthorizedParticipant

LIFETIME_MAX: Final = timedelta(days=366)
#: The answer to a write is repeated for so long; what comes after is a new request.
ANSWERS_KEPT: Final = timedelta(days=7)


@transaction.atomic
def issue_key(
    *,
    participant: AuthorizedParticipant,
    label: str,
    scopes: Sequence[Scope],
    expires_at: datetime,
    actor: Actor,
    at: datetime,
) -> tuple[ApiKey, str]:
    """Issue a key to `participant`; return it and its text, which exists nowhere afterwards.

    Raises:
        KeyLifetimeRefused: if it would be over already, or live longer than a year.
    """
    assert scopes, "a key is for something"
    if not at < expires_at <= at + LIFETIME_MAX:
        raise errors.KeyLifetimeRefused(
            f"A key ends within {LIFETIME_MAX.days} days.",
            expires_at=canonical.timestamp(expires_at),
        )
    plain = keys.new()
    key = ApiKey.objects.create(
        participant=participant,
        label=label,
        prefix=plain.prefix,
        secret_hash=plain.secret_hash,
        scopes=sorted({Scope(scope).value for scope in scopes}),
        issued_by=str(actor),
        issued_at=at,
        expires_at=expires_at,
    )
    audit.record(
        "api_key.issue",
        subject=key,
        actor=actor,
        at=at,
        participant=participant.code,
        prefix=key.prefix,
        scopes=" ".join(key.scopes),
        expires_at=canonical.timestamp(expires_at),
    )
    return key, str(plain)


@transaction.atomic
def revoke_key(key_id: UUID, *, actor: Actor, at: datetime) -> ApiKey:
    """Revoke a key; no request with it is taken from now on.

    Raises:
        KeyRevokedBefore: if it was revoked before.
    """
    key = (
        ApiKey.objects.select_for_update(of=("self",))
        .select_related("participant__entity")
        .get(pk=key_id)
    )
    if key.revoked_at is not None:
        revoked_at = canonical.timestamp(key.revoked_at)
        raise errors.KeyRevokedBefore(f"{key} is revoked already.", revoked_at=revoked_at)
    key.revoked_by, key.revoked_at = str(actor), at
    key.save(update_fields=["revoked_by", "revoked_at"])
    audit.record("api_key.revoke", subject=key, actor=actor, at=at, prefix=key.prefix)
    return key


@transaction.atomic
def forget_served_requests(*, at: datetime) -> int:
    """Forget the answers that were given longer ago than they are kept; return how many.

    They are copies of what other tables hold, so their going is no event of the trail.
    """
    deleted, _ = ServedRequest.objects.filter(served_at__lt=at - ANSWERS_KEPT).delete()
    return deleted
