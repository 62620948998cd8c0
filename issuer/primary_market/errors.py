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


class NotAsApproved(errors.Conflict):
    """The request is not, to the byte, what two persons approved: nothing is signed for it."""

    code = "request-not-as-approved"
    title = "The request is not what was approved"


class MintNotFinal(errors.Conflict):
    """The mint of the request is not final on its chain."""

    code = "mint-not-final"
    title = "The mint is not final"


class MintNotFailed(errors.Conflict):
    """The mint of the request was neither reverted nor dropped."""

    code = "mint-not-failed"
    title = "The mint has not failed"


class RedemptionMissing(errors.Missing):
    """There is no such request, or it is another participant's."""

    code = "redemption-missing"
    title = "There is no such redemption request"


class RedemptionClosed(errors.Conflict):
    """There is no address on the network to which tokens could be returned."""

    code = "redemption-closed"
    title = "Nothing is redeemed on the network now"


class BelowMinimum(errors.Rejected):
    """Fewer tokens than are redeemed at once, or too few to stand for a share that can be moved."""

    code = "redemption-below-minimum"
    title = "Fewer tokens than are redeemed at once"


class TokensMayStillCome(errors.Conflict):
    """Tokens that were sent in time may not be final, or not be counted, yet."""

    code = "tokens-may-still-come"
    title = "Tokens of the request may still come"


class TokensNotReceived(errors.Conflict):
    """Not all tokens of the request have come."""

    code = "tokens-not-received"
    title = "Not all tokens of the request have come"


class BurnNotFinal(errors.Conflict):
    """The burn of the request is not final on its chain."""

    code = "burn-not-final"
    title = "The burn is not final"


class BurnNotFailed(errors.Conflict):
    """The burn of the request was neither reverted nor dropped."""

    code = "burn-not-failed"
    title = "The burn has not failed"


class SharesNotDelivered(errors.Conflict):
    """No statement shows the request's shares as gone yet."""

    code = "shares-not-delivered"
    title = "The shares have not left custody"


class DepositMissing(errors.Missing):
    """There is no such deposit."""

    code = "deposit-missing"
    title = "There is no such deposit"


class DepositOfAnother(errors.Rejected):
    """A deposit counts for redemptions of its sender, token and network only."""

    code = "deposit-of-another"
    title = "The deposit is not of the request's wallet and token"


class DepositCounted(errors.Conflict):
    """A deposit, or a part of it, is counted for a redemption; the rest can only go back."""

    code = "deposit-counted"
    title = "The deposit is counted for a redemption"


class RedemptionNotReceiving(errors.Conflict):
    """The request has all its tokens, or takes none any more."""

    code = "redemption-not-receiving"
    title = "The request takes no tokens"


class DepositReturning(errors.Conflict):
    """Tokens of the deposit are on their way back, or proposed to be."""

    code = "deposit-returning"
    title = "The deposit is being returned"


class NothingToReturn(errors.Conflict):
    """All of the deposit is counted for a redemption, or went back."""

    code = "nothing-to-return"
    title = "Nothing of the deposit can be returned"


class ReturnUnlawful(errors.Forbidden):
    """The sender is suspended or refused for good: nothing goes back before compliance says so."""

    code = "return-unlawful"
    title = "The sender may not be given anything back"


class ReturnMissing(errors.Missing):
    """There is no such return."""

    code = "return-missing"
    title = "There is no such return"


class ReturnNotFinal(errors.Conflict):
    """The transfer that returns the tokens is not final on its chain."""

    code = "return-not-final"
    title = "The return is not final"


class ReturnNotFailed(errors.Conflict):
    """The transfer that returns the tokens was neither reverted nor dropped."""

    code = "return-not-failed"
    title = "The return has not failed"
