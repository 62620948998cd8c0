"""The only writer of an issuance request's state."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from issuer.foundation.actors import Actor
from issuer.primary_market import errors
from issuer.primary_market.models import IssuanceRequest
from issuer.primary_market.services import _steps
from issuer.primary_market.states import IssuanceStep

#: What others are told has happened, by the step that was taken.
EVENTS: Final[Mapping[IssuanceStep, str]] = {
    IssuanceStep.ACCEPT: "issuance.accepted",
    IssuanceStep.CONFIRM_FUNDING: "issuance.funded",
    IssuanceStep.APPROVE: "issuance.approved",
    IssuanceStep.WITHDRAW_APPROVAL: "issuance.approval_withdrawn",
    IssuanceStep.SIGN_MINT: "issuance.mint_signed",
    IssuanceStep.REVERT_MINT: "issuance.mint_reverted",
    IssuanceStep.DROP_MINT: "issuance.mint_dropped",
    IssuanceStep.CANCEL_MINT: "issuance.mint_cancelled",
    IssuanceStep.COMPLETE: "issuance.completed",
    IssuanceStep.REJECT: "issuance.rejected",
    IssuanceStep.CANCEL: "issuance.cancelled",
    IssuanceStep.EXPIRE: "issuance.expired",
    IssuanceStep.FREEZE: "issuance.frozen",
    IssuanceStep.UNFREEZE_REQUESTED: "issuance.unfrozen",
    IssuanceStep.UNFREEZE_ACCEPTED: "issuance.unfrozen",
    IssuanceStep.UNFREEZE_FUNDED: "issuance.unfrozen",
    IssuanceStep.REQUOTE_REQUESTED: "issuance.requoted",
    IssuanceStep.REQUOTE_ACCEPTED: "issuance.requoted",
    IssuanceStep.REQUOTE_FUNDED: "issuance.requoted",
    IssuanceStep.REQUOTE_MINTING: "issuance.requoted",
    IssuanceStep.REQUOTE_FROZEN: "issuance.requoted",
}


def lock(request_id: UUID) -> IssuanceRequest:
    """Return the request, locked until the end of the transaction.

    Raises:
        IssuanceMissing: if there is none.
    """
    request = (
        IssuanceRequest.objects.select_for_update(of=("self",))
        .select_related(
            "participant__entity",
            "token__program",
            "deployment__network",
            "deployment__token",
            "wallet",
            "instruction",
            "mint_intent",
        )
        .filter(pk=request_id)
        .first()
    )
    if request is None:
        raise errors.IssuanceMissing(f"There is no issuance request {request_id}.")
    return request


def take(
    step: IssuanceStep,
    request: IssuanceRequest,
    *,
    actor: Actor,
    at: datetime,
    reason: str = "",
    **columns: Any,
) -> IssuanceRequest:
    """Take a step with a locked request, and set the columns that its new state requires.

    `reason` is told to the participant, and holds no personal data.
    """
    return _steps.take(
        step,
        request,
        noun="issuance",
        event=EVENTS[step],
        actor=actor,
        at=at,
        reason=reason,
        **columns,
    )
