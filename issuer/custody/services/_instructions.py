"""What custodians are told to take in and to deliver, short of its settlement."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import transaction

from issuer.audit import services as audit
from issuer.custody import errors, selectors, splitting
from issuer.custody.models import (
    REASON_LENGTH_MAX,
    CustodyAccount,
    Direction,
    Purpose,
    SettlementInstruction,
)
from issuer.custody.services import _steps
from issuer.custody.services._settlement import why_not_settled
from issuer.custody.services._steps import take
from issuer.custody.states import InstructionState, InstructionStep
from issuer.foundation import quantities
from issuer.foundation.actors import Actor
from issuer.foundation.transactions import require_transaction, translating
from issuer.instruments import chart
from issuer.instruments import selectors as instruments
from issuer.instruments.models import Token
from issuer.ledger import selectors as books
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
        SharesCountedOtherwise: if a split of the token is effective and not booked.
        SplitInexact: if a split that is scheduled would leave a fraction of it.
        RequestInstructed: if settlement is instructed for this request already.
    """
    return _instruct(
        SettlementInstruction(
            account=account,
            direction=Direction.RECEIPT,
            purpose=purpose,
            request_id=request_id,
            quantity=quantity,
            trade_date=trade_date,
            settlement_date=settlement_date,
            counterparty=delivering_party,
        ),
        actor=actor,
        at=at,
    )


@transaction.atomic
def instruct_delivery(
    *,
    account: CustodyAccount,
    request_id: UUID,
    quantity: Decimal,
    trade_date: date,
    settlement_date: date,
    receiving_party: str,
    actor: Actor,
    at: datetime,
) -> SettlementInstruction:
    """Tell the custodian to deliver `quantity` whole shares out of `account`, free of payment.

    They pay the redemption `request_id`, whose tokens are burned; the books show them as on their
    way out.

    Raises:
        InstructionForNothing: if `quantity` is not above zero.
        QuantityTooFine: if the custodian cannot count `quantity`.
        SettlementBeforeTrade: if the dates are in the wrong order.
        SharesCountedOtherwise: if a split of the token is effective and not booked.
        SplitInexact: if a split that is scheduled would leave a fraction of it.
        RequestInstructed: if settlement is instructed for this request already.
        AccountSharesNotFree: if the account has fewer settled shares that are free.
        Overdrawn: if fewer shares are owed for burned tokens.
    """
    return _instruct(
        SettlementInstruction(
            account=account,
            direction=Direction.DELIVERY,
            purpose=Purpose.REDEMPTION,
            request_id=request_id,
            quantity=quantity,
            trade_date=trade_date,
            settlement_date=settlement_date,
            counterparty=receiving_party,
        ),
        actor=actor,
        at=at,
    )


@transaction.atomic
def reinstruct(
    instruction_id: UUID,
    *,
    trade_date: date,
    settlement_date: date,
    counterparty: str,
    actor: Actor,
    at: datetime,
) -> SettlementInstruction:
    """Tell the custodian again what has failed, or what is left of it, for other dates.

    The books go on showing its shares as on their way. `counterparty` is who delivers or receives
    them now.

    Raises:
        InstructionMissing: if there is no such instruction.
        IllegalTransition: if it has not failed.
        SettlementBeforeTrade: if the dates are in the wrong order.
        SharesCountedOtherwise: if a split of the token is effective and not booked.
    """
    instruction = selectors.lock_instruction(instruction_id)
    _check_dates(trade_date, settlement_date)
    instruments.require_counted_as_booked(instruction.account.token, at=at)
    return take(
        InstructionStep.REINSTRUCT,
        instruction,
        actor=actor,
        at=at,
        detail=f"Due on {settlement_date}, not on {instruction.settlement_date} any more",
        facts={
            "settlement_date_before": instruction.settlement_date.isoformat(),
            "settlement_date": settlement_date.isoformat(),
        },
        trade_date=trade_date,
        settlement_date=settlement_date,
        counterparty=counterparty,
    )


