"""Encryption of personal data: a key per party, and a master key that wraps them all.

AES-256-GCM throughout. What is encrypted is bound to the row it belongs to, so that a ciphertext
that was moved to another row does not decrypt there. Destroying the wrapped key of a party
destroys all that was encrypted under it, in every backup too.
"""

import os
from functools import cache
from typing import Final
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from issuer.kyc.errors import EvidenceUnreadable

KEY_BITS: Final = 256
NONCE_BYTES: Final = 12  # NIST SP 800-38D: random nonces of 96 bits
#: 32 random bytes in hex or base64 are longer; a password that somebody made up seldom is.
MASTER_SECRET_LENGTH_MIN: Final = 43


class DataCipher:
    """Encrypts and decrypts under the key of one party."""

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(key)

    def encrypt(self, plaintext: bytes, *, row: UUID) -> bytes:
        """Return `plaintext` encrypted for the row with the id `row`: nonce, ciphertext, tag."""
        nonce = os.urandom(NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, plaintext, row.bytes)

    def decrypt(self, ciphertext: bytes, *, row: UUID) -> bytes:
        """Return what was encrypted for the row with the id `row`.

        Raises:
            EvidenceUnreadable: if it was encrypted under another key, for another row, or changed.
        """
        try:
            return self._cipher.decrypt(
                ciphertext[:NONCE_BYTES], ciphertext[NONCE_BYTES:], row.bytes
            )
        except InvalidTag as exc:
            raise EvidenceUnreadable("The stored bytes do not decrypt under this key.") from exc


def new_wrapped_key(*, entity: UUID) -> bytes:
    """Return a new key for `entity`, wrapped by the master key."""
    return _master().encrypt(AESGCM.generate_key(KEY_BITS), row=entity)


def unwrapped(wrapped_key: bytes, *, entity: UUID) -> DataCipher:
    """Return what encrypts under the key of `entity`.

    Raises:
        EvidenceUnreadable: if another master key wrapped it, or it is another entity's.
    """
    return DataCipher(_master().decrypt(wrapped_key, row=entity))


def check_master_secret() -> None:
    """Refuse to start with a master secret that can be guessed."""
    if len(settings.KYC_MASTER_KEY) < MASTER_SECRET_LENGTH_MIN:
        message = (
            f"KYC_MASTER_KEY must have at least {MASTER_SECRET_LENGTH_MIN} characters;"
            " write 32 random bytes in hex."
        )
        raise ImproperlyConfigured(message)


def _master() -> DataCipher:
    return _derived(settings.KYC_MASTER_KEY)


@cache
def _derived(secret: str) -> DataCipher:
    # The secret is text of any length; HKDF (RFC 5869) makes a key of it, for this use alone.
    key = HKDF(SHA256(), length=KEY_BITS // 8, salt=None, info=b"issuer kyc data keys")
    return DataCipher(key.derive(secret.encode()))
