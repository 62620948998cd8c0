"""All that has happened to a redemption, in one order."""

from collections.abc import Iterator, Mapping
from typing import Final

from issuer.custody.models import SettlementInstruction
from issuer.foundation import quantities
from issuer.primary_market.models import Deposit, RedemptionRequest
from issuer.primary_market.payload import APPROVE_REDEMPTION, RETURN_TOKENS
from issuer.primary_market.selectors._timeline import (
    Moment,
    moments_of_approvals,
    moments_of_chain,
    moments_of_custody,
    moments_of_request,
)
from issuer.primary_market.states import DepositCause, RedemptionStep

_S = RedemptionStep
_STEPS: Final[Mapping[str, str]] = {
    _S.ACCEPT.name: "Accepted",
    _S.RECEIVE.name: "All tokens received",
    _S.APPROVE.name: "Approved",
    _S.WITHDRAW_APPROVAL.name: "Approval withdrawn",
    _S.SIGN_BURN.name: "Burn signed",
    _S.REVERT_BURN.name: "Burn reverted, approved again",
    _S.DROP_BURN.name: "Burn dropped, approved again",
    _S.BOOK_BURN.name: "Burned; the shares are owed by name",
    _S.INSTRUCT_DELIVERY.name: "Delivery instructed",
    _S.COMPLETE.name: "Completed",
    _S.LOSE_DELIVERY.name: "Delivery cancelled, frozen",
    _S.REJECT.name: "Rejected",
    _S.CANCEL.name: "Cancelled",
    _S.EXPIRE.name: "Expired",
    _S.FREEZE.name: "Frozen",
    _S.QUARANTINE.name: "Quarantined with its tokens",
    _S.UNFREEZE_REQUESTED.name: "Unfrozen",
    _S.UNFREEZE_AWAITING.name: "Unfrozen",
    _S.UNFREEZE_RECEIVED.name: "Unfrozen",
    _S.UNFREEZE_BURNED.name: "Unfrozen",
    _S.RETURN.name: "Returned",
    _S.REQUOTE_REQUESTED.name: "New terms after a split",
    _S.REQUOTE_AWAITING.name: "New terms after a split",
    _S.REQUOTE_RECEIVED.name: "New terms after a split, to be approved again",
    _S.REQUOTE_BURNING.name: "New terms after a split",
    _S.REQUOTE_BURNED.name: "New terms after a split",
    _S.REQUOTE_DELIVERING.name: "New terms after a split",
    _S.REQUOTE_QUARANTINED.name: "New terms after a split",
    _S.REQUOTE_FROZEN.name: "New terms after a split",
}


def redemption_timeline(request: RedemptionRequest) -> list[Moment]:
    """Return all that has happened to `request`, the oldest first."""
    deliveries = SettlementInstruction.objects.filter(request_id=request.pk).select_related(
        "evidence"
    )
    moments = [
        *moments_of_request(request, _STEPS),
        *moments_of_approvals(request, APPROVE_REDEMPTION),
        *moments_of_chain([request.pk], "Burn"),
        *moments_of_custody(deliveries.order_by("id"), "Delivery"),
    ]
    deposits = request.deposits.select_related("transfer__deployment__network").order_by("id")
    for deposit in deposits:
        moments += moments_of_deposit(deposit)
    return sorted(moments, key=lambda moment: moment.at)


def deposit_timeline(deposit: Deposit) -> list[Moment]:
    """Return all that has happened to a deposit, the oldest first."""
    return sorted(moments_of_deposit(deposit), key=lambda moment: moment.at)


def moments_of_deposit(deposit: Deposit) -> Iterator[Moment]:
    """Yield that tokens came, and what went back of them."""
    transfer = deposit.transfer
    came = {
        "transaction": transfer.transaction_hash,
        "block": str(transfer.block_number),
        "block hash": transfer.block_hash,
    }
    what = f"{quantities.to_text(deposit.quantity)} tokens"
    yield Moment(
        transfer.block_mined_at, "chain", f"{what} sent by {transfer.sender}", "", evidence=came
    )
    cause = DepositCause(deposit.cause).label if deposit.cause else ""
    matched = f"{quantities.to_text(deposit.matched)} of {what} counted"
    yield Moment(
        deposit.recorded_at,
        "primary_market",
        matched if deposit.matched else f"{what} wait for a person",
        "",
        reason=cause,
    )
    for each in deposit.returns.order_by("id"):
        yield Moment(
            each.proposed_at,
            "primary_market",
            f"Return of {quantities.to_text(each.quantity)} proposed",
            each.proposed_by,
            reason=each.reason,
        )
        yield from moments_of_approvals(each, RETURN_TOKENS)
        yield from moments_of_chain([each.pk], "Return")
