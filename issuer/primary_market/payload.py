"""What two officers sign when they approve a request."""

from typing import Any, Final

from issuer.foundation import quantities
from issuer.primary_market.models import IssuanceRequest

#: The action under which approvals keep it.
APPROVE_ISSUANCE: Final = "issuance.approve"


def approval_payload(request: IssuanceRequest) -> dict[str, Any]:
    """Return everything that decides what would be minted, for whom, and against which shares.

    Cover is not part of it: it moves with every block and statement, and is checked under lock
    at the approval and again at the signature.
    """
    return {
        "action": APPROVE_ISSUANCE,
        "request": str(request.pk),
        "participant": request.participant.entity.lei,
        "token": request.token.symbol,
        "token_isin": request.token.isin,
        "deployment": request.deployment.caip10,
        "wallet": str(request.wallet),
        "quantity": quantities.to_text(request.quantity),
        "multiplier": quantities.to_text(request.multiplier),
        "shares": quantities.to_text(request.shares),
        "settlement_instruction": str(request.instruction_id),
    }
