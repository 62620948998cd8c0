"""Refusals of this room."""

from issuer.foundation import errors


class AccountMissing(errors.Missing):
    """No account has the code."""

    code = "ledger-account-missing"
    title = "There is no such account"


class AccountDiffers(errors.Conflict):
    """The account is open, but holds another unit or grows on the other side."""

    code = "ledger-account-differs"
    title = "The account is open with another unit or side"


class SameAccount(errors.Rejected):
    """A line debits the account that it credits."""

    code = "ledger-same-account"
    title = "A line names one account twice"


class UnitsDiffer(errors.Rejected):
    """A line moves between accounts of different units."""

    code = "ledger-units-differ"
    title = "The accounts hold different units"


class QuantityNotPositive(errors.Rejected):
    """A line moves nothing, or less than nothing."""

    code = "ledger-quantity-not-positive"
    title = "The quantity is not above zero"


class Overdrawn(errors.Conflict):
    """A line takes more from an account than it holds."""

    code = "ledger-overdrawn"
    title = "The account does not hold as much"


class ReferenceReused(errors.Conflict):
    """The reference stands for another posting."""

    code = "ledger-reference-reused"
    title = "The reference stands for another posting"