@transaction.atomic
def fail_instruction(
    instruction_id: UUID, *, reason: str, actor: Actor, at: datetime
) -> SettlementInstruction:
    """Note that an instruction did not settle on its date, and why; it may settle yet.

    Raises:
        InstructionMissing: if there is no such instruction.
        IllegalTransition: if it does not wait for its date.
    """
    return _fail(selectors.lock_instruction(instruction_id), reason, actor=actor, at=at)


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
    waiting = overdue.filter(account__in=accounts).select_related("account__token")
    failed = []
    for instruction in waiting.select_for_update(of=("self",)).order_by("pk"):
        statement = statements.get(instruction.account.custodian_id)
        if statement is not None and _steps.may_show(instruction, statement):
            reason = why_not_settled(instruction, statement)
            failed.append(_fail(instruction, reason, actor=actor, at=at))
    return failed


@transaction.atomic
def cancel_instruction(
    instruction_id: UUID, *, actor: Actor, at: datetime
) -> SettlementInstruction:
    """Take an instruction back; the books no longer show its shares as on their way.

    Those of a delivery are owed for burned tokens again. It is taken back only if the custodian
    shows them there, and not about to leave: else they could be delivered twice.

    Raises:
        InstructionMissing: if there is no such instruction.
        IllegalTransition: if it is settled or canceled.
        InstructionPartlySettled: if a part of it has settled.
        SharesMayHaveLeft: if it is a delivery, and the current statement shows its shares as on
            their way out, or fewer shares than the books.
    """
    instruction = selectors.lock_instruction(instruction_id)
    InstructionStep.CANCEL.value.check(InstructionState(instruction.state))
    if instruction.settled_quantity:
        settled = quantities.to_text(instruction.settled_quantity)
        raise errors.InstructionPartlySettled(
            f"{settled} of {instruction} have settled.", settled=settled
        )
    if instruction.direction == Direction.DELIVERY:
        _require_still_there(instruction)
    take(InstructionStep.CANCEL, instruction, actor=actor, at=at)
    on_their_way = _on_their_way(instruction)
    back = Line(on_their_way.credit, on_their_way.debit, instruction.quantity)
    _steps.post(instruction, "canceled", [back], actor=actor, at=at)
    return instruction


def apply_split(
    token: Token, *, shares_after: int, shares_before: int, actor: Actor, at: datetime
) -> list[SettlementInstruction]:
    """Multiply what is still to come into and to leave the accounts of `token`.

    One half of a change: whoever calls it multiplies the books in the same transaction.

    Raises:
        SplitInexact: if a quantity, multiplied, is finer than the custodian can count.
    """
    require_transaction()
    accounts = list(
        CustodyAccount.objects.select_for_update(of=("self",)).filter(token=token).order_by("pk")
    )
    adjusted = []
    for instruction in selectors.open_instructions(accounts).select_for_update(of=("self",)):
        before = quantities.to_text(instruction.quantity)
        after, settled = splitting.multiplied(
            instruction, shares_after=shares_after, shares_before=shares_before
        )
        failed = instruction.state == InstructionState.FAILED
        step = InstructionStep.ADJUST_FAILED if failed else InstructionStep.ADJUST
        facts = {"quantity_before": before, "quantity_after": quantities.to_text(after)}
        columns: dict[str, Any] = {"quantity": after, "settled_quantity": settled}
        adjusted.append(take(step, instruction, actor=actor, at=at, facts=facts, **columns))
    return adjusted


