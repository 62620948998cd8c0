"""Where the delivery of an alert stands, and what can happen to it."""

from enum import Enum, unique

from django.db import models

from issuer.foundation.states import Transition


class DeliveryState(models.TextChoices):
    """Where the delivery of an alert stands."""

    PENDING = "PENDING", "Not taken yet"
    SENT = "SENT", "Taken by the other side"
    ABANDONED = "ABANDONED", "Given up"


_S = DeliveryState


@unique
class DeliveryStep(Enum):
    """Everything that can happen to a delivery."""

    SEND = Transition(frozenset({_S.PENDING}), _S.SENT)
    ABANDON = Transition(frozenset({_S.PENDING}), _S.ABANDONED)
