"""What this room refuses."""

from issuer.foundation import errors


class KycNotCleared(errors.Forbidden):
    """The party may not be dealt with; the facts say where its case stands."""

    code = "kyc-not-cleared"
    title = "The party is not cleared"


class CaseOpen(errors.Conflict):
    """The entity has a case, and one entity has one."""

    code = "kyc-case-open"
    title = "The entity has a KYC case already"


class EvidenceMissing(errors.Conflict):
    """There is nothing to review."""

    code = "kyc-evidence-missing"
    title = "The case holds no evidence"


class EvidenceNotAwaited(errors.Conflict):
    """The case takes evidence only while it is being put together."""

    code = "kyc-evidence-not-awaited"
    title = "The case takes no evidence now"


class EvidenceRepeated(errors.Conflict):
    """The same document is in the case."""

    code = "kyc-evidence-repeated"
    title = "The case holds this document already"


class EvidenceRefused(errors.Rejected):
    """The document is empty, too large, or not of a form that every officer can open."""

    code = "kyc-evidence-refused"
    title = "The document cannot be taken as evidence"


class EvidenceShredded(errors.Missing):
    """The key of the entity's personal data was destroyed, and the data with it."""

    code = "kyc-evidence-shredded"
    title = "The personal data of this entity has been destroyed"


class EvidenceUnreadable(errors.Unavailable):
    """What is stored does not decrypt: the master key is another one, or the row was changed."""

    code = "kyc-evidence-unreadable"
    title = "The evidence cannot be decrypted"


class ValidityRefused(errors.Rejected):
    """The approval would be over already, or outlive the review cycle of the rating."""

    code = "kyc-validity-refused"
    title = "The approval cannot be valid until that day"


class RetentionRuns(errors.Conflict):
    """The law still asks for the records of the case."""

    code = "kyc-retention-runs"
    title = "The records must still be kept"