def _instruct(
    instruction: SettlementInstruction, *, actor: Actor, at: datetime
) -> SettlementInstruction:
    """Save an instruction, and show its shares as on their way."""
    quantity = instruction.quantity
    if quantity <= 0:
        raise errors.InstructionForNothing(f"{quantity} shares cannot be delivered.")
    quantities.to_base_units(quantity, decimals=quantities.CUSTODY_SCALE)
    _check_dates(instruction.trade_date, instruction.settlement_date)
    # A split multiplies what it finds open: whoever adds to it comes wholly before or after. And
    # what is free in an account, only one at a time may have delivered.
    CustodyAccount.objects.select_for_update().get(pk=instruction.account_id)
    instruments.require_counted_as_booked(instruction.account.token, at=at)
    pending = instruments.pending_split(instruction.account.token)
    splitting.require_divisible_by(pending, instruction)
    if instruction.direction == Direction.DELIVERY:
        _require_free(instruction)
    instruction.instructed_by, instruction.instructed_at = str(actor), at
    instructed = errors.RequestInstructed(
        f"Settlement is instructed for the request {instruction.request_id}.",
        request=str(instruction.request_id),
    )
    with translating({"instruction_once_per_request_unless_cancelled": instructed}):
        instruction.save(force_insert=True)
    _steps.post(instruction, "instructed", [_on_their_way(instruction)], actor=actor, at=at)
    audit.record(
        "instruction.instruct",
        subject=instruction,
        actor=actor,
        at=at,
        account=instruction.account.reference,
        direction=instruction.direction,
        quantity=quantities.to_text(quantity),
        settlement_date=instruction.settlement_date.isoformat(),
    )
    return instruction


def _check_dates(trade_date: date, settlement_date: date) -> None:
    if settlement_date < trade_date:
        raise errors.SettlementBeforeTrade(
            f"A trade of {trade_date} cannot settle on {settlement_date}."
        )


def _require_free(delivery: SettlementInstruction) -> None:
    """Refuse to deliver more than is free in the locked account."""
    free = max(selectors.deliverable(delivery.account), Decimal(0))
    if delivery.quantity > free:
        needed, shown = quantities.to_text(delivery.quantity), quantities.to_text(free)
        raise errors.AccountSharesNotFree(
            f"{shown} shares of {delivery.account} are free; {needed} are to be delivered.",
            free=shown,
            needed=needed,
        )


def _require_still_there(delivery: SettlementInstruction) -> None:
    """Refuse unless the shares of a delivery are in the locked account, and not about to leave.

    What the custodian shows as gone, or as on its way out, beyond our other deliveries may be this
    one. Both count in shares of the books, where a split has reached only one side.
    """
    account, token = delivery.account, delivery.account.token
    statement = selectors.current_statement(account.custodian)
    there: Decimal | None = None
    if statement is not None:
        position = selectors.positions_in([statement], [account]).get(account.pk)
        if position is not None:
            factor = selectors.booked_factor(statement, token)
            there = quantities.scaled_rounded_down(
                position.settled, factor
            ) - quantities.scaled_rounded_up(position.pending_delivery, factor)
    others = selectors.open_deliveries([account]).exclude(pk=delivery.pk)
    leaving = sum((other.remaining for other in others), Decimal(0))
    settled = books.balance(chart.shares_settled(token, account.reference))
    if there is None or there < settled - leaving:
        raise errors.SharesMayHaveLeft(
            f"The custodian's current statement does not show that {delivery} are there."
        )


def _fail(
    instruction: SettlementInstruction, reason: str, *, actor: Actor, at: datetime
) -> SettlementInstruction:
    reason = reason[:REASON_LENGTH_MAX]
    return take(
        InstructionStep.FAIL,
        instruction,
        actor=actor,
        at=at,
        detail=reason,
        facts={"reason": reason},
        reason=reason,
    )


def _on_their_way(instruction: SettlementInstruction) -> Line:
    """Return what shows the shares of an instruction as on their way in, or out."""
    account, quantity = instruction.account, instruction.quantity
    token = account.token
    if instruction.direction == Direction.RECEIPT:
        pending = chart.shares_pending_receipt(token, account.reference)
        return Line(pending, chart.shares_awaited(token), quantity)
    pending = chart.shares_pending_delivery(token, account.reference)
    return Line(chart.shares_burned_not_delivered(token), pending, quantity)
