"""What custodians are told to take in and to deliver, short of its settlement."""

from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction
from uuid import UUID

from django.db import transaction

from issuer.audit import services as audit
from issuer.custody import errors, selectors
from issuer.custody.models import (
    CustodyAccount,
    Direction,
    Purpose,
    SettlementInstruction,
)
from issuer.custody.services import _steps
from issuer.custody.services._steps import take
from issuer.custody.states import InstructionState, InstructionStep
from issuer.foundation import quantities
from issuer.foundation.actors import Actor
from issuer.foundation.transactions import require_transaction, translating
from issuer.instruments import chart
from issuer.instruments.errors import SplitInexact
from issuer.instruments.models import Token
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
        RequestInstructed: if settlement is instructed for this request already.
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
def fail_instruction(instruction_id: UUID, *, actor: Actor, at: datetime) -> SettlementInstruction:
    """Note that an instruction did not settle on its date; it may settle yet.

    Raises:
        InstructionMissing: if there is no such instruction.
        IllegalTransition: if it does not wait for its date.
    """
    return take(InstructionStep.FAIL, _steps.lock(instruction_id), actor=actor, at=at)


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
        if statement is not None and _steps.may_show(instruction, statement):
            failed.append(take(InstructionStep.FAIL, instruction, actor=actor, at=at))
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
    instruction = take(InstructionStep.CANCEL, _steps.lock(instruction_id), actor=actor, at=at)
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
    factor = Fraction(shares_after, shares_before)
    for instruction in selectors.open_instructions(accounts).select_for_update(of=("self",)):
        before = quantities.to_text(instruction.quantity)
        after = quantities.scaled(instruction.quantity, factor, places=quantities.CUSTODY_SCALE)
        if after is None:
            raise SplitInexact(
                f"{before} shares on their way cannot be split {shares_after}:{shares_before} to "
                f"the last of {quantities.CUSTODY_SCALE} decimal places.",
                instruction=str(instruction.pk),
                quantity=before,
            )
        failed = instruction.state == InstructionState.FAILED
        step = InstructionStep.ADJUST_FAILED if failed else InstructionStep.ADJUST
        facts = {"quantity_before": before, "quantity_after": quantities.to_text(after)}
        adjusted.append(take(step, instruction, actor=actor, at=at, facts=facts, quantity=after))
    return adjusted


def _instruct(
    instruction: SettlementInstruction, *, actor: Actor, at: datetime
) -> SettlementInstruction:
    """Save an instruction, and show its shares as on their way."""
    quantity = instruction.quantity
    if quantity <= 0:
        raise errors.InstructionForNothing(f"{quantity} shares cannot be delivered.")
    quantities.to_base_units(quantity, decimals=quantities.CUSTODY_SCALE)
    if instruction.settlement_date < instruction.trade_date:
        raise errors.SettlementBeforeTrade(
            f"A trade of {instruction.trade_date} cannot settle on {instruction.settlement_date}."
        )
    # A split multiplies what it finds open: whoever adds to it comes wholly before or after.
    CustodyAccount.objects.select_for_update().get(pk=instruction.account_id)
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


def _on_their_way(instruction: SettlementInstruction) -> Line:
    """Return what shows the shares of an instruction as on their way in, or out."""
    account, quantity = instruction.account, instruction.quantity
    token = account.token
    if instruction.direction == Direction.RECEIPT:
        pending = chart.shares_pending_receipt(token, account.reference)
        return Line(pending, chart.shares_awaited(token), quantity)
    pending = chart.shares_pending_delivery(token, account.reference)
    return Line(chart.shares_burned_not_delivered(token), pending, quantity)
