"""Where a proposal stands, and what can happen to it."""

from enum import Enum, unique

from django.db import models

from issuer.foundation.states import Transition


class ProposalState(models.TextChoices):
    """Where a proposal stands."""

    OPEN = "OPEN", "Waits for another person"
    CONFIRMED = "CONFIRMED", "Confirmed"
    DECLINED = "DECLINED", "Declined"
    VOIDED = "VOIDED", "Voided by a change"


_S = ProposalState


@unique
class ProposalStep(Enum):
    """Everything that can happen to a proposal."""

    CONFIRM = Transition(frozenset({_S.OPEN}), _S.CONFIRMED)
    DECLINE = Transition(frozenset({_S.OPEN}), _S.DECLINED)
    VOID = Transition(frozenset({_S.OPEN}), _S.VOIDED)
