"""Where a hold of shares stands, and what can happen to it."""

from enum import Enum, unique

from django.db import models

from issuer.foundation.states import Transition


class ShareHoldState(models.TextChoices):
    """Where a hold of shares stands."""

    ACTIVE = "ACTIVE", "Active"
    CONSUMED = "CONSUMED", "Consumed by a mint"
    RELEASED = "RELEASED", "Released"


_S = ShareHoldState


@unique
class ShareHoldStep(Enum):
    """Everything that can happen to a hold of shares."""

    CONSUME = Transition(frozenset({_S.ACTIVE}), _S.CONSUMED)
    RELEASE = Transition(frozenset({_S.ACTIVE}), _S.RELEASED)
