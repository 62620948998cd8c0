"""Everything that writes requests of participants."""

from issuer.primary_market.services._issuance import (
    accept,
    cancel,
    confirm_funding,
    expire,
    reject,
    request_issuance,
)
from issuer.primary_market.services._issuance_approval import (
    confirm_approval,
    decline_approval,
    propose_approval,
    withdraw_approval,
)
from issuer.primary_market.services._issuance_freeze import freeze, unfreeze
from issuer.primary_market.services._issuance_mint import (
    complete,
    record_failed_mint,
    sign_mint,
)

__all__ = [
    "accept",
    "cancel",
    "complete",
    "confirm_approval",
    "confirm_funding",
    "decline_approval",
    "expire",
    "freeze",
    "propose_approval",
    "record_failed_mint",
    "reject",
    "request_issuance",
    "sign_mint",
    "unfreeze",
    "withdraw_approval",
]
