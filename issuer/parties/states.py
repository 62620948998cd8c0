"""Where a wallet stands, and what can happen to it."""

from enum import Enum, unique

from django.db import models

from issuer.foundation.states import Transition


class WalletState(models.TextChoices):
    """Where the binding of a wallet stands."""

    BOUND = "BOUND", "Bound"
    REVOKED = "REVOKED", "Revoked"


_S = WalletState


@unique
class WalletStep(Enum):
    """Everything that can happen to a bound wallet."""

    REVOKE = Transition(frozenset({_S.BOUND}), _S.REVOKED)
