"""Everything that writes requests of participants, and the tokens that come back."""

from issuer.primary_market.services._deposits import assign_deposit, clear_deposit, match_deposit
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
from issuer.primary_market.services._issuance_freeze import freeze, freeze_lapsed, unfreeze
from issuer.primary_market.services._issuance_mint import (
    complete,
    record_failed_mint,
    sign_mint,
)
from issuer.primary_market.services._redemption import (
    accept_redemption,
    cancel_redemption,
    expire_redemption,
    reject_redemption,
    request_redemption,
)
from issuer.primary_market.services._redemption_approval import (
    confirm_redemption,
    decline_redemption,
    propose_redemption,
    withdraw_redemption,
)
from issuer.primary_market.services._redemption_burn import (
    complete_burn,
    complete_redemption,
    instruct_delivery,
    record_cancelled_delivery,
    record_failed_burn,
    sign_burn,
)
from issuer.primary_market.services._redemption_freeze import (
    freeze_lapsed_redemption,
    freeze_redemption,
    unfreeze_redemption,
)
from issuer.primary_market.services._requote import requote_issuance, requote_redemption
from issuer.primary_market.services._returns import (
    complete_return,
    confirm_return,
    decline_return,
    propose_return,
    record_failed_return,
    sign_return,
)

__all__ = [
    "accept",
    "accept_redemption",
    "assign_deposit",
    "cancel",
    "cancel_redemption",
    "clear_deposit",
    "complete",
    "complete_burn",
    "complete_redemption",
    "complete_return",
    "confirm_approval",
    "confirm_funding",
    "confirm_redemption",
    "confirm_return",
    "decline_approval",
    "decline_redemption",
    "decline_return",
    "expire",
    "expire_redemption",
    "freeze",
    "freeze_lapsed",
    "freeze_lapsed_redemption",
    "freeze_redemption",
    "instruct_delivery",
    "match_deposit",
    "propose_approval",
    "propose_redemption",
    "propose_return",
    "record_cancelled_delivery",
    "record_failed_burn",
    "record_failed_mint",
    "record_failed_return",
    "reject",
    "reject_redemption",
    "request_issuance",
    "request_redemption",
    "requote_issuance",
    "requote_redemption",
    "sign_burn",
    "sign_mint",
    "sign_return",
    "unfreeze",
    "unfreeze_redemption",
    "withdraw_approval",
    "withdraw_redemption",
]
