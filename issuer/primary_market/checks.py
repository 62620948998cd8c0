"""What must hold for a participant to be issued tokens, asked again at each decision."""

from datetime import datetime
from decimal import Decimal
from typing import Final

from issuer.foundation import quantities
from issuer.instruments import selectors as instruments
from issuer.instruments.models import Token
from issuer.kyc import selectors as kyc
from issuer.parties import selectors as parties
from issuer.primary_market import errors
from issuer.primary_market.models import IssuanceRequest

#: NUMERIC(38, 18) has so many digits before the point.
SHARES_MAX: Final = Decimal(10) ** (quantities.DIGITS - quantities.SCALE)


def require_issuance_open(token: Token) -> None:
    """Refuse if issuance of `token` is suspended.

    Raises:
        IssuanceClosed: if it is.
    """
    if not token.issuance_open:
        raise errors.IssuanceClosed(f"{token} is not issued now.", token=token.symbol)


def require_cleared(request: IssuanceRequest, *, at: datetime) -> None:
    """Refuse unless the participant may be dealt with at `at`.

    Raises:
        KycNotCleared: if the participant's KYC does not cover `at`.
    """
    kyc.require_cleared(request.participant.entity, at=at)


def require_wallet(request: IssuanceRequest) -> None:
    """Refuse unless the participant still holds the wallet that the tokens go to.

    Raises:
        WalletNotBound: if they do not.
    """
    parties.bound_wallet(request.participant, request.wallet.namespace, request.wallet.address)


def require_entitled(request: IssuanceRequest, *, at: datetime) -> None:
    """Refuse unless the participant may still be dealt with, at the wallet they named.

    Raises:
        KycNotCleared, WalletNotBound: if not.
    """
    require_cleared(request, at=at)
    require_wallet(request)


def require_unchanged_terms(request: IssuanceRequest, *, at: datetime) -> None:
    """Refuse if the token is not issued now, or not on the terms of the request.

    Raises:
        IssuanceClosed: if issuance is suspended.
        MultiplierChanged: if a token stands for another number of shares by now.
    """
    require_issuance_open(request.token)
    multiplier = instruments.multiplier_at(request.deployment, at)
    if multiplier != request.multiplier:
        then, now = quantities.to_text(request.multiplier), quantities.to_text(multiplier)
        detail = f"A token stood for {then} shares, and stands for {now}; make a new request."
        raise errors.MultiplierChanged(detail, requested=then, current=now)


def shares_for(quantity: Decimal, multiplier: Decimal) -> Decimal:
    """Return the shares to deliver for `quantity` tokens, up to the custodian's nine places.

    Raises:
        QuantityMalformed: if they are more than the books can count.
    """
    shares = quantities.delivery_rounded_up(quantities.EXACT.multiply(quantity, multiplier))
    if shares >= SHARES_MAX:
        shown = quantities.to_text(quantity)
        detail = f"{shown} tokens stand for more shares than can be counted here."
        raise quantities.QuantityMalformed(detail)
    return shares
