"""What an API key looks like: `iss_<prefix>_<secret>`, of which only the prefix is ours to know.

The secret has 256 random bits, so a plain SHA-256 of it is as good as a slow hash: there is
nothing to guess.
"""

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from typing import Final

PREFIX_BYTES: Final = 6
SECRET_BYTES: Final = 32
_FORM: Final = re.compile(r"iss_([0-9a-f]{12})_([0-9a-f]{64})")


@dataclass(frozen=True, slots=True)
class PlainKey:
    """A key as its owner has it."""

    prefix: str
    secret: str

    def __str__(self) -> str:
        return f"iss_{self.prefix}_{self.secret}"

    def __repr__(self) -> str:
        return f"PlainKey({self.prefix!r})"  # the secret stands in no log and no traceback

    @property
    def secret_hash(self) -> str:
        """The SHA-256 of the secret, in hex."""
        return hashlib.sha256(self.secret.encode()).hexdigest()

    def matches(self, secret_hash: str) -> bool:
        """Say whether `secret_hash` is of this key, in a time that does not tell how nearly."""
        return hmac.compare_digest(self.secret_hash, secret_hash)


def new() -> PlainKey:
    """Return a key that nobody has."""
    return PlainKey(secrets.token_hex(PREFIX_BYTES), secrets.token_hex(SECRET_BYTES))


def parse(text: str) -> PlainKey | None:
    """Return the key that `text` spells out, or None if it spells none."""
    match = _FORM.fullmatch(text)
    return None if match is None else PlainKey(match[1], match[2])
