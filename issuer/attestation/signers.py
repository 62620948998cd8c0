"""What the house needs of whoever keeps the key that signs statements, and the key on this disk."""

import hashlib
from typing import Protocol

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.conf import settings

from issuer.attestation.errors import SigningKeyUnusable


class StatementSigner(Protocol):
    """Signs with one Ed25519 key (RFC 8032), which never leaves it."""

    @property
    def public_key(self) -> bytes:
        """The 32 bytes that signatures are checked with."""

    def sign(self, message: bytes) -> bytes:
        """Return the 64 bytes of the signature over `message`; always the same for the same one.

        Raises:
            SigningKeyUnusable: if the keeper of the key does not answer, or refuses.
        """


class LocalKeySigner:
    """A `StatementSigner` whose key is a secret of this installation."""

    def __init__(self, private_key_hex: str) -> None:
        """Take the key: 32 bytes, in hex.

        Raises:
            SigningKeyUnusable: if they are anything else.
        """
        try:
            self._key = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(private_key_hex))
        except ValueError:
            # The cause is left out, because it may quote the secret.
            raise SigningKeyUnusable("ATTESTATION_KEY must be 32 bytes in hex.") from None

    @property
    def public_key(self) -> bytes:
        return self._key.public_key().public_bytes_raw()

    def sign(self, message: bytes) -> bytes:
        return self._key.sign(message)


def configured() -> StatementSigner:
    """Return the signer that the settings name.

    Raises:
        SigningKeyUnusable: if they name none that can be used.
    """
    return LocalKeySigner(settings.ATTESTATION_KEY)


def key_id(public_key: bytes) -> str:
    """Return the name of a key: the first 16 hex digits of its SHA-256."""
    return hashlib.sha256(public_key).hexdigest()[:16]
