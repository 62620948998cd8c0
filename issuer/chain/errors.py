"""Refusals of this room."""

from issuer.foundation import errors


class ChainUnavailable(errors.Unavailable):
    """A chain, or the node that we ask about it, cannot be trusted to have answered."""

    code = "chain-unavailable"
    title = "The chain cannot be read"


class NodeRefused(ChainUnavailable):
    """A node answered a request with an error; `error_code`, `message` and `data` are its words."""

    def __init__(self, method: str, *, error_code: int, message: str, data: str) -> None:
        super().__init__(f"The node refused {method}: {message[:200]} ({error_code}).")
        self.error_code = error_code
        self.message = message
        self.data = data


class Underpriced(NodeRefused):
    """A node did not take a transaction, because it offers too little; nobody has it from us."""


class Reorganized(ChainUnavailable):
    """A chain replaced a block that it had called final; nothing read from it holds any more."""

    code = "chain-reorganized"
    title = "The chain replaced a final block"


class NetworkNotConfigured(errors.Unavailable):
    """No node, or no signer, is configured for a network."""

    code = "network-not-configured"
    title = "The network is not configured"


class TransactionAlreadyIntended(errors.Conflict):
    """A transaction for the request is under way or done; a second one would do it twice."""

    code = "transaction-already-intended"
    title = "A transaction for this request is under way or done"


class SignerMismatch(errors.Conflict):
    """The signer at hand is not the account that signs for the purpose, or holds the tokens."""

    code = "signer-mismatch"
    title = "The signer does not hold the account's key"


class TransactionRefusedByContract(errors.Conflict):
    """The contract would revert the transaction, so none is signed."""

    code = "transaction-refused-by-contract"
    title = "The contract would refuse the transaction"


class IntentChanged(errors.Conflict):
    """An intent is no longer what its signed bytes say, or not where it was."""

    code = "intent-changed"
    title = "The transaction is no longer as it was signed"


class EarlierTransactionUnsent(errors.Conflict):
    """An earlier nonce of the account is not sent, so nothing that follows it is."""

    code = "earlier-transaction-unsent"
    title = "An earlier transaction of the account is not sent yet"


class NonceNotFinal(errors.Conflict):
    """Somebody else used the account, and may turn out not to have; the next nonce is not known."""

    code = "nonce-not-final"
    title = "The account's next nonce is not known yet"


class NoLongerWanted(errors.Conflict):
    """What a transaction was signed for no longer stands, so it may not go out."""

    code = "transaction-no-longer-wanted"
    title = "What the transaction was signed for no longer stands"


class FeesTooHigh(errors.Conflict):
    """The chain asks for more than we are willing to pay."""

    code = "fees-too-high"
    title = "The fees of the chain are above our limit"


class SignerInUse(errors.Conflict):
    """Another account signs for the purpose on the network; it has to be retired first."""

    code = "signer-in-use"
    title = "Another account signs for this purpose"


class SignerRetired(errors.Conflict):
    """The account was retired, and signs nothing any more."""

    code = "signer-retired"
    title = "The account is retired"


class SignerMissing(errors.Missing):
    """No account signs for the purpose on the network."""

    code = "signer-missing"
    title = "No account signs for this purpose"


class ActNotSound(errors.Rejected):
    """A contract act lacks what its kind needs, or says what cannot be."""

    code = "contract-act-not-sound"
    title = "The contract act cannot be carried out as it says"


class ActMissing(errors.Missing):
    """There is no such contract act."""

    code = "contract-act-missing"
    title = "There is no such contract act"


class ActChanged(errors.Conflict):
    """What was approved is not what is to be signed."""

    code = "contract-act-changed"
    title = "The contract act is not what was approved"


class ActPartOfAnother(errors.Conflict):
    """The act is a part of something else, and is decided on with that alone."""

    code = "contract-act-part-of-another"
    title = "The contract act is decided on with what it is a part of"


class ActUnderWay(errors.Conflict):
    """A transaction of the act is under way, so how the act ends is not known yet."""

    code = "contract-act-under-way"
    title = "The contract act is under way"


class ActMustWait(errors.Conflict):
    """Something has to be so before the act may be done, and is not."""

    code = "contract-act-must-wait"
    title = "Something else comes before the contract act"
