"""Announcing splits, and agreeing on them or on calling them off: always two persons."""

from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import transaction

from issuer.approvals import selectors as approvals_of
from issuer.approvals import services as approvals
from issuer.approvals.errors import ProposalChanged
from issuer.approvals.models import Proposal
from issuer.audit import services as audit
from issuer.chain import selectors as acts_of
from issuer.chain import services as chain
from issuer.chain.models import ContractAct
from issuer.chain.states import ActState, IntentKind
from issuer.corporate_actions import booking, errors, selectors
from issuer.corporate_actions.models import WINDOW_SECONDS_MAX, StockSplit, StockSplitAct
from issuer.corporate_actions.payload import (
    CANCEL_SPLIT,
    CONFIRM_SPLIT,
    as_split,
    cancellation_payload,
    confirmation_payload,
    multipliers_before,
)
from issuer.corporate_actions.services._steps import facts_of, lock, take
from issuer.corporate_actions.states import ActPurpose, SplitState, SplitStep
from issuer.custody import splitting
from issuer.events import services as events
from issuer.foundation import canonical
from issuer.foundation.actors import Actor
from issuer.foundation.errors import Malformed
from issuer.foundation.transactions import translating
from issuer.instruments import selectors as instruments_of
from issuer.instruments import services as instruments
from issuer.instruments.errors import SplitNotAhead, SplitRatioMeaningless
from issuer.instruments.models import Deployment, Network, Token


@transaction.atomic
def announce(
    *,
    token: Token,
    shares_after: int,
    shares_before: int,
    effective_at: datetime,
    window_seconds: int,
    source: str,
    actor: Actor,
    at: datetime,
) -> StockSplit:
    """Record that of `shares_before` shares of `token` will become `shares_after`.

    `source` says who announced it, and where; it is public. Nothing moves before two persons
    agree.

    Raises:
        SplitRatioMeaningless: if the ratio would leave no shares, or as many as before.
        Malformed: if `effective_at` is not on a whole second.
        SplitNotAhead: if `effective_at` has come.
        SplitWindowMalformed: if the gate would shut for no time, or for over a day before it.
        StockSplitAnnounced: if another split of the token is not in the books yet.
        SplitInexact: if a multiplier, a balance or what is on its way could not be multiplied
            exactly as of now.
    """
    assert source, "doors ask for a source"
    if min(shares_after, shares_before) <= 0 or shares_after == shares_before:
        raise SplitRatioMeaningless(f"{shares_after} of {shares_before} is no split.")
    if effective_at.microsecond:
        raise Malformed("Chains count time in whole seconds.", field="effective_at")
    _require_ahead(effective_at, at)
    if not 0 < window_seconds <= WINDOW_SECONDS_MAX:
        raise errors.SplitWindowMalformed(f"{window_seconds} seconds are not between 1 and a day.")
    stock_split = StockSplit(
        token=token,
        shares_after=shares_after,
        shares_before=shares_before,
        effective_at=effective_at,
        window_seconds=window_seconds,
        source=source,
        announced_by=str(actor),
        announced_at=at,
    )
    _require_exact(stock_split)
    announced = errors.StockSplitAnnounced(f"A split of {token} is announced already.")
    with translating({"stock_split_one_pending_per_token": announced}):
        stock_split.save(force_insert=True)
    facts = facts_of(stock_split)
    audit.record("stock_split.announce", subject=stock_split, actor=actor, at=at, **facts)
    events.record("stock_split.announced", subject=stock_split, at=at, **facts)
    return stock_split


@transaction.atomic
def withdraw(stock_split_id: UUID, *, reason: str, actor: Actor, at: datetime) -> StockSplit:
    """Take back what nobody has confirmed; one person may, for nothing has moved.

    Raises:
        StockSplitMissing: if there is no such split.
        IllegalTransition: if it is confirmed, or over.
        StockSplitTold: if a contract was told of it, or is about to be.
    """
    stock_split = lock(stock_split_id)
    SplitStep.WITHDRAW.value.check(SplitState(stock_split.state))
    _require_untold(stock_split)
    _decline_acts(stock_split, reason=reason, actor=actor, at=at)
    approvals.void_open(subject=stock_split, reason=reason, actor=actor, at=at)
    return take(SplitStep.WITHDRAW, stock_split, actor=actor, at=at, trouble="")


