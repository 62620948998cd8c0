"""How the holder of an address proves to control it, per chain namespace."""

import re
from collections.abc import Mapping
from typing import Final, Protocol

from issuer.foundation import identifiers
from issuer.parties.errors import NamespaceUnsupported, SignatureMalformed, SignatureMismatch

SIGNATURE: Final = re.compile(r"0x[0-9a-fA-F]{130}")  # r, s and v: 65 bytes
#: Half the order of secp256k1: of the two forms of a signature, (r, s) and (r, n - s), only the
#: one with the smaller s is accepted (EIP-2), so that nobody can make a second out of a first.
S_MAX: Final = 0x7FFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFF_5D576E73_57A4501D_DFE92F46_681B20A0
RECOVERY_IDS: Final = frozenset({0, 1, 27, 28})  # hardware wallets leave the 27 out


class OwnershipProof(Protocol):
    """Checks addresses and signed messages of one chain namespace."""

    def normalized(self, address: str) -> str:
        """Return `address` in the one form it is stored in; raises `Malformed`."""

    def check(self, message: str, *, address: str, signature: str) -> None:
        """Refuse unless the holder of `address` signed `message`.

        Raises `SignatureMalformed` or `SignatureMismatch`.
        """


class PersonalMessage:
    """Accounts with a key of their own on EVM chains, by EIP-191 personal messages.

    Contract accounts (EIP-1271) have no key to recover; they are refused as a mismatch.
    """

    def normalized(self, address: str) -> str:
        return identifiers.evm_address(address)

    def check(self, message: str, *, address: str, signature: str) -> None:
        # Here, for it takes over a second to import, and few processes ever check a signature.
        from eth_account import Account
        from eth_account.messages import encode_defunct
        from eth_keys.exceptions import BadSignature

        if not SIGNATURE.fullmatch(signature):
            raise SignatureMalformed("A signature is 0x and 130 hex digits: r, s and v.")
        raw = bytes.fromhex(signature[2:])
        s, v = int.from_bytes(raw[32:64], "big"), raw[64]
        if v not in RECOVERY_IDS:
            raise SignatureMalformed("The last byte of a signature is 27 or 28.")
        if s > S_MAX:
            raise SignatureMalformed("The s of the signature is not the smaller of the two.")
        try:
            signer = Account.recover_message(encode_defunct(text=message), signature=raw)
        except BadSignature as exc:
            raise SignatureMalformed("No key can have made this signature.") from exc
        if signer != address:
            raise SignatureMismatch(f"{address} did not sign this message.", address=address)


_PROOF_OF_NAMESPACE: Final[Mapping[str, OwnershipProof]] = {"eip155": PersonalMessage()}


def proof_for(namespace: str) -> OwnershipProof:
    """Return how addresses of the CAIP-2 `namespace` are proved.

    Raises:
        NamespaceUnsupported: if they cannot be.
    """
    if namespace not in _PROOF_OF_NAMESPACE:
        detail = f"Wallets of {namespace[:32]!r} cannot be bound; those of eip155 can."
        raise NamespaceUnsupported(detail, namespace=namespace[:32])
    return _PROOF_OF_NAMESPACE[namespace]
