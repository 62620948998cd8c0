"""Questions about requests of participants."""

from issuer.primary_market.selectors._approval import ApprovalView, Refusal, approval_view
from issuer.primary_market.selectors._issuances import (
    axes_of,
    expiring,
    failed_to_mint,
    finally_minted,
    issuance_of,
    issuances,
    issuances_of,
    lapsed,
    newly_funded,
    open_issuances,
    to_mint,
)
from issuer.primary_market.selectors._requirements import Party, Requirement, requirements
from issuer.primary_market.selectors._timeline import Moment, timeline

__all__ = [
    "ApprovalView",
    "Moment",
    "Party",
    "Refusal",
    "Requirement",
    "approval_view",
    "axes_of",
    "expiring",
    "failed_to_mint",
    "finally_minted",
    "issuance_of",
    "issuances",
    "issuances_of",
    "lapsed",
    "newly_funded",
    "open_issuances",
    "requirements",
    "timeline",
    "to_mint",
]