@transaction.atomic
def propose_confirmation(stock_split_id: UUID, *, actor: Actor, at: datetime) -> Proposal:
    """Propose to go ahead with a split, and to schedule its multiplier on every chain.

    Raises:
        StockSplitMissing: if there is no such split.
        IllegalTransition: if it is confirmed, or over.
        SplitNotAhead: if its time has come.
        SplitInexact: if a multiplier, a balance or what is on its way cannot be multiplied exactly.
        PersonRequired: if `actor` is nobody's login.
        ProposalOpen: if it is proposed already.
    """
    stock_split = lock(stock_split_id)
    SplitStep.CONFIRM.value.check(SplitState(stock_split.state))
    _require_ahead(stock_split.effective_at, at)
    _require_exact(stock_split)
    payload = confirmation_payload(stock_split)
    proposal = approvals.propose(
        action=CONFIRM_SPLIT, subject=stock_split, payload=payload, actor=actor, at=at
    )
    after = instruments_of.split_multipliers(as_split(stock_split))
    _propose_acts(stock_split, ActPurpose.SCHEDULE, after, actor=actor, at=at)
    return proposal


@transaction.atomic
def confirm(stock_split_id: UUID, *, payload_hash: str, actor: Actor, at: datetime) -> StockSplit:
    """Agree to a split as a second person: from its time on, tokens stand for the new shares.

    `payload_hash` is that of the payload which the person saw. The same two persons have the
    contracts of all chains told.

    Raises:
        StockSplitMissing: if there is no such split.
        IllegalTransition: if it is confirmed, or over, or an act of it was declined.
        StockSplitNotProposed: if nobody proposed it.
        ProposalChanged: if the person saw something else, or multipliers have changed.
        PersonRequired, SamePerson: if `actor` is nobody's login, or the proposer's.
        SplitNotAhead: if its time has come.
        SplitInexact: if a multiplier, a balance or what is on its way cannot be multiplied exactly.
        SplitPending: if another split of the token is under way.
    """
    stock_split = lock(stock_split_id)
    SplitStep.CONFIRM.value.check(SplitState(stock_split.state))
    proposal = _seen(stock_split, CONFIRM_SPLIT, payload_hash)
    payload = confirmation_payload(stock_split)
    approvals.confirm(proposal.pk, payload=payload, actor=actor, at=at)
    _require_exact(stock_split)
    split = instruments.schedule_split(
        token=stock_split.token,
        shares_after=stock_split.shares_after,
        shares_before=stock_split.shares_before,
        effective_at=stock_split.effective_at,
        actor=actor,
        at=at,
    )
    _confirm_acts(stock_split, ActPurpose.SCHEDULE, actor=actor, at=at)
    return take(SplitStep.CONFIRM, stock_split, actor=actor, at=at, split=split)


@transaction.atomic
def decline(stock_split_id: UUID, *, reason: str, actor: Actor, at: datetime) -> StockSplit:
    """Close what is proposed for a split without doing it; its proposer may do so, too.

    Raises:
        StockSplitMissing: if there is no such split.
        StockSplitNotProposed: if nothing is proposed.
        StockSplitTold: if nobody confirmed it, and a contract was told of it or is about to be.
        PersonRequired: if `actor` is nobody's login.
    """
    stock_split = lock(stock_split_id)
    proposal = selectors.proposal_of(stock_split)
    if proposal is None:
        raise errors.StockSplitNotProposed(f"Nothing is proposed for {stock_split}.")
    if proposal.action == CONFIRM_SPLIT:
        _require_untold(stock_split)
    approvals.decline(proposal.pk, reason=reason, actor=actor, at=at)
    _decline_acts(stock_split, reason=reason, actor=actor, at=at)
    return stock_split


@transaction.atomic
def propose_cancellation(
    stock_split_id: UUID, *, reason: str, actor: Actor, at: datetime
) -> Proposal:
    """Propose to call off a split that two persons agreed on, before its time.

    Raises:
        StockSplitMissing: if there is no such split.
        IllegalTransition: if it is not confirmed, or is booked.
        SplitNotAhead: if its time has come.
        PersonRequired: if `actor` is nobody's login.
        ProposalOpen: if it is proposed already.
    """
    assert reason, "doors ask for a reason"
    stock_split = lock(stock_split_id)
    SplitStep.CANCEL.value.check(SplitState(stock_split.state))
    _require_ahead(stock_split.effective_at, at)
    payload = cancellation_payload(stock_split, reason)
    proposal = approvals.propose(
        action=CANCEL_SPLIT, subject=stock_split, payload=payload, actor=actor, at=at
    )
    before = multipliers_before(stock_split)
    _propose_acts(stock_split, ActPurpose.WITHDRAW, before, actor=actor, at=at)
    return proposal


