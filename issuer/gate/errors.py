"""What this room refuses."""

from issuer.foundation import errors


class GateClosed(errors.Conflict):
    """Something holds the gate shut; its facts say what, since when and why."""

    code = "reserve-gate-closed"
    title = "The gate is not open"


class HoldReleased(errors.Conflict):
    """The hold was released before."""

    code = "hold-released"
    title = "The hold is released already"


class ReleaseTakesTwo(errors.Forbidden):
    """A person placed the hold, so that two persons must agree that it ends."""

    code = "release-takes-two"
    title = "Two persons must release this hold"


class NothingToResume(errors.Conflict):
    """No hold that two persons could end is in force on the gate."""

    code = "nothing-to-resume"
    title = "Nothing holds this gate that persons could end"


class HoldPlacedSince(errors.Conflict):
    """A hold was placed on the gate after what the resumption rests on was reconciled."""

    code = "hold-placed-since"
    title = "A hold was placed since the reconciliation"
