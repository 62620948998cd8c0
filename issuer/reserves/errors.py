"""What this room refuses."""

from issuer.foundation import errors


class CoverUnknown(errors.Unavailable):
    """A source is missing, stale or in disagreement; the facts say which."""

    code = "cover-unknown"
    title = "Whether the shares are there is not known"


class SharesNotFree(errors.Conflict):
    """Fewer free settled shares are there than are needed; the facts say how many."""

    code = "shares-not-free"
    title = "Not enough shares are free"


class SharesHeldAlready(errors.Conflict):
    """Shares are held for the request already."""

    code = "shares-held-already"
    title = "Shares are held for the request already"


class ShareHoldMissing(errors.Missing):
    """No shares are held for the request."""

    code = "share-hold-missing"
    title = "No shares are held for the request"
