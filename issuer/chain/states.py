"""What changes a supply; where a mint intent stands, and what can happen to it."""

from enum import Enum, unique

from django.db import models

from issuer.foundation.states import Transition, final_states


class EventKind(models.TextChoices):
    """What changed a deployment's supply."""

    MINT = "MINT", "Mint"
    BURN = "BURN", "Burn"


class IntentState(models.TextChoices):
    """Where a mint intent stands. A receipt that is missing is unknown, never a failure."""

    SIGNED = "SIGNED", "Signed, not sent"
    BROADCAST = "BROADCAST", "Sent, not seen in a block"
    MINED = "MINED", "In a block, not final"
    FINAL = "FINAL", "Final, not booked"
    BOOKED = "BOOKED", "Final and booked"
    REVERTED = "REVERTED", "Reverted by the contract"
    DROPPED = "DROPPED", "Its nonce was used by another transaction"


_S = IntentState


@unique
class IntentStep(Enum):
    """Everything that can happen to a mint intent; a reorganization takes it out of its block."""

    BROADCAST = Transition(frozenset({_S.SIGNED}), _S.BROADCAST)
    SEE_MINED = Transition(frozenset({_S.SIGNED, _S.BROADCAST}), _S.MINED)
    LOSE_BLOCK = Transition(frozenset({_S.MINED}), _S.BROADCAST)
    FINALIZE = Transition(frozenset({_S.MINED}), _S.FINAL)
    BOOK = Transition(frozenset({_S.FINAL}), _S.BOOKED)
    REVERT = Transition(frozenset({_S.MINED}), _S.REVERTED)
    DROP = Transition(frozenset({_S.SIGNED, _S.BROADCAST, _S.MINED}), _S.DROPPED)


FINAL_STATES = final_states(IntentState, IntentStep)
#: The states in which the chain may still carry the mint out.
LIVE_STATES = frozenset({_S.SIGNED, _S.BROADCAST, _S.MINED})
