"""Where a stock split stands, and what can happen to it."""

from enum import Enum, unique

from django.db import models

from issuer.foundation.states import Transition, final_states


class SplitState(models.TextChoices):
    """Where a stock split stands."""

    ANNOUNCED = "ANNOUNCED", "Announced"
    CONFIRMED = "CONFIRMED", "Confirmed, not on every chain"
    SCHEDULED = "SCHEDULED", "Scheduled on every chain"
    EFFECTIVE = "EFFECTIVE", "Effective and booked"
    CLOSED = "CLOSED", "Closed"
    CANCELLING = "CANCELLING", "Called off, not on every chain"
    CANCELLED = "CANCELLED", "Cancelled"


_S = SplitState


@unique
class SplitStep(Enum):
    """Everything that can happen to a stock split, and when it may.

    Shares split at their time, whether every chain was told or not: the books follow the shares,
    and the gate stays shut until the chains have followed, too. One that is called off is over
    once every chain knows.
    """

    CONFIRM = Transition(frozenset({_S.ANNOUNCED}), _S.CONFIRMED)
    SCHEDULE = Transition(frozenset({_S.CONFIRMED}), _S.SCHEDULED)
    BOOK = Transition(frozenset({_S.CONFIRMED, _S.SCHEDULED}), _S.EFFECTIVE)
    CLOSE = Transition(frozenset({_S.EFFECTIVE}), _S.CLOSED)
    WITHDRAW = Transition(frozenset({_S.ANNOUNCED}), _S.CANCELLED)
    CANCEL = Transition(frozenset({_S.CONFIRMED, _S.SCHEDULED}), _S.CANCELLING)
    END_CANCELLATION = Transition(frozenset({_S.CANCELLING}), _S.CANCELLED)


FINAL_STATES = final_states(SplitState, SplitStep)
#: Where no other split of the token may be announced: the books or a contract still move by it.
PENDING_STATES = frozenset({_S.ANNOUNCED, _S.CONFIRMED, _S.SCHEDULED, _S.CANCELLING})
#: Where instruments know of it, and the books do not.
AGREED_STATES = frozenset({_S.CONFIRMED, _S.SCHEDULED})


class ActPurpose(models.TextChoices):
    """What a contract act does for a split."""

    SCHEDULE = "SCHEDULE", "Schedule the new multiplier"
    WITHDRAW = "WITHDRAW", "Leave the multiplier as it is"
