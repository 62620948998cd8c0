"""The only writer of a redemption request's state."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.db.models import QuerySet

from issuer.foundation.actors import Actor
from issuer.primary_market import errors
from issuer.primary_market.models import RedemptionRequest
from issuer.primary_market.services import _steps
from issuer.primary_market.states import RedemptionStep

_S = RedemptionStep
#: What others are told has happened, by the step that was taken.
EVENTS: Final[Mapping[RedemptionStep, str]] = {
    _S.ACCEPT: "redemption.accepted",
    _S.RECEIVE: "redemption.received",
    _S.APPROVE: "redemption.approved",
    _S.WITHDRAW_APPROVAL: "redemption.approval_withdrawn",
    _S.SIGN_BURN: "redemption.burn_signed",
    _S.REVERT_BURN: "redemption.burn_reverted",
    _S.DROP_BURN: "redemption.burn_dropped",
    _S.BOOK_BURN: "redemption.burned",
    _S.INSTRUCT_DELIVERY: "redemption.delivery_instructed",
    _S.COMPLETE: "redemption.completed",
    _S.LOSE_DELIVERY: "redemption.delivery_cancelled",
    _S.REJECT: "redemption.rejected",
    _S.CANCEL: "redemption.cancelled",
    _S.EXPIRE: "redemption.expired",
    _S.FREEZE: "redemption.frozen",
    _S.QUARANTINE: "redemption.quarantined",
    _S.UNFREEZE_REQUESTED: "redemption.unfrozen",
    _S.UNFREEZE_AWAITING: "redemption.unfrozen",
    _S.UNFREEZE_RECEIVED: "redemption.unfrozen",
    _S.UNFREEZE_BURNED: "redemption.unfrozen",
    _S.RETURN: "redemption.returned",
    _S.REQUOTE_REQUESTED: "redemption.requoted",
    _S.REQUOTE_AWAITING: "redemption.requoted",
    _S.REQUOTE_RECEIVED: "redemption.requoted",
    _S.REQUOTE_BURNING: "redemption.requoted",
    _S.REQUOTE_BURNED: "redemption.requoted",
    _S.REQUOTE_DELIVERING: "redemption.requoted",
    _S.REQUOTE_QUARANTINED: "redemption.requoted",
    _S.REQUOTE_FROZEN: "redemption.requoted",
}


def lock(request_id: UUID) -> RedemptionRequest:
    """Return the request, locked until the end of the transaction.

    Raises:
        RedemptionMissing: if there is none.
    """
    request = for_update().filter(pk=request_id).first()
    if request is None:
        raise errors.RedemptionMissing(f"There is no redemption request {request_id}.")
    return request


def for_update() -> QuerySet[RedemptionRequest]:
    """Return requests to be locked, in one order, with all that their steps need."""
    return (
        RedemptionRequest.objects.select_for_update(of=("self",))
        .select_related(
            "participant__entity",
            "token__program",
            "deployment__network",
            "deployment__token",
            "wallet",
            "account__custodian",
            "instruction",
            "burn_intent",
        )
        .order_by("pk")
    )


def take(
    step: RedemptionStep,
    request: RedemptionRequest,
    *,
    actor: Actor,
    at: datetime,
    reason: str = "",
    **columns: Any,
) -> RedemptionRequest:
    """Take a step with a locked request, and set the columns that its new state requires.

    `reason` is told to the participant, and holds no personal data.
    """
    return _steps.take(
        step,
        request,
        noun="redemption",
        event=EVENTS[step],
        actor=actor,
        at=at,
        reason=reason,
        **columns,
    )
