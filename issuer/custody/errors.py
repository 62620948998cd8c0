"""What this room refuses."""

from issuer.foundation import errors


class StatementEmpty(errors.Rejected):
    """A file says nothing; that is silence, and not a statement of zero shares."""

    code = "statement-empty"
    title = "The statement is empty"


class StatementTooLarge(errors.Rejected):
    """A file is larger than any statement of ours."""

    code = "statement-too-large"
    title = "The file is too large for a statement"


class StatementFormatUnknown(errors.Rejected):
    """A file is of a format that we do not read."""

    code = "statement-format-unknown"
    title = "The file is in a format that is not read here"


class StatementTruncated(errors.Rejected):
    """A file ends early, or does not add up to what its last line says."""

    code = "statement-truncated"
    title = "A part of the statement is missing"


class StatementMalformed(errors.Rejected):
    """A line of a file cannot be read; the facts name line, column and value."""

    code = "statement-malformed"
    title = "A line of the statement cannot be read"


class StatementInconsistent(errors.Rejected):
    """A line of a file claims more shares encumbered than it says are settled."""

    code = "statement-inconsistent"
    title = "A line of the statement contradicts itself"


class StatementWrongCustodian(errors.Rejected):
    """A file is another custodian's."""

    code = "statement-wrong-custodian"
    title = "The statement is another custodian's"


class StatementFromTheFuture(errors.Rejected):
    """A file speaks of a day that has not come."""

    code = "statement-from-the-future"
    title = "The statement is of a day that has not come"


class StatementRepeated(errors.Conflict):
    """The same file was taken in before, to the byte."""

    code = "statement-repeated"
    title = "The statement was taken in before"


class StatementReferenceReused(errors.Conflict):
    """Another file of this custodian carries the same statement number."""

    code = "statement-reference-reused"
    title = "The statement number is taken"


class StatementOld(errors.Conflict):
    """A later statement is here, or another of the same day that this one does not supersede."""

    code = "statement-old"
    title = "A statement as new as this one is here"


class StatementUnknownAccount(errors.Rejected):
    """A file speaks of an account that we do not have."""

    code = "statement-unknown-account"
    title = "The statement names an account that is not ours"


class StatementIncomplete(errors.Rejected):
    """A file says nothing about an account that we have."""

    code = "statement-incomplete"
    title = "The statement leaves an account out"


class StatementWrongSecurity(errors.Rejected):
    """A file states another security for an account than the one it is for."""

    code = "statement-wrong-security"
    title = "The statement names another security than the account holds"


class CustodyAccountTaken(errors.Conflict):
    """The account, or one of its kind for the token, is open already."""

    code = "custody-account-taken"
    title = "The custody account is open already"


class InstructionMissing(errors.Missing):
    """There is no such settlement instruction."""

    code = "instruction-missing"
    title = "There is no such settlement instruction"


class InstructionForNothing(errors.Rejected):
    """An instruction would move no shares, or fewer than none."""

    code = "instruction-for-nothing"
    title = "The quantity to settle is not above zero"


class SettlementBeforeTrade(errors.Rejected):
    """An instruction would settle before the day it was traded."""

    code = "settlement-before-trade"
    title = "The settlement date is before the trade date"


class RequestInstructed(errors.Conflict):
    """Settlement is instructed for this request already."""

    code = "request-instructed"
    title = "Settlement is instructed for this request"


class EvidenceInsufficient(errors.Conflict):
    """The statement does not show that the shares have come, or gone."""

    code = "evidence-insufficient"
    title = "The statement does not show that the shares moved"


class StatementUnknownInstruction(errors.Rejected):
    """A file speaks of an instruction that we did not give for the account."""

    code = "statement-unknown-instruction"
    title = "The statement names an instruction that is not ours"


class AccountSharesNotFree(errors.Conflict):
    """An account has fewer shares to deliver than it is told to."""

    code = "account-shares-not-free"
    title = "The account does not have the shares"


class InstructionPartlySettled(errors.Conflict):
    """Some shares of an instruction have moved; it cannot be taken back as a whole."""

    code = "instruction-partly-settled"
    title = "A part of the instruction has settled"


class SharesMayHaveLeft(errors.Conflict):
    """The custodian's statement leaves it open whether the shares of a delivery have left."""

    code = "shares-may-have-left"
    title = "The shares may have left, or may still leave"
