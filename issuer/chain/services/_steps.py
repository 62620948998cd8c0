"""The only writer of an intent's state."""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from issuer.audit import services as audit
from issuer.chain.models import ChainEvent, IntentTransition, TransactionIntent
from issuer.chain.states import LIVE_STATES, EventKind, IntentKind, IntentState, IntentStep
from issuer.foundation.actors import Actor
from issuer.foundation.transactions import require_transaction

UUID_BITS: Final = 128
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


def finalize_by(event: ChainEvent, *, actor: Actor, at: datetime) -> None:
    """Make the intent that explains `event`, which has a request id, final; if there is one.

    It must be our transaction, too: a mint that copies an intent's request, recipient and amount
    under another signature is not ours, and stays unexplained.
    """
    require_transaction()
    number = int(event.request_id, 16)
    if number.bit_length() > UUID_BITS:
        return
    intent = (
        TransactionIntent.objects.select_for_update(of=("self",))
        .filter(
            deployment=event.deployment,
            kind__in=KINDS_OF[EventKind(event.kind)],
            request_id=UUID(int=number),
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
        take(IntentStep.SEE_MINED, intent, actor=actor, at=at, **block)
    take(IntentStep.FINALIZE, intent, actor=actor, at=at, event=event, **block)
