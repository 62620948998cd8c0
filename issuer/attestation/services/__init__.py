"""Everything that writes statements of reserves."""

from issuer.attestation.services._events import attest_event, record_withheld
from issuer.attestation.services._overtaking import decline_overtaken, worse_since
from issuer.attestation.services._publication import (
    assemble,
    publish,
    record_failure,
    register_key,
    sign,
)
from issuer.attestation.services._statements import (
    CONFIRM_PERMISSION,
    PROPOSE_PERMISSION,
    PUBLISH,
    confirm,
    decline,
    payload_of,
    propose,
    propose_correction,
    withdraw,
)

__all__ = [
    "CONFIRM_PERMISSION",
    "PROPOSE_PERMISSION",
    "PUBLISH",
    "assemble",
    "attest_event",
    "confirm",
    "decline",
    "decline_overtaken",
    "payload_of",
    "propose",
    "propose_correction",
    "publish",
    "record_failure",
    "record_withheld",
    "register_key",
    "sign",
    "withdraw",
    "worse_since",
]
