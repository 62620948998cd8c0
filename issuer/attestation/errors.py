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


class EventTakesPeople(Conflict):
    """What is better than the last statement in any token is not stated without two persons."""

    code = "event-takes-people"
    title = "The statement would be better than the last one, so two persons have to make it"


class StatementInconsistent(Rejected):
    """The figures of a statement do not follow from one another, so nobody may sign it."""

    code = "attestation-inconsistent"
    title = "The statement does not pass its own check"


class StatementExpired(Conflict):
    """A statement that was not confirmed in time would be published as no longer valid."""

    code = "statement-expired"
    title = "The statement has expired before it was confirmed"


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
