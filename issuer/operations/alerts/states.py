"""Where the delivery of an alert stands, and what can happen to it."""

from enum import Enum, unique

from django.db import models

from issuer.foundation.states import Transition


class DeliveryState(models.TextChoices):
    """Where the delivery of an alert stands."""

    UNADDRESSED = "UNADDRESSED", "Nobody to tell"  # no channel was configured
    PENDING = "PENDING", "Not taken yet"
    SENT = "SENT", "Taken by the other side"
    ABANDONED = "ABANDONED", "Given up"
    ACKNOWLEDGED = "ACKNOWLEDGED", "Read by staff"  # in the back office, for want of a channel


_S = DeliveryState


@unique
class DeliveryStep(Enum):
    """Everything that can happen to a delivery."""

    ADDRESS = Transition(frozenset({_S.UNADDRESSED}), _S.PENDING)
    SEND = Transition(frozenset({_S.PENDING}), _S.SENT)
    ABANDON = Transition(frozenset({_S.PENDING, _S.UNADDRESSED}), _S.ABANDONED)
    ACKNOWLEDGE = Transition(frozenset({_S.ABANDONED, _S.UNADDRESSED}), _S.ACKNOWLEDGED)
