"""What custodians are told to take in, and what becomes of it."""

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import transaction

from issuer.audit import services as audit
from issuer.custody import errors, selectors
from issuer.custody.models import (
    CustodyAccount,
    InstructionTransition,
    Position,
    Purpose,
    SettlementInstruction,
    Statement,
)
from issuer.custody.states import InstructionState, InstructionStep
from issuer.foundation import quantities
from issuer.foundation.actors import Actor
from issuer.foundation.transactions import require_transaction, translating
from issuer.instruments import chart
from issuer.ledger import selectors as books
from issuer.ledger import services as ledger
from issuer.ledger.services import Line


@transaction.atomic
def instruct_receipt(
    *,
    account: CustodyAccount,
    purpose: Purpose,
    quantity: Decimal,
    request_id: UUID | None = None,
    trade_date: date,
    settlement_date: date,
    delivering_party: str,
    actor: Actor,
    at: datetime,
) -> SettlementInstruction:
    """Tell the custodian to take `quantity` whole shares into `account`, free of payment.

    The books show them as on their way. `request_id` is the issuance request that they are for.

    Raises:
        InstructionForNothing: if `quantity` is not above zero.
        QuantityTooFine: if the custodian cannot count `quantity`.
        SettlementBeforeTrade: if the dates are in the wrong order.
        RequestInstructed: if settlement is instructed for this request already.
    """
    if quantity <= 0:
        raise errors.InstructionForNothing(f"{quantity} shares cannot be delivered.")
    quantities.to_base_units(quantity, decimals=quantities.CUSTODY_SCALE)
    if settlement_date < trade_date:
        raise errors.SettlementBeforeTrade(
            f"A trade of {trade_date} cannot settle on {settlement_date}."
        )
    instructed = errors.RequestInstructed(
        f"Settlement is instructed for the request {request_id}.", request=str(request_id)
    )
    with translating({"custody_settlementinstruction_request_id_key": instructed}):
        instruction = SettlementInstruction.objects.create(
            account=account,
            purpose=purpose,
            request_id=request_id,
            quantity=quantity,
            trade_date=trade_date,
            settlement_date=settlement_date,
            delivering_party=delivering_party,
            instructed_by=str(actor),
            instructed_at=at,
        )
    pending = chart.shares_pending_receipt(account.token, account.reference)
    line = Line(pending, chart.shares_awaited(account.token), quantity)
    _post(instruction, "instructed", [line], actor=actor, at=at)
    audit.record(
        "instruction.instruct",
        subject=instruction,
        actor=actor,
        at=at,
        account=account.reference,
        quantity=quantities.to_text(quantity),
        settlement_date=settlement_date.isoformat(),
    )
    return instruction


@transaction.atomic
def settle_instruction(
    instruction_id: UUID, *, evidence: Statement, actor: Actor, at: datetime
) -> SettlementInstruction:
    """Settle an instruction, for the custodian's statement shows that the shares have come.

    Raises:
        InstructionMissing: if there is no such instruction.
        IllegalTransition: if it is settled or canceled.
        EvidenceInsufficient: if `evidence` is not the custodian's current statement, is of a day
            before the settlement date, or does not show the shares to have come.
    """
    account = _lock_account_of(instruction_id)
    instruction = _lock(instruction_id)
    InstructionStep.SETTLE.value.check(InstructionState(instruction.state))
    _require_current(evidence, account)
    if not _may_show(instruction, evidence):
        raise errors.EvidenceInsufficient(
            f"{evidence} is of a day before the settlement date, {instruction.settlement_date}."
        )
    arrived = _arrived(account, evidence)
    if instruction.quantity > arrived:
        raise errors.EvidenceInsufficient(
            f"{evidence} shows that {quantities.to_text(arrived)} shares have come, not "
            f"{quantities.to_text(instruction.quantity)}.",
            arrived=quantities.to_text(arrived),
        )
    return _settle(instruction, evidence, actor=actor, at=at)


@transaction.atomic
def settle_from_statement(
    statement: Statement, *, actor: Actor, at: datetime
) -> list[SettlementInstruction]:
    """Settle what a custodian's current statement shows to have come.

    In the order of their settlement dates, and each as a whole: an instruction settles if all its
    shares have come beyond those of the instructions before it.

    Raises:
        EvidenceInsufficient: if the statement is not the custodian's current one.
    """
    accounts = list(
        CustodyAccount.objects.select_for_update(of=("self",))
        .select_related("token", "custodian")
        .filter(positions__statement=statement)
        .order_by("pk")
    )
    settled = []
    if accounts:
        _require_current(statement, accounts[0])
    for account in accounts:
        waiting = selectors.open_instructions([account]).select_for_update(of=("self",))
        due = [instruction for instruction in waiting if _may_show(instruction, statement)]
        arrived = _arrived(account, statement) if due else Decimal(0)
        for instruction in due:
            if instruction.quantity <= arrived:
                settled.append(_settle(instruction, statement, actor=actor, at=at))
                arrived -= instruction.quantity
    return settled


