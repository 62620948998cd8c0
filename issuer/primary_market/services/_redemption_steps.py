"""The only writer of a redemption request's state, and the order in which rows are locked.

Whoever locks more than one thing locks in this order, and several of one kind by their ids:

1. the transfer of a deposit that is not recorded yet;
2. requests: all that tokens of one sender might count for at once (`lock_beside`), if any might;
3. deposits, then the return of one;
4. what is proposed for them;
5. the token (its equation, and what a split books);
6. gates, shared; a halt locks them alone, and takes nothing after them;
7. the custody account and its instruction, the shares held, the signer and its transaction;
8. accounts of the ledger.

Nobody waits for an earlier one while holding a later one, so no two wait for each other.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.db.models import Q, QuerySet

from issuer.foundation.actors import Actor
from issuer.primary_market import errors
from issuer.primary_market.models import RedemptionRequest
from issuer.primary_market.services import _steps
from issuer.primary_market.states import ENDED_STATES, RedemptionStep

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


def lock_beside(request_id: UUID) -> RedemptionRequest:
    """Return the request, locked together with every other that its sender's tokens may be for.

    Raises:
        RedemptionMissing: if there is none.
    """
    asked = RedemptionRequest.objects.select_related("wallet").filter(pk=request_id).first()
    if asked is None:
        raise errors.RedemptionMissing(f"There is no redemption request {request_id}.")
    # PostgreSQL keeps all of these what they are, so they can be read before the locks are there.
    beside = Q(
        participant=asked.participant_id,
        deployment=asked.deployment_id,
        deposit_address=asked.deposit_address,
        wallet__namespace=asked.wallet.namespace,
        wallet__address=asked.wallet.address,
    ) & ~Q(state__in=ENDED_STATES)
    locked = list(for_update().filter(Q(pk=request_id) | beside))
    return next(request for request in locked if request.pk == request_id)


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
