"""What this room refuses."""

from issuer.foundation import errors


class RunUnderWay(errors.Conflict):
    """The program is being reconciled at this moment."""

    code = "reconciliation-under-way"
    title = "The program is being reconciled"


class RunOutdated(errors.Conflict):
    """A run as of a later time is there already."""

    code = "reconciliation-outdated"
    title = "A later reconciliation is there"


class BreakMissing(errors.Missing):
    """There is no such break."""

    code = "break-missing"
    title = "There is no such break"


class BreakStillSeen(errors.Conflict):
    """The newest run still finds the difference, or cannot tell that it is gone."""

    code = "break-still-seen"
    title = "The difference is still there"


class CloseNotProposed(errors.Conflict):
    """Nobody has proposed to close the break, or the proposal is no longer open."""

    code = "break-close-not-proposed"
    title = "Nobody has proposed to close the break"


class ResumeNotProposed(errors.Conflict):
    """Nobody has proposed to resume under the gate, or the proposal is no longer open."""

    code = "resume-not-proposed"
    title = "Nobody has proposed to resume"


class ReconciliationNotClean(errors.Conflict):
    """The newest reconciliation is not clean, or older than what shut the gate; facts say how."""

    code = "reconciliation-not-clean"
    title = "The reconciliation is not clean"


class HoldNotOver(errors.Conflict):
    """What a break shut is not over: the break is open."""

    code = "hold-not-over"
    title = "The break that shut the gate is open"