@transaction.atomic
def fail_instruction(instruction_id: UUID, *, actor: Actor, at: datetime) -> SettlementInstruction:
    """Note that an instruction did not settle on its date; it may settle yet.

    Raises:
        InstructionMissing: if there is no such instruction.
        IllegalTransition: if it does not wait for its date.
    """
    return _take(InstructionStep.FAIL, _lock(instruction_id), actor=actor, at=at)


@transaction.atomic
def fail_overdue(*, actor: Actor, at: datetime) -> list[SettlementInstruction]:
    """Note which instructions did not settle on their date.

    Only those whose date is past, and of which a statement of that date or later says nothing:
    a statement that is not here yet is a failure of its own.
    """
    overdue = SettlementInstruction.objects.filter(
        state=InstructionState.INSTRUCTED, settlement_date__lt=at.date()
    )
    accounts = list(
        CustodyAccount.objects.select_for_update(of=("self",))
        .filter(pk__in=overdue.values("account"))
        .order_by("pk")
    )
    statements = selectors.current_statements({account.custodian_id for account in accounts})
    failed = []
    for instruction in overdue.filter(account__in=accounts).select_for_update().order_by("pk"):
        statement = statements.get(instruction.account.custodian_id)
        if statement is not None and _may_show(instruction, statement):
            failed.append(_take(InstructionStep.FAIL, instruction, actor=actor, at=at))
    return failed


@transaction.atomic
def cancel_instruction(
    instruction_id: UUID, *, actor: Actor, at: datetime
) -> SettlementInstruction:
    """Take an instruction back; the books no longer show its shares as on their way.

    Raises:
        InstructionMissing: if there is no such instruction.
        IllegalTransition: if it is settled or canceled.
    """
    instruction = _take(InstructionStep.CANCEL, _lock(instruction_id), actor=actor, at=at)
    account = instruction.account
    pending = chart.shares_pending_receipt(account.token, account.reference)
    line = Line(chart.shares_awaited(account.token), pending, instruction.quantity)
    _post(instruction, "canceled", [line], actor=actor, at=at)
    return instruction


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


def _lock(instruction_id: UUID) -> SettlementInstruction:
    instruction = (
        SettlementInstruction.objects.select_for_update(of=("self",))
        .select_related("account__token", "account__custodian")
        .filter(pk=instruction_id)
        .first()
    )
    if instruction is None:
        raise errors.InstructionMissing(f"There is no settlement instruction {instruction_id}.")
    return instruction


def _require_current(statement: Statement, account: CustodyAccount) -> None:
    current = selectors.current_statement(account.custodian)
    if current is None or current.pk != statement.pk:
        raise errors.EvidenceInsufficient(
            f"{statement} is not the current statement of {account.custodian}.",
            current="" if current is None else current.reference,
        )


def _may_show(instruction: SettlementInstruction, statement: Statement) -> bool:
    """Say whether a statement may show an instruction: none settles before its date."""
    return statement.as_of_date >= instruction.settlement_date


def _arrived(account: CustodyAccount, statement: Statement) -> Decimal:
    """Return how many of the shares that are on their way the statement shows to have come.

    They are settled beyond those in the books, and no longer pending with the custodian: settled
    shares that nobody can explain do not stand in for shares that are still to come.
    """
    position = Position.objects.filter(statement=statement, account=account).first()
    if position is None:
        return Decimal(0)
    booked = books.balance(chart.shares_settled(account.token, account.reference))
    awaited = books.balance(chart.shares_pending_receipt(account.token, account.reference))
    arrived: Decimal = min(position.settled - booked, awaited - position.pending_receipt)
    return max(arrived, Decimal(0))


def _settle(
    instruction: SettlementInstruction, evidence: Statement, *, actor: Actor, at: datetime
) -> SettlementInstruction:
    account, quantity = instruction.account, instruction.quantity
    token = account.token
    _take(InstructionStep.SETTLE, instruction, actor=actor, at=at, evidence=evidence, settled_at=at)
    settled = chart.shares_settled(token, account.reference)
    pending = chart.shares_pending_receipt(token, account.reference)
    whose = (
        chart.shares_paid_not_minted(token)
        if instruction.purpose == Purpose.ISSUANCE
        else chart.shares_own(token)
    )
    lines = [
        Line(settled, pending, quantity),
        Line(chart.shares_awaited(token), whose, quantity),
    ]
    _post(instruction, "settled", lines, actor=actor, at=at)
    return instruction


def _post(
    instruction: SettlementInstruction,
    happened: str,
    lines: Sequence[Line],
    *,
    actor: Actor,
    at: datetime,
) -> None:
    reference = f"instruction/{instruction.pk}/{happened}"
    ledger.post(reference, lines, effective_at=at, actor=actor, at=at)


def _take(
    step: InstructionStep,
    instruction: SettlementInstruction,
    *,
    actor: Actor,
    at: datetime,
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
    facts = {"statement": str(columns["evidence"])} if "evidence" in columns else {}
    audit.record(
        f"instruction.{step.name.lower()}", subject=instruction, actor=actor, at=at, **facts
    )
    return instruction
