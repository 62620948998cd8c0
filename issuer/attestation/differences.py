"""Which breaks the lines of a reconciliation show, and of what amount."""

from decimal import Decimal
from typing import Final

from issuer.reconciliation.models import TokenResult
from issuer.reconciliation.states import BreakCode
from issuer.reserves.cover import CoverStatus

#: Breaks that are a figure of a token's reconciliation, and of nothing else.
SHOWN_BY_LINES: Final = frozenset(
    {
        BreakCode.SUP_OVER,
        BreakCode.SUP_UNDER,
        BreakCode.CUS_LONG,
        BreakCode.CUS_SHORT,
        BreakCode.BAK_SETTLED,
        BreakCode.BAK_SHORT,
    }
)
_ZERO: Final = Decimal(0)


def shown(result: TokenResult, code: BreakCode) -> Decimal | None:
    """Return the difference that a run found for one of `SHOWN_BY_LINES`; 0 if there is none.

    None where it could not tell.
    """
    lines: dict[str, Decimal | None] = {line.code: line.quantity for line in result.lines.all()}
    match code:
        case BreakCode.SUP_OVER | BreakCode.SUP_UNDER:
            found = lines["A10"]
        case BreakCode.CUS_LONG | BreakCode.CUS_SHORT:
            found = lines["B11"]
        case _:
            return _shortfall(result, code)
    if found is None:
        return None
    excess = code in {BreakCode.SUP_OVER, BreakCode.CUS_LONG}
    return max(found if excess else -found, _ZERO)


def _shortfall(result: TokenResult, code: BreakCode) -> Decimal | None:
    surplus: Decimal | None = result.surplus_shares
    if surplus is None:
        return None
    wanted, admitted = CoverStatus.IN_TRANSIT, _ZERO
    if code == BreakCode.BAK_SHORT:
        wanted, admitted = CoverStatus.SHORT, result.disclosed_shares or _ZERO
    return _ZERO if result.status != wanted else -surplus - admitted
