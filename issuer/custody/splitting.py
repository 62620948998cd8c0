"""What a split makes of shares that are on their way."""

from datetime import date
from decimal import Decimal
from fractions import Fraction

from django.db.models import Q

from issuer.custody import selectors
from issuer.custody.models import CustodyAccount, SettlementInstruction
from issuer.custody.states import InstructionState
from issuer.foundation import quantities
from issuer.instruments.errors import SplitInexact
from issuer.instruments.models import Split, Token


def multiplied(
    instruction: SettlementInstruction, *, shares_after: int, shares_before: int
) -> tuple[Decimal, Decimal]:
    """Return the quantity of an instruction after a split, and what has settled of it.

    Raises:
        SplitInexact: if one of them is finer than the custodian can count.
    """
    factor = Fraction(shares_after, shares_before)
    after, settled = (
        quantities.scaled(quantity, factor, places=quantities.CUSTODY_SCALE)
        for quantity in (instruction.quantity, instruction.settled_quantity)
    )
    if after is None or settled is None:
        before = quantities.to_text(instruction.quantity)
        raise SplitInexact(
            f"{before} shares on their way cannot be split {shares_after}:{shares_before} to "
            f"the last of {quantities.CUSTODY_SCALE} decimal places. Custodians pay cash in "
            "lieu of a fraction: have them taken back, and what the split leaves instructed.",
            instruction=str(instruction.pk),
            quantity=before,
        )
    return after, settled


def require_divisible(token: Token, *, shares_after: int, shares_before: int, day: date) -> None:
    """Refuse a split on `day` that meets shares on their way which it cannot multiply exactly.

    What settles before that day does not meet it, unless it has failed to settle already.

    Raises:
        SplitInexact: if there are such shares.
    """
    accounts = CustodyAccount.objects.filter(token=token)
    met = Q(settlement_date__gte=day) | Q(state=InstructionState.FAILED)
    for instruction in selectors.open_instructions(accounts).filter(met):
        multiplied(instruction, shares_after=shares_after, shares_before=shares_before)


def require_divisible_by(split: Split | None, instruction: SettlementInstruction) -> None:
    """Refuse an instruction that is to settle once a scheduled `split` holds, if it cannot.

    Raises:
        SplitInexact: if the split would leave a fraction of it.
    """
    if split is not None and instruction.settlement_date >= split.effective_at.date():
        ratio = {"shares_after": split.shares_after, "shares_before": split.shares_before}
        multiplied(instruction, **ratio)
