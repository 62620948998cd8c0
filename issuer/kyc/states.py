"""Where a KYC case stands, and what can happen to it."""

from enum import Enum, unique

from django.db import models

from issuer.foundation.states import Transition, final_states


class CaseState(models.TextChoices):
    """Where a KYC case stands."""

    NEW = "NEW", "New"
    IN_PROGRESS = "IN_PROGRESS", "In progress"
    REVIEW = "REVIEW", "In review"
    RETRY = "RETRY", "More evidence asked for"
    APPROVED = "APPROVED", "Approved"
    RENEWAL_DUE = "RENEWAL_DUE", "Approved, renewal due"
    EXPIRED = "EXPIRED", "Expired"
    SUSPENDED = "SUSPENDED", "Suspended"
    REJECTED_FINAL = "REJECTED_FINAL", "Rejected for good"
    OFFBOARDED = "OFFBOARDED", "Offboarded"


_S = CaseState
#: The states in which a party may be dealt with, as long as `valid_until` has not passed.
CLEARED_STATES = frozenset({_S.APPROVED, _S.RENEWAL_DUE})
#: The states that a party is told the reason of.
EXPLAINED_STATES = frozenset({_S.RETRY, _S.SUSPENDED, _S.REJECTED_FINAL, _S.OFFBOARDED})
_ONCE_APPROVED = CLEARED_STATES | {_S.EXPIRED, _S.SUSPENDED}


@unique
class CaseStep(Enum):
    """Everything that can happen to a KYC case."""

    START = Transition(frozenset({_S.NEW}), _S.IN_PROGRESS)
    SUBMIT = Transition(frozenset({_S.IN_PROGRESS, _S.RETRY}), _S.REVIEW)
    ASK_FOR_MORE = Transition(frozenset({_S.REVIEW}), _S.RETRY)
    APPROVE = Transition(frozenset({_S.REVIEW}), _S.APPROVED)
    REJECT = Transition(frozenset({_S.REVIEW}), _S.REJECTED_FINAL)
    NOTE_RENEWAL_DUE = Transition(frozenset({_S.APPROVED}), _S.RENEWAL_DUE)
    EXPIRE = Transition(CLEARED_STATES, _S.EXPIRED)
    SUSPEND = Transition(CLEARED_STATES, _S.SUSPENDED)
    RENEW = Transition(_ONCE_APPROVED, _S.IN_PROGRESS)
    OFFBOARD = Transition(
        frozenset(_S) - frozenset({_S.REJECTED_FINAL, _S.OFFBOARDED}), _S.OFFBOARDED
    )


FINAL_STATES = final_states(CaseState, CaseStep)
