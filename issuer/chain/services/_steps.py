"""The only writer of an intent's state."""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from issuer.audit import services as audit
from issuer.chain.models import ChainEvent, IntentTransition, TransactionIntent
from issuer.chain.request_ids import request_of
from issuer.chain.states import (
    CANCELLING_STATES,
    LIVE_STATES,
    EventKind,
    IntentKind,
    IntentState,
    IntentStep,
)
from issuer.foundation.actors import Actor
from issuer.foundation.transactions import require_transaction

#: No column holds a higher serial, and no id of ours has one.
SERIAL_MAX: Final = 2**15 - 1
#: What of ours leaves which event.
KINDS_OF: Final = {
    EventKind.MINT: [IntentKind.MINT],
    EventKind.BURN: [IntentKind.BURN, IntentKind.SEIZE],
}


def lock(intent_id: UUID) -> TransactionIntent:
    """Return the intent, locked until the end of the transaction."""
    return (
        TransactionIntent.objects.select_for_update(of=("self",))
        .select_related("deployment__network", "deployment__token", "signer_account")
        .get(pk=intent_id)
    )


def take(
    step: IntentStep,
    intent: TransactionIntent,
    *,
    actor: Actor,
    at: datetime,
    block_number: int | None = None,
    block_hash: str = "",
    **columns: Any,
) -> TransactionIntent:
    """Take a step with a locked intent, and set the columns that its new state requires.

    The row, its `IntentTransition` (with the block that showed us, if one did) and the audit
    event are committed together or not at all.
    """
    require_transaction()
    origin = IntentState(intent.state)
    step.value.check(origin)

    intent.state = step.value.destination
    for name, value in columns.items():
        setattr(intent, name, value)
    intent.save(update_fields=["state", *columns])
    IntentTransition.objects.create(
        intent=intent,
        serial=intent.transitions.count() + 1,  # the row is locked, and none is ever deleted
        step=step.name,
        origin=origin,
        destination=intent.state,
        block_number=block_number,
        block_hash=block_hash,
        actor=str(actor),
        occurred_at=at,
    )
    facts = {"block": str(block_number)} if block_number is not None else {}
    action = f"{intent.kind.lower()}.{step.name.lower()}"
    audit.record(action, subject=intent, actor=actor, at=at, **facts)
    return intent


def see_mined(
    intent: TransactionIntent, *, actor: Actor, at: datetime, **block: Any
) -> TransactionIntent:
    """Record that a block has a locked intent, which may have outrun its cancellation."""
    outran = intent.state in CANCELLING_STATES
    step = IntentStep.OUTRUN_CANCEL if outran else IntentStep.SEE_MINED
    return take(step, intent, actor=actor, at=at, **block)


def lose_block(intent: TransactionIntent, *, actor: Actor, at: datetime) -> TransactionIntent:
    """Record that the block of a locked intent is no more; what was being cancelled still is."""
    step = IntentStep.RESUME_CANCEL if intent.cancel_reason else IntentStep.LOSE_BLOCK
    return take(step, intent, actor=actor, at=at)


def finalize_by(event: ChainEvent, *, actor: Actor, at: datetime) -> None:
    """Make the intent that explains `event`, which has a request id, final; if there is one.

    It must be our transaction, too: a mint that copies an intent's request, recipient and amount
    under another signature is not ours, and stays unexplained.
    """
    require_transaction()
    request_id, serial = request_of(event.request_id)
    if serial > SERIAL_MAX:
        return
    intent = (
        TransactionIntent.objects.select_for_update(of=("self",))
        .filter(
            deployment=event.deployment,
            kind__in=KINDS_OF[EventKind(event.kind)],
            request_id=request_id,
            request_serial=serial,
            account=event.address,
            base_units=event.base_units,
            state__in=LIVE_STATES,
            attempts__transaction_hash=event.transaction_hash,
        )
        .first()
    )
    if intent is None:
        return
    block: dict[str, Any] = {"block_number": event.block_number, "block_hash": event.block_hash}
    if intent.state != IntentState.MINED:
        see_mined(intent, actor=actor, at=at, **block)
    take(IntentStep.FINALIZE, intent, actor=actor, at=at, event=event, **block)
