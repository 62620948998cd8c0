"""Steps of settlement instructions: locked, posted, and left behind."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from issuer.audit import services as audit
from issuer.custody import errors, selectors
from issuer.custody.models import InstructionTransition, SettlementInstruction, Statement
from issuer.custody.states import InstructionState, InstructionStep
from issuer.foundation.actors import Actor
from issuer.foundation.transactions import require_transaction
from issuer.ledger import services as ledger
from issuer.ledger.services import Line


def lock(instruction_id: UUID) -> SettlementInstruction:
    """Return an instruction, locked until the transaction ends.

    Raises:
        InstructionMissing: if there is none of this id.
    """
    instruction = (
        SettlementInstruction.objects.select_for_update(of=("self",))
        .select_related("account__token", "account__custodian")
        .filter(pk=instruction_id)
        .first()
    )
    if instruction is None:
        raise errors.InstructionMissing(f"There is no settlement instruction {instruction_id}.")
    return instruction


def may_show(instruction: SettlementInstruction, statement: Statement) -> bool:
    """Say whether a statement may show an instruction to have settled.

    None settles before its date; and where statement and books count other shares, for a split
    has reached one of them only, the two cannot be compared.
    """
    return statement.as_of_date >= instruction.settlement_date and selectors.counts_as_booked(
        statement, instruction.account.token
    )


def post(
    instruction: SettlementInstruction,
    happened: str,
    lines: Sequence[Line],
    *,
    actor: Actor,
    at: datetime,
) -> None:
    """Post what happened to an instruction."""
    reference = f"instruction/{instruction.pk}/{happened}"
    ledger.post(reference, lines, effective_at=at, actor=actor, at=at)


def take(
    step: InstructionStep,
    instruction: SettlementInstruction,
    *,
    actor: Actor,
    at: datetime,
    facts: Mapping[str, str] | None = None,
    **columns: Any,
) -> SettlementInstruction:
    """Take a step with a locked instruction: the only writer of `state`."""
    require_transaction()
    origin = InstructionState(instruction.state)
    step.value.check(origin)
    instruction.state = step.value.destination
    for name, value in columns.items():
        setattr(instruction, name, value)
    instruction.save(update_fields=["state", *columns])
    InstructionTransition.objects.create(
        instruction=instruction,
        step=step.name,
        origin=origin,
        destination=instruction.state,
        actor=str(actor),
        occurred_at=at,
    )
    audit.record(
        f"instruction.{step.name.lower()}",
        subject=instruction,
        actor=actor,
        at=at,
        **facts or {},
    )
    return instruction
