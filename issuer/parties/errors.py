"""What this room refuses."""

from issuer.foundation import errors


class PartyKnown(errors.Conflict):
    """What should be registered carries an identifier that another one has."""

    code = "party-known"
    title = "The party is registered already"


class CriteriaPublished(errors.Conflict):
    """Criteria of that version are out, and what is out is never changed."""

    code = "criteria-published"
    title = "Criteria of this version are published already"


class SecurityAgentNotIndependent(errors.Rejected):
    """The SPV would hold the pledge over its own shares."""

    code = "security-agent-not-independent"
    title = "The security agent and the SPV are one entity"


class NamespaceUnsupported(errors.Rejected):
    """Nobody here can check who controls an address of that chain namespace."""

    code = "namespace-unsupported"
    title = "Wallets of this chain namespace cannot be bound"


class ChallengeMissing(errors.Missing):
    """No such challenge was issued to the participant."""

    code = "wallet-challenge-missing"
    title = "There is no such wallet challenge"


class ChallengeExpired(errors.Conflict):
    """The signature came after the challenge had expired."""

    code = "wallet-challenge-expired"
    title = "The wallet challenge has expired"


class ChallengeUsed(errors.Conflict):
    """The challenge has bound a wallet before."""

    code = "wallet-challenge-used"
    title = "The wallet challenge was used before"


class SignatureMalformed(errors.Rejected):
    """The signature is not one in the only form that is accepted."""

    code = "signature-malformed"
    title = "The signature does not have the prescribed form"


class SignatureMismatch(errors.Rejected):
    """Somebody else signed, or something else was signed."""

    code = "signature-mismatch"
    title = "The signature is not of this message by this address"


class WalletBound(errors.Conflict):
    """The participant has bound the address before."""

    code = "wallet-bound"
    title = "The wallet is bound already"


class WalletBoundElsewhere(errors.Conflict):
    """Another participant has bound the address."""

    code = "wallet-bound-elsewhere"
    title = "The wallet is bound to somebody else"


class WalletNotBound(errors.Rejected):
    """The participant has not proved to control the address, or no longer holds it."""

    code = "wallet-not-bound"
    title = "The wallet is not bound to the participant"
