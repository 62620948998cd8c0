"""The only writer of a mint intent's state."""

from datetime import datetime
from typing import Any
from uuid import UUID

from issuer.audit import services as audit
from issuer.chain.models import IntentTransition, TransactionIntent
from issuer.chain.states import IntentState, IntentStep
from issuer.foundation.actors import Actor
from issuer.foundation.transactions import require_transaction


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
    audit.record(f"mint.{step.name.lower()}", subject=intent, actor=actor, at=at, **facts)
    return intent
