"""Everything that writes statements of reserves."""

from issuer.attestation.services._events import attest_event
from issuer.attestation.services._publication import assemble, publish, register_key, sign
from issuer.attestation.services._statements import (
    CONFIRM_PERMISSION,
    PROPOSE_PERMISSION,
    PUBLISH,
    confirm,
    decline,
    payload_of,
    propose,
    propose_correction,
)

__all__ = [
    "CONFIRM_PERMISSION",
    "PROPOSE_PERMISSION",
    "PUBLISH",
    "assemble",
    "attest_event",
    "confirm",
    "decline",
    "payload_of",
    "propose",
    "propose_correction",
    "publish",
    "register_key",
    "sign",
]
