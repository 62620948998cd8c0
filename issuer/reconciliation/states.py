"""Which differences there are, how grave they are, and where a break stands."""

from enum import Enum, unique

from django.db import models

from issuer.foundation.states import Transition


class BreakCode(models.TextChoices):
    """What kind of difference a break is."""

    SUP_OVER = "SUP-OVER", "More tokens on chain than in the register"
    SUP_UNDER = "SUP-UNDER", "Fewer tokens on chain than in the register"
    UNA_MINT = "UNA-MINT", "A mint that nobody approved"
    BAK_SHORT = "BAK-SHORT", "More owed than held"
    BAK_SETTLED = "BAK-SETTLED", "Covered only with shares that have not settled"
    CUS_SHORT = "CUS-SHORT", "The custodian holds less than the books say"
    CUS_LONG = "CUS-LONG", "The custodian holds more than the books say"
    SRC_STALE = "SRC-STALE", "A custodian's statement is missing or old"
    CHN_SRC = "CHN-SRC", "A chain cannot be read with confidence"
    CHN_UNK = "CHN-UNK", "Somebody holds a role whom we do not trust"
    SET_FAIL = "SET-FAIL", "Shares did not settle on their date"


class Severity(models.TextChoices):
    """How grave a break is."""

    CRITICAL = "CRITICAL", "Critical"
    HIGH = "HIGH", "High"
    MEDIUM = "MEDIUM", "Medium"
    INFO = "INFO", "Info"


class BreakState(models.TextChoices):
    """Where a break stands; it never ends by the passing of time."""

    OPEN = "OPEN", "Open"
    CLEARED = "CLEARED", "Cleared by a later run"
    CLOSED = "CLOSED", "Closed by two persons"


_S = BreakState


@unique
class BreakStep(Enum):
    """Everything that can happen to a break."""

    CLEAR = Transition(frozenset({_S.OPEN}), _S.CLEARED)
    CLOSE = Transition(frozenset({_S.OPEN}), _S.CLOSED)
