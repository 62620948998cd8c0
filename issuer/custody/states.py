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

    A failed one may still settle: custodians retry what did not settle on its date. It may also be
    instructed again, for another date. A part that settles, and a split, which multiplies the
    quantity, leave an open one where it stands.
    """

    SETTLE = Transition(frozenset({_S.INSTRUCTED, _S.FAILED}), _S.SETTLED)
    FAIL = Transition(frozenset({_S.INSTRUCTED}), _S.FAILED)
    SETTLE_PART = Transition(frozenset({_S.INSTRUCTED}), _S.INSTRUCTED)
    SETTLE_PART_LATE = Transition(frozenset({_S.FAILED}), _S.FAILED)
    REINSTRUCT = Transition(frozenset({_S.FAILED}), _S.INSTRUCTED)
    CANCEL = Transition(frozenset({_S.INSTRUCTED, _S.FAILED}), _S.CANCELLED)
    ADJUST = Transition(frozenset({_S.INSTRUCTED}), _S.INSTRUCTED)
    ADJUST_FAILED = Transition(frozenset({_S.FAILED}), _S.FAILED)


FINAL_STATES = final_states(InstructionState, InstructionStep)
