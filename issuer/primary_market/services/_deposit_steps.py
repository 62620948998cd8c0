"""The only writer of a deposit's state, and what its redemption's fate means for it."""

from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet

from issuer.audit import services as audit
from issuer.events import services as events
from issuer.foundation import quantities
from issuer.foundation.actors import Actor
from issuer.foundation.transactions import require_transaction
from issuer.primary_market import errors
from issuer.primary_market.models import Deposit, RedemptionRequest
from issuer.primary_market.services import _redemption_steps as redemptions
from issuer.primary_market.states import DepositCause, DepositState, DepositStep, ReturnState


def lock(deposit_id: UUID) -> Deposit:
    """Return the deposit, locked until the end of the transaction, behind its redemption if any.

    Raises:
        DepositMissing: if there is none.
    """
    while True:
        known = Deposit.objects.filter(pk=deposit_id).values_list("redemption_id", flat=True)
        request = redemptions.for_update().filter(pk__in=known).first()
        before = transaction.savepoint()
        deposit = lock_alone(deposit_id)
        if deposit.redemption_id is None or request is not None:
            transaction.savepoint_commit(before)
            deposit.redemption = request
            return deposit
        # Somebody assigned it while we waited, and locks of requests come first: ours is given up.
        transaction.savepoint_rollback(before)


def lock_alone(deposit_id: UUID) -> Deposit:
    """Return the deposit, locked; for whoever refuses one that counts for a redemption.

    Raises:
        DepositMissing: if there is none.
    """
    deposit = _deposits().filter(pk=deposit_id).first()
    if deposit is None:
        raise errors.DepositMissing(f"There is no deposit {deposit_id}.")
    return deposit


def of(request: RedemptionRequest) -> list[Deposit]:
    """Return the deposits of a locked request, locked, each with the request at hand."""
    found = list(_deposits().filter(redemption=request).order_by("pk"))
    for deposit in found:
        deposit.redemption = request
    return found


def take(
    step: DepositStep, deposit: Deposit, *, actor: Actor, at: datetime, **columns: Any
) -> Deposit:
    """Take a step with a locked deposit, and set the columns that its new state requires."""
    require_transaction()
    step.value.check(DepositState(deposit.state))
    deposit.state = step.value.destination
    for name, value in columns.items():
        setattr(deposit, name, value)
    deposit.save(update_fields=["state", *columns])
    tell(step.name.lower(), deposit, actor=actor, at=at)
    return deposit


def tell(verb: str, deposit: Deposit, *, actor: Actor, at: datetime) -> None:
    """Leave what happened to a deposit in the trail, and tell others."""
    facts = {
        "token": deposit.transfer.deployment.token.symbol,
        "quantity": quantities.to_text(deposit.quantity),
        "matched": quantities.to_text(deposit.matched),
        "returned": quantities.to_text(deposit.returned),
        "state": str(deposit.state),
        "cause": str(deposit.cause),
    }
    if deposit.redemption is not None:
        facts["redemption"] = str(deposit.redemption.pk)
    audit.record(f"deposit.{verb}", subject=deposit, actor=actor, at=at, **facts)
    events.record(f"deposit.{deposit.state.lower()}", subject=deposit, at=at, **facts)


def give_up(request: RedemptionRequest, *, actor: Actor, at: datetime) -> None:
    """Have the deposits of a request that ended without a burn wait for people."""
    for deposit in of(request):
        if deposit.state != DepositState.RETURNING:  # the rest waits once those are gone
            take(
                DepositStep.QUEUE,
                deposit,
                actor=actor,
                at=at,
                cause=DepositCause.REQUEST_ENDED,
            )


def quarantine(request: RedemptionRequest, *, actor: Actor, at: datetime) -> None:
    """Have nobody touch the tokens of a request that was stopped."""
    for deposit in of(request):
        if deposit.state != DepositState.RETURNING:
            take(
                DepositStep.QUARANTINE,
                deposit,
                actor=actor,
                at=at,
                cause=DepositCause.FROZEN_SENDER,
            )


def resume(request: RedemptionRequest, *, actor: Actor, at: datetime) -> None:
    """Have the tokens of a request that goes on count for it again.

    Raises:
        DepositReturning: if some of them go back, or are proposed to.
    """
    for deposit in of(request):
        surplus = deposit.quantity - deposit.matched
        proposed = deposit.returns.filter(state=ReturnState.PROPOSED)
        going = deposit.returned + sum((one.quantity for one in proposed), Decimal(0))
        if going > surplus:
            raise errors.DepositReturning(f"{deposit} goes back; the request cannot go on.")
        if deposit.state != DepositState.QUARANTINED:
            continue
        if surplus == 0:
            take(DepositStep.ASSIGN, deposit, actor=actor, at=at, cause="")
        elif deposit.returned == surplus:
            take(
                DepositStep.LEAVE_RETURNED, deposit, actor=actor, at=at, cause=DepositCause.SURPLUS
            )
        else:
            take(DepositStep.QUEUE, deposit, actor=actor, at=at, cause=DepositCause.SURPLUS)


def _deposits() -> QuerySet[Deposit]:
    return Deposit.objects.select_for_update(of=("self",)).select_related(
        "transfer__deployment__token", "transfer__deployment__network"
    )
