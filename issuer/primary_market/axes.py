"""Where a request stands, seen from three sides: the business, custody and the chain.

The state of a request is stored once; the other two sides are derived from its settlement
instruction and its newest mint or burn, and stored nowhere.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from django.db import models

from issuer.chain.states import IntentState
from issuer.custody.states import InstructionState
from issuer.primary_market.states import IssuanceState, RedemptionState


class Business(models.TextChoices):
    """Where the request stands between us and the participant."""

    CREATED = "created", "Created"
    AWAITING_TRANSFER = "awaiting_transfer", "Waits for what is to be delivered"
    AWAITING_APPROVAL = "awaiting_approval", "Waits for approval"
    APPROVED = "approved", "Approved"
    IN_PROGRESS = "in_progress", "Under way"
    COMPLETED = "completed", "Completed"
    REJECTED = "rejected", "Rejected"
    CANCELLED = "cancelled", "Cancelled"
    EXPIRED = "expired", "Expired"
    QUARANTINED = "quarantined", "Quarantined"
    FROZEN = "frozen", "Frozen"
    RETURNED = "returned", "Returned"


class Custody(models.TextChoices):
    """What has become of the shares."""

    NONE = "none", "Nothing instructed"
    PENDING = "pending", "On their way"
    SETTLED = "settled", "Settled"
    FAILED = "failed", "Late; may still settle"
    CANCELLED = "cancelled", "Not expected any more"


class OnChain(models.TextChoices):
    """What has become of the newest mint or burn. One that is sent and not seen is not failed."""

    NONE = "none", "None"
    INTENDED = "intended", "Signed, not sent"
    SUBMITTED = "submitted", "Sent"
    MINED = "mined", "In a block, not final"
    FINALIZED = "finalized", "Final"
    REVERTED = "reverted", "Reverted by the contract"
    DROPPED = "dropped", "Replaced by another transaction"
    CANCELLING = "cancelling", "Being cancelled; may still be in a block"
    CANCELLED = "cancelled", "Cancelled before any block had it"


@dataclass(frozen=True, slots=True)
class Axes:
    """The three sides of one request."""

    business: Business
    custody: Custody
    chain: OnChain


_BUSINESS: Final[Mapping[str, Business]] = {
    IssuanceState.REQUESTED: Business.CREATED,
    IssuanceState.ACCEPTED: Business.AWAITING_TRANSFER,
    IssuanceState.FUNDED: Business.AWAITING_APPROVAL,
    IssuanceState.APPROVED: Business.APPROVED,
    IssuanceState.MINTING: Business.IN_PROGRESS,
    IssuanceState.COMPLETED: Business.COMPLETED,
    IssuanceState.REJECTED: Business.REJECTED,
    IssuanceState.CANCELLED: Business.CANCELLED,
    IssuanceState.EXPIRED: Business.EXPIRED,
    IssuanceState.FROZEN: Business.FROZEN,
}
_REDEMPTION: Final[Mapping[str, Business]] = {
    RedemptionState.REQUESTED: Business.CREATED,
    RedemptionState.AWAITING_TOKENS: Business.AWAITING_TRANSFER,
    RedemptionState.RECEIVED: Business.AWAITING_APPROVAL,
    RedemptionState.APPROVED: Business.APPROVED,
    RedemptionState.BURNING: Business.IN_PROGRESS,
    RedemptionState.BURNED: Business.IN_PROGRESS,
    RedemptionState.DELIVERING: Business.IN_PROGRESS,
    RedemptionState.COMPLETED: Business.COMPLETED,
    RedemptionState.REJECTED: Business.REJECTED,
    RedemptionState.CANCELLED: Business.CANCELLED,
    RedemptionState.EXPIRED: Business.EXPIRED,
    RedemptionState.QUARANTINED: Business.QUARANTINED,
    RedemptionState.FROZEN: Business.FROZEN,
    RedemptionState.RETURNED: Business.RETURNED,
}
_CUSTODY: Final[Mapping[str | None, Custody]] = {
    None: Custody.NONE,
    InstructionState.INSTRUCTED: Custody.PENDING,
    InstructionState.SETTLED: Custody.SETTLED,
    InstructionState.FAILED: Custody.FAILED,
    InstructionState.CANCELLED: Custody.CANCELLED,
}
_ON_CHAIN: Final[Mapping[str | None, OnChain]] = {
    None: OnChain.NONE,
    IntentState.SIGNED: OnChain.INTENDED,
    IntentState.BROADCAST: OnChain.SUBMITTED,
    IntentState.MINED: OnChain.MINED,
    IntentState.FINAL: OnChain.FINALIZED,
    IntentState.BOOKED: OnChain.FINALIZED,
    IntentState.REVERTED: OnChain.REVERTED,
    IntentState.DROPPED: OnChain.DROPPED,
    IntentState.CANCELLING: OnChain.CANCELLING,
    IntentState.CANCEL_SENT: OnChain.CANCELLING,
    IntentState.CANCELLED: OnChain.CANCELLED,
}


def axes(*, state: str, instruction_state: str | None, intent_state: str | None) -> Axes:
    """Return the three sides of an issuance; None where there is no instruction, or no mint."""
    return Axes(_BUSINESS[state], _CUSTODY[instruction_state], _ON_CHAIN[intent_state])


def redemption_axes(*, state: str, instruction_state: str | None, intent_state: str | None) -> Axes:
    """Return the three sides of a redemption; None where there is no instruction, or no burn."""
    return Axes(_REDEMPTION[state], _CUSTODY[instruction_state], _ON_CHAIN[intent_state])
