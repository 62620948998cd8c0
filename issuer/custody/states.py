"""Where a settlement instruction stands, and what can happen to it."""

from enum import Enum, unique

from django.db import models

from issuer.foundation.states import Transition, final_states


class InstructionState(models.TextChoices):
    """Where a settlement instruction stands."""

    INSTRUCTED = "INSTRUCTED", "Instructed"
    SETTLED = "SETTLED", "Settled"
    FAILED = "FAILED", "Failed"
    CANCELLED = "CANCELLED", "Cancelled"


_S = InstructionState


@unique
class InstructionStep(Enum):
    """Everything that can happen to a settlement instruction.

    A failed one may still settle: custodians retry what did not settle on its date.
    """

    SETTLE = Transition(frozenset({_S.INSTRUCTED, _S.FAILED}), _S.SETTLED)
    FAIL = Transition(frozenset({_S.INSTRUCTED}), _S.FAILED)
    CANCEL = Transition(frozenset({_S.INSTRUCTED, _S.FAILED}), _S.CANCELLED)


FINAL_STATES = final_states(InstructionState, InstructionStep)
