"""Refusals of this room."""

from issuer.foundation import errors


class IssuanceMissing(errors.Missing):
    """There is no such request, or it is another participant's."""

    code = "issuance-missing"
    title = "There is no such issuance request"


class TokenOfAnotherProgram(errors.Rejected):
    """A participant may request tokens of the program it is authorized under only."""

    code = "token-of-another-program"
    title = "The token belongs to another program"


class TokenNotOnNetwork(errors.Rejected):
    """The token has no contract on the network that was asked for."""

    code = "token-not-on-network"
    title = "The token is not deployed on this network"


class IssuanceClosed(errors.Conflict):
    """The token takes no requests, and mints nothing, for the time being."""

    code = "issuance-closed"
    title = "Issuance of the token is closed"


class ClientReferenceUsed(errors.Conflict):
    """The participant named another request so."""

    code = "client-reference-used"
    title = "The client reference names another request"


class MultiplierChanged(errors.Conflict):
    """A token stands for another number of shares than when the request was made."""

    code = "multiplier-changed"
    title = "The multiplier has changed since the request"


class CustodyAccountUndetermined(errors.Conflict):
    """The token has no custody account, or several of which none was named."""

    code = "custody-account-undetermined"
    title = "It is not clear which custody account should receive the shares"


class SharesNotReceived(errors.Conflict):
    """No statement shows the request's shares as settled yet."""

    code = "shares-not-received"
    title = "The shares have not settled in custody"


class SharesReceived(errors.Conflict):
    """The shares have settled; the request can only go forward now."""

    code = "shares-received"
    title = "The shares have settled in custody already"


class NotProposed(errors.Conflict):
    """Nobody has proposed the request for approval, or the proposal was closed."""

    code = "approval-not-proposed"
    title = "The request is not proposed for approval"


class MintNotFinal(errors.Conflict):
    """The mint of the request is not final on its chain."""

    code = "mint-not-final"
    title = "The mint is not final"


class MintNotFailed(errors.Conflict):
    """The mint of the request was neither reverted nor dropped."""

    code = "mint-not-failed"
    title = "The mint has not failed"
