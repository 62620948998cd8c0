"""What follows when a split was agreed on: the gate, the books, and the end."""

from datetime import datetime
from uuid import UUID

from django.db import transaction

from issuer.approvals import services as approvals
from issuer.audit import services as audit
from issuer.chain import services as chain
from issuer.chain.states import ActState
from issuer.corporate_actions import booking, errors, selectors
from issuer.corporate_actions.models import StockSplit
from issuer.corporate_actions.services._steps import lock, take
from issuer.corporate_actions.states import AGREED_STATES, ActPurpose, SplitState, SplitStep
from issuer.custody import services as custody
from issuer.events import services as events
from issuer.foundation import canonical
from issuer.foundation.actors import Actor
from issuer.gate import services as gate
from issuer.gate.models import Cause, GateState, Hold, ScopeKind
from issuer.instruments import selectors as instruments_of
from issuer.instruments import services as instruments
from issuer.instruments.errors import SplitNotEffective
from issuer.ledger import services as ledger
from issuer.reserves import services as reserves


@transaction.atomic
def note_scheduled(stock_split_id: UUID, *, actor: Actor, at: datetime) -> StockSplit:
    """Note that every chain will move the multiplier by itself.

    Raises:
        StockSplitMissing: if there is no such split.
        IllegalTransition: if it is not confirmed, or this is noted.
        StockSplitNotScheduled: if a contract was not told.
    """
    stock_split = lock(stock_split_id)
    SplitStep.SCHEDULE.value.check(SplitState(stock_split.state))
    if not selectors.told_everywhere(stock_split, ActPurpose.SCHEDULE):
        raise errors.StockSplitNotScheduled(f"Not every contract was told of {stock_split}.")
    return take(SplitStep.SCHEDULE, stock_split, actor=actor, at=at)


@transaction.atomic
def end_cancellation(stock_split_id: UUID, *, actor: Actor, at: datetime) -> StockSplit:
    """End a split that was called off, once no chain moves its multiplier for it.

    Raises:
        StockSplitMissing: if there is no such split.
        IllegalTransition: if it was not called off, or this is noted.
        StockSplitNotCancelled: if a contract may still move its multiplier.
    """
    stock_split = lock(stock_split_id)
    SplitStep.END_CANCELLATION.value.check(SplitState(stock_split.state))
    if not selectors.called_off_everywhere(stock_split):
        raise errors.StockSplitNotCancelled(
            f"Not every contract knows that {stock_split} was called off."
        )
    return take(SplitStep.END_CANCELLATION, stock_split, actor=actor, at=at)


@transaction.atomic
def keep_window(stock_split_id: UUID, *, actor: Actor, at: datetime) -> bool:
    """Halt minting and burning of the token while the split needs it, and only then.

    Return whether the split holds the gate shut. Other holds of the token stay what they are.

    Raises:
        StockSplitMissing: if there is no such split.
    """
    stock_split = lock(stock_split_id)
    held = Hold.objects.filter(
        cause=Cause.WINDOW, reference=stock_split.pk, released_at=None
    ).exists()
    needed = selectors.window_open(stock_split, at=at)
    if needed and not held:
        gate.place_hold(
            kind=ScopeKind.TOKEN,
            subject_id=stock_split.token_id,
            effect=GateState.HALTED,
            cause=Cause.WINDOW,
            reason=f"{stock_split.token} is split {stock_split.ratio} at "
            f"{stock_split.effective_at:%Y-%m-%d %H:%M:%S}Z; minting and redemption pause until "
            "books and chains agree.",
            reference=stock_split.pk,
            actor=actor,
            at=at,
        )
    elif held and not needed:
        gate.release_holds([stock_split.pk], cause=Cause.WINDOW, actor=actor, at=at)
    return needed


