"""Steps of settlement instructions: locked, posted, and left behind."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from issuer.audit import services as audit
from issuer.custody import selectors
from issuer.custody.models import InstructionTransition, SettlementInstruction, Statement
from issuer.custody.states import InstructionState, InstructionStep
from issuer.foundation.actors import Actor
from issuer.foundation.transactions import require_transaction
from issuer.ledger import services as ledger
from issuer.ledger.services import Line


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
    detail: str = "",
    facts: Mapping[str, str] | None = None,
    **columns: Any,
) -> SettlementInstruction:
    """Take a step with a locked instruction: the only writer of `state`.

    What has failed keeps its reason until it has not failed any more.
    """
    require_transaction()
    origin = InstructionState(instruction.state)
    step.value.check(origin)
    instruction.state = step.value.destination
    if instruction.state != InstructionState.FAILED:
        columns["reason"] = ""
    for name, value in columns.items():
        setattr(instruction, name, value)
    instruction.save(update_fields=["state", *columns])
    InstructionTransition.objects.create(
        instruction=instruction,
        step=step.name,
        origin=origin,
        destination=instruction.state,
        detail=detail,
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
