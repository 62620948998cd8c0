"""What two officers sign when they approve a request, or that tokens go back."""

from typing import Any, Final

from issuer.foundation import quantities
from issuer.primary_market.models import DepositReturn, IssuanceRequest, RedemptionRequest

#: The actions under which approvals keep them.
APPROVE_ISSUANCE: Final = "issuance.approve"
APPROVE_REDEMPTION: Final = "redemption.approve"
RETURN_TOKENS: Final = "deposit.return"


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


def redemption_payload(request: RedemptionRequest) -> dict[str, Any]:
    """Return everything that decides what would be burned, and to whom which shares would go.

    The tokens that came are part of it, each by its transaction.
    """
    deposits = request.deposits.select_related("transfer").order_by("pk")
    return {
        "action": APPROVE_REDEMPTION,
        "request": str(request.pk),
        "participant": request.participant.entity.lei,
        "token": request.token.symbol,
        "token_isin": request.token.isin,
        "deployment": request.deployment.caip10,
        "wallet": str(request.wallet),
        "deposit_address": request.deposit_address,
        "deposits": [
            {
                "transaction": f"{deposit.transfer.transaction_hash}/{deposit.transfer.log_index}",
                "matched": quantities.to_text(deposit.matched),
            }
            for deposit in deposits
        ],
        "quantity": quantities.to_text(request.quantity),
        "multiplier": quantities.to_text(request.multiplier),
        "shares": quantities.to_text(request.shares),
        "custody_account": "" if request.account is None else request.account.reference,
        "receiving_party": request.receiving_party,
    }


def return_payload(deposit_return: DepositReturn) -> dict[str, Any]:
    """Return everything that decides what would be sent back, to whom, and why."""
    transfer = deposit_return.deposit.transfer
    return {
        "action": RETURN_TOKENS,
        "return": str(deposit_return.pk),
        "transaction": f"{transfer.transaction_hash}/{transfer.log_index}",
        "deployment": transfer.deployment.caip10,
        "token": transfer.deployment.token.symbol,
        "recipient": deposit_return.recipient,
        "quantity": quantities.to_text(deposit_return.quantity),
        "cause": deposit_return.deposit.cause,
        "reason": deposit_return.reason,
    }
