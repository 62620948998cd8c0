"""Settling what statements show to have come or gone."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final
from uuid import UUID

from django.db import transaction

from issuer.custody import errors, selectors
from issuer.custody.explaining import STILL, CannotTell, Movement, Moves, explain
from issuer.custody.models import (
    CustodyAccount,
    Direction,
    Position,
    Purpose,
    SettlementInstruction,
    Statement,
)
from issuer.custody.services import _steps
from issuer.custody.states import InstructionState, InstructionStep
from issuer.foundation import quantities
from issuer.foundation.actors import Actor
from issuer.foundation.transactions import require_transaction
from issuer.instruments import chart
from issuer.instruments.models import Token
from issuer.ledger import selectors as books
from issuer.ledger.services import Line

_NOTHING: Final = Decimal(0)


@dataclass(frozen=True, slots=True)
class _Shown:
    """What a statement shows to have moved of an account's instructions, and how much of each.

    `left` is what moved beyond what the statement says by name. `doubt` says why it does not show
    more, where it could not be told; `denied` names those that it says to have moved, while its
    position shows otherwise.
    """

    moves: Moves
    left: Movement = STILL
    doubt: str = ""
    denied: Sequence[SettlementInstruction] = ()


@transaction.atomic
def settle_instruction(
    instruction_id: UUID, *, evidence: Statement, actor: Actor, at: datetime
) -> SettlementInstruction:
    """Settle an instruction, for the custodian's statement shows that the shares have moved.

    Where the statement bears several instructions, and not all of them, whoever calls this has it
    from the custodian which of them were carried out.

    Raises:
        InstructionMissing: if there is no such instruction.
        IllegalTransition: if it is settled or canceled.
        EvidenceInsufficient: if `evidence` is not the custodian's current statement, is of a day
            before the settlement date, counts other shares than the books since a split, or does
            not show the shares to have come or gone.
    """
    instruction = selectors.lock_instruction(instruction_id)
    account = instruction.account
    InstructionStep.SETTLE.value.check(InstructionState(instruction.state))
    _require_current(evidence, account)
    if not _steps.may_show(instruction, evidence):
        raise errors.EvidenceInsufficient(
            f"{evidence} cannot show it: it is of a day before the settlement date, "
            f"{instruction.settlement_date}, or counts the shares of before a split."
        )
    shown = _shown(account, evidence)
    coming = instruction.direction == Direction.RECEIPT
    moved = shown.left.arrived if coming else shown.left.departed
    if (instruction, instruction.remaining) not in shown.moves and (
        instruction.remaining > moved or _named(instruction, evidence) is not None
    ):
        verb = "come" if coming else "gone"
        raise errors.EvidenceInsufficient(
            f"{evidence} shows that {quantities.to_text(moved)} shares have {verb}, not "
            f"{quantities.to_text(instruction.remaining)} of this instruction.",
            **{"arrived" if coming else "departed": quantities.to_text(moved)},
        )
    return _settle(instruction, instruction.remaining, evidence, actor=actor, at=at)


@transaction.atomic
def settle_from_statement(
    statement: Statement, *, actor: Actor, at: datetime
) -> list[SettlementInstruction]:
    """Settle what a custodian's current statement shows to have come or gone.

    What it says of an instruction by name comes first. By the positions alone an instruction is
    settled only where no other choice of instructions would explain them as well; else all stay
    open, until a statement names them or somebody has asked the custodian. Where a part has moved,
    that part is settled, and the rest stays on its way.

    Raises:
        EvidenceInsufficient: if the statement is not the custodian's current one.
    """
    accounts = list(
        CustodyAccount.objects.select_for_update(of=("self",))
        .select_related("token", "custodian")
        .filter(positions__statement=statement)
        .order_by("pk")
    )
    if accounts:
        _require_current(statement, accounts[0])
    return [
        _settle(instruction, quantity, statement, actor=actor, at=at)
        for account in accounts
        for instruction, quantity in _shown(account, statement).moves
    ]


def settle_after_split(token: Token, *, actor: Actor, at: datetime) -> list[SettlementInstruction]:
    """Settle what the current statements show, once the books count the shares that they count.

    One half of a change: whoever books a split calls it in the same transaction. A statement that
    came after the split and before its booking could show nothing until then.
    """
    require_transaction()
    accounts = list(
        CustodyAccount.objects.select_for_update(of=("self",))
        .select_related("token", "custodian")
        .filter(token=token)
        .order_by("pk")
    )
    statements = selectors.current_statements({account.custodian_id for account in accounts})
    return [
        _settle(instruction, quantity, statements[account.custodian_id], actor=actor, at=at)
        for account in accounts
        if account.custodian_id in statements
        for instruction, quantity in _shown(account, statements[account.custodian_id]).moves
    ]


def why_not_settled(instruction: SettlementInstruction, statement: Statement) -> str:
    """Say why an open instruction, whose account is locked, is not settled by a statement."""
    shown = _shown(instruction.account, statement)
    verb = "come" if instruction.direction == Direction.RECEIPT else "gone"
    if instruction in shown.denied:
        return f"{statement} says that its shares have {verb}, and its position that they have not."
    if shown.doubt and _named(instruction, statement) is None:
        return shown.doubt
    if instruction.settled_quantity:
        part = quantities.to_text(instruction.settled_quantity)
        return f"By {statement}, {part} of the shares have {verb}, and not the rest."
    return f"{statement} does not show the shares to have {verb}."


def _shown(account: CustodyAccount, statement: Statement) -> _Shown:
    """Return what a statement shows to have moved by the open instructions of a locked account.

    What it says by name comes first. What is not due settles on its date only, but may explain a
    position, or leave it in doubt; see `explain`. A receipt that is said to be carried out does not
    make good shares that are missing without explanation, nor a delivery shares that are still
    there: where the position contradicts what is named, it stays open.
    """
    waiting = selectors.open_instructions([account]).select_for_update(of=("self",))
    if not selectors.counts_as_booked(statement, account.token):
        return _Shown([])
    named = selectors.named_settlements([statement], waiting)
    left = _movement(account, statement)
    moves: Moves = []
    due: list[SettlementInstruction] = []
    early: list[SettlementInstruction] = []
    for instruction in waiting:
        in_time = statement.as_of_date >= instruction.settlement_date
        if instruction.pk in named:
            settled = min(named[instruction.pk], instruction.quantity)
            part = max(settled - instruction.settled_quantity, _NOTHING)
            left = left.without(instruction, part)
            if part and in_time:
                moves.append((instruction, part))
        else:
            (due if in_time else early).append(instruction)
    try:
        found = explain(left, due, early)
    except CannotTell:
        change = quantities.to_text(left.change)
        doubt = f"Several instructions explain the change by {change} shares in {statement}."
        return _Shown(moves, left, doubt)
    denied: list[SettlementInstruction] = []
    if found is None and left.change:
        contradicted = Direction.RECEIPT if left.change < 0 else Direction.DELIVERY
        denied = [one for one, _ in moves if one.direction == contradicted]
    shown = [(one, part) for one, part in moves if one not in denied]
    return _Shown(shown + (found or []), left, denied=denied)


def _named(instruction: SettlementInstruction, statement: Statement) -> Decimal | None:
    """Return how much of an instruction has settled so far by a statement that speaks of it."""
    stated = instruction.stated_settlements.filter(statement=statement).first()
    return None if stated is None else stated.settled


def _movement(account: CustodyAccount, statement: Statement) -> Movement:
    """Compare what a statement says of an account with the books."""
    position = Position.objects.filter(statement=statement, account=account).first()
    if position is None:
        return STILL
    token, reference = account.token, account.reference
    coming = books.balance(chart.shares_pending_receipt(token, reference))
    leaving = books.balance(chart.shares_pending_delivery(token, reference))
    return Movement(
        change=position.settled - books.balance(chart.shares_settled(token, reference)),
        in_done=coming - position.pending_receipt,
        out_done=leaving - position.pending_delivery,
    )


def _require_current(statement: Statement, account: CustodyAccount) -> None:
    current = selectors.current_statement(account.custodian)
    if current is None or current.pk != statement.pk:
        raise errors.EvidenceInsufficient(
            f"{statement} is not the current statement of {account.custodian}.",
            current="" if current is None else current.reference,
        )


def _settle(
    instruction: SettlementInstruction,
    quantity: Decimal,
    evidence: Statement,
    *,
    actor: Actor,
    at: datetime,
) -> SettlementInstruction:
    """Settle `quantity` whole shares of an instruction: all that was left of it, or a part."""
    moved = {"settled_quantity": instruction.settled_quantity + quantity}
    shares, all_of_it = quantities.to_text(quantity), quantities.to_text(instruction.quantity)
    if quantity == instruction.remaining:
        step, happened = InstructionStep.SETTLE, "settled"
        moved |= {"evidence": evidence, "settled_at": at}
    else:
        late = instruction.state == InstructionState.FAILED
        step = InstructionStep.SETTLE_PART_LATE if late else InstructionStep.SETTLE_PART
        happened = f"settled-part/{instruction.transitions.count() + 1}"
    _steps.take(
        step,
        instruction,
        actor=actor,
        at=at,
        detail=f"{shares} of {all_of_it} shares, by {evidence}",
        facts={"statement": str(evidence), "quantity": shares},
        **moved,
    )
    _steps.post(instruction, happened, _settled(instruction, quantity), actor=actor, at=at)
    return instruction


def _settled(instruction: SettlementInstruction, quantity: Decimal) -> list[Line]:
    account = instruction.account
    token = account.token
    settled = chart.shares_settled(token, account.reference)
    if instruction.direction == Direction.DELIVERY:
        return [Line(chart.shares_pending_delivery(token, account.reference), settled, quantity)]
    whose = (
        chart.shares_paid_not_minted(token)
        if instruction.purpose == Purpose.ISSUANCE
        else chart.shares_own(token)
    )
    return [
        Line(settled, chart.shares_pending_receipt(token, account.reference), quantity),
        Line(chart.shares_awaited(token), whose, quantity),
    ]