@transaction.atomic
def book(stock_split_id: UUID, *, actor: Actor, at: datetime) -> StockSplit:
    """Multiply what the books say of the token's shares, once the split is effective.

    One posting pairs what there is with whose it is; shares on their way, and those held for
    requests, are multiplied with it, or nothing is. Then what statements of the new shares have
    shown already is settled. A cancellation that still waits for a second person is void.

    Raises:
        StockSplitMissing: if there is no such split.
        IllegalTransition: if it is not agreed on, or is booked.
        SplitNotEffective: if its time has not come.
        SplitInexact: if a balance or a quantity on its way, multiplied, leaves a fraction.
    """
    stock_split = lock(stock_split_id)
    SplitStep.BOOK.value.check(SplitState(stock_split.state))
    if at < stock_split.effective_at:
        raise SplitNotEffective(
            f"{stock_split} is effective at {canonical.timestamp(stock_split.effective_at)}."
        )
    split = stock_split.split
    assert split is not None, "a constraint says so"
    # Who uses up shares of the token waits here, and so does whoever settles or instructs any.
    token = instruments_of.lock_token(stock_split.token_id)
    ratio = {"shares_after": split.shares_after, "shares_before": split.shares_before}
    custody.apply_split(token, **ratio, actor=actor, at=at)
    reserves.apply_split(token, **ratio, actor=actor, at=at)
    lines = booking.growth_of(token, stock_split.factor)
    if lines:
        ledger.post(f"split/{split.pk}", lines, effective_at=split.effective_at, actor=actor, at=at)
    instruments.record_split_booked(split.pk, actor=actor, at=at)
    custody.settle_after_split(token, actor=actor, at=at)
    _void_cancellation(stock_split, actor=actor, at=at)
    return take(SplitStep.BOOK, stock_split, actor=actor, at=at, trouble="")


@transaction.atomic
def note_trouble(stock_split_id: UUID, *, reason: str, actor: Actor, at: datetime) -> StockSplit:
    """Record why a split could not be booked, for staff to see; it is tried again.

    Raises:
        StockSplitMissing: if there is no such split.
    """
    stock_split = lock(stock_split_id)
    trouble = reason[:500]
    if stock_split.state in AGREED_STATES and stock_split.trouble != trouble:
        stock_split.trouble = trouble
        stock_split.save(update_fields=["trouble"])
        audit.record("stock_split.trouble", subject=stock_split, actor=actor, at=at, reason=trouble)
        facts = {"token": stock_split.token.symbol, "reason": trouble}
        events.record("stock_split.trouble", subject=stock_split, at=at, **facts)
    return stock_split


@transaction.atomic
def close(stock_split_id: UUID, *, actor: Actor, at: datetime) -> StockSplit:
    """End a split that custodians and chains show.

    Raises:
        StockSplitMissing: if there is no such split.
        IllegalTransition: if it is not booked, or is closed.
        StockSplitNotShown: if a chain has another multiplier, or a custodian's current statement
            is of a day before the split or does not show the booked shares.
    """
    stock_split = lock(stock_split_id)
    SplitStep.CLOSE.value.check(SplitState(stock_split.state))
    if not selectors.chains_agree(stock_split):
        raise errors.StockSplitNotShown(f"Not every chain shows {stock_split}.")
    if not selectors.stated_by_custodians(stock_split):
        raise errors.StockSplitNotShown(f"Not every custodian's statement shows {stock_split}.")
    return take(SplitStep.CLOSE, stock_split, actor=actor, at=at)


def _void_cancellation(stock_split: StockSplit, *, actor: Actor, at: datetime) -> None:
    """Close what was proposed to call off a split that is booked: nobody can confirm it now."""
    reason = f"{stock_split} is in the books, and cannot be called off any more."
    approvals.void_open(subject=stock_split, reason=reason, actor=actor, at=at)
    for act in selectors.acts(stock_split).filter(state=ActState.PROPOSED):
        chain.void_act(act.pk, reason=reason, part_of=stock_split, actor=actor, at=at)
