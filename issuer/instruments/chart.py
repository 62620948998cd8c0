"""The chart of accounts of a token: which accounts it has, and what they are called.

Token accounts are kept in the token's symbol, share accounts in the ISIN of the underlying
security. Debit accounts say what there is, credit accounts whose it is; each side of a unit adds
up to the other.
"""

from collections.abc import Mapping

from issuer.instruments.models import Token
from issuer.ledger.models import Side


def tokens_issued(token: Token) -> str:
    """Return the code of the tokens that were minted; debit."""
    return f"{token.symbol}/tokens/issued"


def tokens_outstanding(token: Token) -> str:
    """Return the code of the register: the tokens that holders have; credit."""
    return f"{token.symbol}/tokens/outstanding"


def shares_settled(token: Token, account_reference: str) -> str:
    """Return the code of the settled shares in a custody account; debit."""
    return f"{token.symbol}/shares/settled/{account_reference}"


def shares_pending_receipt(token: Token, account_reference: str) -> str:
    """Return the code of the shares on their way into a custody account; debit."""
    return f"{token.symbol}/shares/pending-receipt/{account_reference}"


def shares_pending_delivery(token: Token, account_reference: str) -> str:
    """Return the code of the shares on their way out of a custody account; credit."""
    return f"{token.symbol}/shares/pending-delivery/{account_reference}"


def shares_awaited(token: Token) -> str:
    """Return the code against which shares on their way are booked; credit."""
    return f"{token.symbol}/shares/awaited"


def shares_paid_not_minted(token: Token) -> str:
    """Return the code of the shares delivered for tokens that are not minted yet; credit."""
    return f"{token.symbol}/shares/paid-not-minted"


def shares_owed_on_tokens(token: Token) -> str:
    """Return the code of the shares owed to the holders of tokens; credit."""
    return f"{token.symbol}/shares/owed-on-tokens"


def shares_burned_not_delivered(token: Token) -> str:
    """Return the code of the shares owed for burned tokens, and not yet under way; credit."""
    return f"{token.symbol}/shares/burned-not-delivered"


def shares_own(token: Token) -> str:
    """Return the code of the shares that are the SPV's own; credit."""
    return f"{token.symbol}/shares/own"


def shares_prefix(token: Token) -> str:
    """Return what the codes of all share accounts of the token begin with."""
    return f"{token.symbol}/shares/"


def accounts_of(token: Token) -> Mapping[str, tuple[str, Side]]:
    """Return unit and side of each account that `token` has from the start, by code.

    Those of a custody account are opened with it.
    """
    shares = token.security.isin
    return {
        tokens_issued(token): (token.symbol, Side.DEBIT),
        tokens_outstanding(token): (token.symbol, Side.CREDIT),
        shares_awaited(token): (shares, Side.CREDIT),
        shares_paid_not_minted(token): (shares, Side.CREDIT),
        shares_owed_on_tokens(token): (shares, Side.CREDIT),
        shares_burned_not_delivered(token): (shares, Side.CREDIT),
        shares_own(token): (shares, Side.CREDIT),
    }
