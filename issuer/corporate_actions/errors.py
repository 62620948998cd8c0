"""What this room refuses."""

from issuer.foundation import errors


class StockSplitMissing(errors.Missing):
    """There is no such stock split."""

    code = "stock-split-missing"
    title = "There is no such stock split"


class StockSplitAnnounced(errors.Conflict):
    """Another split of the token is announced, and not in the books yet."""

    code = "stock-split-announced"
    title = "A split of the token is announced already"


class StockSplitNotProposed(errors.Conflict):
    """A second person is to confirm what nobody has proposed."""

    code = "stock-split-not-proposed"
    title = "Nobody has proposed this"


class StockSplitTold(errors.Conflict):
    """A contract was told of the split, so it cannot just be given up."""

    code = "stock-split-told"
    title = "A contract was told of the split already"


class StockSplitNotCancelled(errors.Conflict):
    """A contract still means to move its multiplier for a split that was called off."""

    code = "stock-split-not-cancelled"
    title = "Not every chain knows that the split was called off"


class StockSplitNotScheduled(errors.Conflict):
    """A chain has not been told of the split."""

    code = "stock-split-not-scheduled"
    title = "Not every chain was told of the split"


class StockSplitNotShown(errors.Conflict):
    """A custodian or a chain does not show the new shares."""

    code = "stock-split-not-shown"
    title = "Not everybody shows the split"


class SplitWindowMalformed(errors.Rejected):
    """Minting would be halted for no time before a split, or for more than a day."""

    code = "split-window-malformed"
    title = "The window before the split is not of use"
