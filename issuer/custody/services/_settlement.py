"""Settling what statements show to have come or gone."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.db import transaction

from issuer.custody import errors, selectors
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
from issuer.instruments import chart
from issuer.ledger import selectors as books
from issuer.ledger.services import Line


@dataclass(frozen=True, slots=True)
class _Movement:
    """How a statement differs from the books of an account, in whole shares.

    `change` is what it states as settled beyond the books; `in_done` and `out_done` are what is on
    its way in our books, and no longer with the custodian.
    """

    change: Decimal
    in_done: Decimal
    out_done: Decimal

    @property
    def arrived(self) -> Decimal:
        """What has come. Settled shares that nobody can explain do not stand in for it."""
        return max(min(self.change, self.in_done), Decimal(0))

    @property
    def departed(self) -> Decimal:
        """What has gone. Shares that are missing without explanation do not stand in for it."""
        return max(min(-self.change, self.out_done), Decimal(0))


@transaction.atomic
def settle_instruction(
    instruction_id: UUID, *, evidence: Statement, actor: Actor, at: datetime
) -> SettlementInstruction:
    """Settle an instruction, for the custodian's statement shows that the shares have moved.

    Raises:
        InstructionMissing: if there is no such instruction.
        IllegalTransition: if it is settled or canceled.
        EvidenceInsufficient: if `evidence` is not the custodian's current statement, is of a day
            before the settlement date, counts other shares than the books since a split, or does
            not show the shares to have come or gone.
    """
    account = _lock_account_of(instruction_id)
    instruction = _steps.lock(instruction_id)
    InstructionStep.SETTLE.value.check(InstructionState(instruction.state))
    _require_current(evidence, account)
    if not _steps.may_show(instruction, evidence):
        raise errors.EvidenceInsufficient(
            f"{evidence} cannot show it: it is of a day before the settlement date, "
            f"{instruction.settlement_date}, or counts the shares of before a split."
        )
    movement = _movement(account, evidence)
    coming = instruction.direction == Direction.RECEIPT
    moved = movement.arrived if coming else movement.departed
    if instruction.quantity > moved and instruction not in _shown(account, evidence):
        verb = "come" if coming else "gone"
        raise errors.EvidenceInsufficient(
            f"{evidence} shows that {quantities.to_text(moved)} shares have {verb}, not "
            f"{quantities.to_text(instruction.quantity)}.",
            **{"arrived" if coming else "departed": quantities.to_text(moved)},
        )
    return _settle(instruction, evidence, actor=actor, at=at)


@transaction.atomic
def settle_from_statement(
    statement: Statement, *, actor: Actor, at: datetime
) -> list[SettlementInstruction]:
    """Settle what a custodian's current statement shows to have come or gone.

    In the order of their settlement dates, and each as a whole: an instruction settles if all its
    shares have moved beyond those of the instructions before it.

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
        _settle(instruction, statement, actor=actor, at=at)
        for account in accounts
        for instruction in _shown(account, statement)
    ]


def _shown(account: CustodyAccount, statement: Statement) -> list[SettlementInstruction]:
    """Return the open instructions of a locked account that the statement shows to have settled.

    Where shares have come and gone, it states the difference alone. That stands for all of them if
    it is theirs to the last share, and the custodian has none of them pending. Else only what the
    difference itself covers has settled.
    """
    waiting = selectors.open_instructions([account]).select_for_update(of=("self",))
    due = [instruction for instruction in waiting if _steps.may_show(instruction, statement)]
    if not due:
        return []
    movement = _movement(account, statement)
    receipts = [one for one in due if one.direction == Direction.RECEIPT]
    deliveries = [one for one in due if one.direction == Direction.DELIVERY]
    come, gone = _within(movement.in_done, receipts), _within(movement.out_done, deliveries)
    if _total(come) - _total(gone) == movement.change:
        return come + gone
    return _within(movement.arrived, receipts) + _within(movement.departed, deliveries)


def _within(
    limit: Decimal, instructions: Sequence[SettlementInstruction]
) -> list[SettlementInstruction]:
    """Return the instructions that fit within `limit` shares together, the first ones first."""
    found = []
    for instruction in instructions:
        if instruction.quantity <= limit:
            found.append(instruction)
            limit -= instruction.quantity
    return found


def _total(instructions: Iterable[SettlementInstruction]) -> Decimal:
    return sum((instruction.quantity for instruction in instructions), Decimal(0))


def _movement(account: CustodyAccount, statement: Statement) -> _Movement:
    """Compare what a statement says of an account with the books."""
    position = Position.objects.filter(statement=statement, account=account).first()
    if position is None:
        return _Movement(Decimal(0), Decimal(0), Decimal(0))
    token, reference = account.token, account.reference
    return _Movement(
        change=position.settled - books.balance(chart.shares_settled(token, reference)),
        in_done=books.balance(chart.shares_pending_receipt(token, reference))
        - position.pending_receipt,
        out_done=books.balance(chart.shares_pending_delivery(token, reference))
        - position.pending_delivery,
    )


def _lock_account_of(instruction_id: UUID) -> CustodyAccount:
    """Return the account of an instruction, locked, so that no two use the same shares of it."""
    account = (
        CustodyAccount.objects.select_for_update(of=("self",))
        .select_related("token", "custodian")
        .filter(instructions=instruction_id)
        .first()
    )
    if account is None:
        raise errors.InstructionMissing(f"There is no settlement instruction {instruction_id}.")
    return account


def _require_current(statement: Statement, account: CustodyAccount) -> None:
    current = selectors.current_statement(account.custodian)
    if current is None or current.pk != statement.pk:
        raise errors.EvidenceInsufficient(
            f"{statement} is not the current statement of {account.custodian}.",
            current="" if current is None else current.reference,
        )


def _settle(
    instruction: SettlementInstruction, evidence: Statement, *, actor: Actor, at: datetime
) -> SettlementInstruction:
    _steps.take(
        InstructionStep.SETTLE,
        instruction,
        actor=actor,
        at=at,
        facts={"statement": str(evidence)},
        evidence=evidence,
        settled_at=at,
    )
    _steps.post(instruction, "settled", _settled(instruction), actor=actor, at=at)
    return instruction


def _settled(instruction: SettlementInstruction) -> list[Line]:
    account, quantity = instruction.account, instruction.quantity
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
