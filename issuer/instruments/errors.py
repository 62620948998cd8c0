"""What this room refuses."""

from issuer.foundation import errors


class InstrumentKnown(errors.Conflict):
    """What should be registered carries an identifier that another one has."""

    code = "instrument-known"
    title = "The instrument is registered already"


class DecimalsUnsupported(errors.Rejected):
    """A contract counts in units finer than the books can write down."""

    code = "decimals-unsupported"
    title = "The contract has too many decimal places"


class MultiplierNotPositive(errors.Rejected):
    """A token would stand for no shares, or for less than none."""

    code = "multiplier-not-positive"
    title = "The multiplier is not above zero"


class MultiplierUnknown(errors.Unavailable):
    """Nobody said how many shares a token of the deployment stood for at that time."""

    code = "multiplier-unknown"
    title = "The multiplier of the deployment is not known at that time"
