"""Whether the shares of a redemption are there, before its tokens are burned."""

from datetime import datetime
from decimal import Decimal

from issuer.custody import selectors as custody
from issuer.custody.errors import AccountSharesNotFree
from issuer.foundation import quantities
from issuer.primary_market.models import RedemptionRequest
from issuer.primary_market.selectors import promised_from
from issuer.reserves import selectors as reserves_of
from issuer.reserves import services as reserves


def require_redeemable(request: RedemptionRequest, *, at: datetime) -> None:
    """Refuse unless the token has the shares, and the account that they are to leave from has.

    The locks of `reserves.services.require_redeemable` keep it so.

    Raises:
        GateClosed: if one of its gates is halted.
        CoverUnknown, SharesNotFree: if its shares are not there, or not known to be.
        AccountSharesNotFree: if they are at another custodian.
    """
    scopes = reserves_of.scopes_of(request.token, request.deployment.network)
    reserves.require_redeemable(
        token_id=request.token_id, shares=request.shares, scopes=scopes, at=at
    )
    assert request.account is not None
    free = custody.deliverable(request.account) - promised_from(request.account)
    if request.shares > free:
        shown, needed = (
            quantities.to_text(max(free, Decimal(0))),
            quantities.to_text(request.shares),
        )
        raise AccountSharesNotFree(
            f"{shown} shares of {request.account} are free; {needed} are to be delivered.",
            free=shown,
            needed=needed,
        )