@transaction.atomic
def confirm_cancellation(
    stock_split_id: UUID, *, payload_hash: str, actor: Actor, at: datetime
) -> StockSplit:
    """Call a split off as a second person: multipliers stay, here and on every chain.

    It is over once every chain knows; see `end_cancellation`.

    Raises:
        StockSplitMissing: if there is no such split.
        IllegalTransition: if it is not confirmed, or is booked, or an act of it was declined.
        StockSplitNotProposed: if nobody proposed it.
        ProposalChanged: if the person saw something else.
        PersonRequired, SamePerson: if `actor` is nobody's login, or the proposer's.
        SplitNotAhead: if its time has come.
    """
    stock_split = lock(stock_split_id)
    SplitStep.CANCEL.value.check(SplitState(stock_split.state))
    proposal = _seen(stock_split, CANCEL_SPLIT, payload_hash)
    reason = proposal.payload["reason"]
    payload = cancellation_payload(stock_split, reason)
    approvals.confirm(proposal.pk, payload=payload, actor=actor, at=at)
    assert stock_split.split is not None, "a constraint says so"
    instruments.cancel_split(stock_split.split.pk, reason=reason, actor=actor, at=at)
    # What was not signed is given up first, lest it be signed after what takes it back.
    for act in selectors.acts(stock_split, ActPurpose.SCHEDULE).filter(state=ActState.APPROVED):
        if not acts_of.is_under_way(act):
            chain.fail_act(act.pk, reason=reason, actor=actor, at=at)
    _confirm_acts(stock_split, ActPurpose.WITHDRAW, actor=actor, at=at)
    return take(SplitStep.CANCEL, stock_split, actor=actor, at=at, trouble="")


def _require_ahead(effective_at: datetime, at: datetime) -> None:
    if effective_at <= at:
        raise SplitNotAhead(f"{canonical.timestamp(effective_at)} is not ahead.")


def _require_untold(stock_split: StockSplit) -> None:
    """Refuse to drop a split of which a contract was told, or is about to be."""
    told = [ActState.APPROVED, ActState.SENT, ActState.DONE]
    act = selectors.acts(stock_split, ActPurpose.SCHEDULE).filter(state__in=told).first()
    if act is not None:
        raise errors.StockSplitTold(
            f"{act} is: {act.get_state_display()}. Confirm {stock_split} and cancel it then, so "
            "that every contract is told to leave its multiplier as it is.",
            act=str(act.pk),
        )


def _require_exact(stock_split: StockSplit) -> None:
    """Refuse a split that would leave fractions, as everything stands now."""
    instruments_of.split_multipliers(as_split(stock_split))
    booking.growth_of(stock_split.token, stock_split.factor)
    splitting.require_divisible(
        stock_split.token,
        shares_after=stock_split.shares_after,
        shares_before=stock_split.shares_before,
        day=stock_split.effective_at.date(),
    )


def _seen(stock_split: StockSplit, action: str, payload_hash: str) -> Proposal:
    proposal = approvals_of.open_proposal(stock_split, action)
    if proposal is None:
        raise errors.StockSplitNotProposed(f"Nobody proposed it for {stock_split}.")
    if payload_hash != proposal.payload_hash:
        raise ProposalChanged(
            "This is not what was proposed; read it again.",
            proposed=proposal.payload_hash,
            found=payload_hash[:64],
        )
    return proposal


def _propose_acts(
    stock_split: StockSplit,
    purpose: ActPurpose,
    multipliers: Mapping[Deployment, Decimal],
    *,
    actor: Actor,
    at: datetime,
) -> None:
    """Propose to have the contracts of each network told; one act for those of one multiplier."""
    together: dict[tuple[Network, Decimal], list[Deployment]] = defaultdict(list)
    for deployment, multiplier in multipliers.items():
        together[deployment.network, multiplier].append(deployment)
    verb = "Split" if purpose == ActPurpose.SCHEDULE else "No split"
    for (_, multiplier), deployments in together.items():
        act = chain.propose_act(
            kind=IntentKind.SCHEDULE_MULTIPLIER,
            deployments=deployments,
            multiplier=multiplier,
            effective_at=stock_split.effective_at,
            reason=f"{verb} {stock_split.ratio} of {stock_split.token}.",
            part_of=stock_split,
            actor=actor,
            at=at,
        )
        StockSplitAct.objects.create(stock_split=stock_split, act=act, purpose=purpose)


def _confirm_acts(
    stock_split: StockSplit, purpose: ActPurpose, *, actor: Actor, at: datetime
) -> None:
    """Confirm the acts of the last proposal, but for those that a second person has confirmed."""
    newest: dict[UUID, ContractAct] = {}
    for act in selectors.acts(stock_split, purpose).order_by("pk"):
        newest[act.network_id] = act
    for act in newest.values():
        if act.state in {ActState.APPROVED, ActState.SENT, ActState.DONE}:
            continue
        proposal = acts_of.open_proposal(act)
        payload_hash = "" if proposal is None else proposal.payload_hash
        chain.confirm_act(
            act.pk, payload_hash=payload_hash, part_of=stock_split, actor=actor, at=at
        )


def _decline_acts(stock_split: StockSplit, **why: Any) -> None:
    for act in selectors.acts(stock_split).filter(state=ActState.PROPOSED):
        chain.decline_act(act.pk, part_of=stock_split, **why)
