"""Requests of participants to issue and to redeem, and the tokens that come back."""

from issuer.primary_market.models._deposits import Deposit, DepositReturn
from issuer.primary_market.models._issuance import IssuanceRequest, IssuanceTransition
from issuer.primary_market.models._redemption import RedemptionRequest, RedemptionTransition

__all__ = [
    "Deposit",
    "DepositReturn",
    "IssuanceRequest",
    "IssuanceTransition",
    "RedemptionRequest",
    "RedemptionTransition",
]
