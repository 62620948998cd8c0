"""What this room refuses."""

from issuer.foundation.errors import Conflict, Missing, Rejected, Unavailable


class AttestationUnderWay(Conflict):
    """A program makes one statement at a time."""

    code = "attestation-under-way"
    title = "Another statement of the program is under way"


class NothingToAttest(Rejected):
    """There is no reconciliation, no token or no published criteria to state anything from."""

    code = "nothing-to-attest"
    title = "There is nothing to make a statement from"


class RunNotNewest(Rejected):
    """A statement is made from a reconciliation after the one that the last statement used."""

    code = "run-not-newest"
    title = "The reconciliation is not newer than the last statement"


class AttestationCorrected(Conflict):
    """A statement is corrected once; a wrong correction is corrected itself."""

    code = "attestation-corrected"
    title = "The statement is corrected already"


class StatementInconsistent(Rejected):
    """The figures of a statement do not follow from one another, so nobody may sign it."""

    code = "attestation-inconsistent"
    title = "The statement does not pass its own check"


class StatementExpired(Conflict):
    """A statement that was not confirmed in time would be published as no longer valid."""

    code = "statement-expired"
    title = "The statement has expired before it was confirmed"


class StatementOvertaken(Conflict):
    """A statement is not let out while the issuer knows that something in it has got worse."""

    code = "statement-overtaken"
    title = "A newer reconciliation found something worse than the statement says"


class EventNotWithdrawn(Conflict):
    """What got worse is not kept back by a person, unless it cannot be published as it is."""

    code = "event-not-withdrawn"
    title = "A statement of what got worse goes out unless publishing it has failed"


class SigningKeyUnusable(Unavailable):
    """The key that signs statements is not there, or is not one."""

    code = "signing-key-unusable"
    title = "The signing key cannot be used"


class SigningKeyUnknown(Conflict):
    """A signature by a key that the public does not know proves nothing to it."""

    code = "signing-key-unknown"
    title = "The signing key is not among the published keys"


class AttestationNotPublished(Missing):
    """Only published statements have a package."""

    code = "attestation-not-published"
    title = "The statement is not published"
