"""Questions about API keys."""

from datetime import datetime
from typing import Final

from issuer.api import errors, keys
from issuer.api.models import ApiKey
from issuer.foundation import canonical

#: Compared with when no key has the prefix, so that the time taken does not tell prefixes apart.
_NO_HASH: Final = "0" * 64


def key_in_force(text: str, *, at: datetime) -> ApiKey:
    """Return the key that `text` is, with its participant, if it may be used at `at`.

    Only who has the secret learns why a key may not be used.

    Raises:
        KeyInvalid: if it is none that was issued.
        KeyRevoked, KeyExpired: if it was one.
    """
    invalid = errors.KeyInvalid("No such key was issued; check that it was copied whole.")
    plain = keys.parse(text)
    if plain is None:
        raise invalid
    key = (
        ApiKey.objects.select_related("participant__entity", "participant__program__spv")
        .filter(prefix=plain.prefix)
        .first()
    )
    if not plain.matches(_NO_HASH if key is None else key.secret_hash) or key is None:
        raise invalid
    if key.revoked_at is not None:
        revoked_at = canonical.timestamp(key.revoked_at)
        raise errors.KeyRevoked("Ask for a new key.", revoked_at=revoked_at)
    if key.expires_at <= at:
        expired_at = canonical.timestamp(key.expires_at)
        raise errors.KeyExpired("Ask for a new key.", expired_at=expired_at)
    return key
