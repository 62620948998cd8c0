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


class RedemptionMinimumNotPositive(errors.Rejected):
    """A token would be redeemed from nothing on, or from less."""

    code = "redemption-minimum-not-positive"
    title = "The least quantity of a redemption is not above zero"


class SplitPending(errors.Conflict):
    """A split of the token is scheduled, or effective and not in the books yet."""

    code = "split-pending"
    title = "A split of the token is under way"


class SplitMissing(errors.Missing):
    """There is no such split."""

    code = "split-missing"
    title = "There is no such split"


class SplitRatioMeaningless(errors.Rejected):
    """The ratio of a split would leave no shares, or as many as before."""

    code = "split-ratio-meaningless"
    title = "The ratio does not change the number of shares"


class SplitInexact(errors.Rejected):
    """A quantity, multiplied by the ratio, cannot be written down to its last digit."""

    code = "split-inexact"
    title = "The ratio leaves a fraction that cannot be counted"


class SplitNotAhead(errors.Conflict):
    """A split would be scheduled for a time that has come, or called off after its time."""

    code = "split-not-ahead"
    title = "The effective time of the split is not ahead"


class SplitNotEffective(errors.Conflict):
    """A split is to be booked before its time."""

    code = "split-not-effective"
    title = "The split is not effective yet"


class SharesCountedOtherwise(errors.Conflict):
    """A split has reached the shares and not the books, or the books and not who asks."""

    code = "shares-counted-otherwise"
    title = "The books count other shares of the token than there are"


class SplitOver(errors.Conflict):
    """The split is in the books, or was called off."""

    code = "split-over"
    title = "The split is booked or canceled"
