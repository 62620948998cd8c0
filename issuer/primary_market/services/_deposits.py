"""Tokens that came to a deposit address: for which redemption they count, if for any.

What is matched is decided by the bound wallet and the exact quantity. Whatever is not plain is
left to people, and nothing here ever burns a token.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.db import transaction

from issuer.chain.models import IncomingTransfer
from issuer.foundation import quantities
from issuer.foundation.actors import Actor
from issuer.kyc import selectors as kyc
from issuer.kyc.errors import KycNotCleared
from issuer.parties.models import Wallet
from issuer.parties.states import WalletState
from issuer.primary_market import checks, errors
from issuer.primary_market.models import Deposit, RedemptionRequest
from issuer.primary_market.services import _deposit_steps as steps
from issuer.primary_market.services import _redemption_steps as redemptions
from issuer.primary_market.services._redemption import receive_if_complete
from issuer.primary_market.states import (
    ENDED_STATES,
    OPEN_RETURN_STATES,
    RECEIVING_STATES,
    DepositCause,
    DepositState,
    DepositStep,
    RedemptionState,
)

#: A request in one of these was stopped by us, and not because it ended.
STOPPED_STATES = (RedemptionState.FROZEN, RedemptionState.QUARANTINED)


@dataclass(frozen=True, slots=True)
class _Match:
    """What is to become of a deposit: a request that it counts for, or why it waits."""

    request: RedemptionRequest | None = None
    cause: DepositCause | None = None

    @property
    def state(self) -> DepositState:
        if self.cause is DepositCause.FROZEN_SENDER:
            return DepositState.QUARANTINED
        return DepositState.UNMATCHED if self.cause else DepositState.MATCHED


@transaction.atomic
def match_deposit(transfer_id: UUID, *, actor: Actor, at: datetime) -> Deposit:
    """Record a final transfer to a deposit address, once, and count it if that is plain.

    It counts for the open redemption of the sender's bound wallet, of that token on that network;
    of several, for one of which exactly so much is missing. What it brings beyond what is missing
    waits to be returned, and so does what counts for none; tokens of a sender who may not be dealt
    with are quarantined.
    """
    transfer = (
        IncomingTransfer.objects.select_for_update(of=("self",))
        .select_related("deployment__token", "deployment__network")
        .get(pk=transfer_id)
    )
    known = Deposit.objects.filter(transfer=transfer).first()
    if known is not None:
        return known
    quantity = quantities.to_quantity(transfer.base_units, decimals=transfer.deployment.decimals)
    match = _match(transfer, quantity, at=at)
    matched = min(quantity, match.request.missing) if match.request else Decimal(0)
    surplus = match.request is not None and matched < quantity
    deposit = Deposit.objects.create(
        transfer=transfer,
        redemption=match.request,
        quantity=quantity,
        matched=matched,
        state=DepositState.UNMATCHED if surplus else match.state,
        cause=DepositCause.SURPLUS if surplus else match.cause or "",
        recorded_at=at,
    )
    steps.tell("record", deposit, actor=actor, at=at)
    if match.request is not None:
        _count(match.request, matched, actor=actor, at=at)
    return deposit


@transaction.atomic
def assign_deposit(deposit_id: UUID, *, request_id: UUID, actor: Actor, at: datetime) -> Deposit:
    """Count a deposit that waits for a person for a redemption of its own sender.

    What it brings beyond what is missing goes on waiting, to be returned.

    Raises:
        DepositMissing, RedemptionMissing: if there is no such deposit, or request.
        IllegalTransition: if the deposit does not wait.
        DepositCounted: if it counts for a redemption already.
        DepositReturning: if it is proposed to be returned.
        DepositOfAnother: if the request is of another wallet, token or network.
        RedemptionNotReceiving: if the request waits for no tokens.
        KycNotCleared, WalletNotBound: if the participant may not be dealt with.
    """
    request = redemptions.lock(request_id)
    deposit = steps.lock_alone(deposit_id)
    DepositStep.ASSIGN.value.check(DepositState(deposit.state))
    if deposit.redemption is not None:
        raise errors.DepositCounted(f"{deposit} counts for {deposit.redemption}.")
    if deposit.returns.filter(state__in=OPEN_RETURN_STATES).exists():
        raise errors.DepositReturning(f"{deposit} is proposed to be returned.")
    transfer = deposit.transfer
    came = (transfer.sender, transfer.deployment_id, transfer.recipient)
    if came != (request.wallet.address, request.deployment_id, request.deposit_address):
        detail = f"{deposit} came from {transfer.sender}, to {transfer.recipient}."
        raise errors.DepositOfAnother(detail)
    if request.state not in RECEIVING_STATES:
        label = RedemptionState(request.state).label
        raise errors.RedemptionNotReceiving(f"{request} takes no tokens: {label}.")
    checks.require_entitled(request, at=at)
    return _assign(deposit, request, actor=actor, at=at)


@transaction.atomic
def clear_deposit(deposit_id: UUID, *, reason: str, actor: Actor, at: datetime) -> Deposit:
    """Take a deposit out of quarantine, for compliance has looked at it; match it, if it can be.

    Raises:
        DepositMissing: if there is no such deposit.
        IllegalTransition: if it is not in quarantine.
        DepositCounted: if it is there with its redemption, which is to be unfrozen.
        DepositReturning: if it is proposed to be returned.
        KycNotCleared: if its sender may still not be dealt with.
    """
    deposit = _lock_behind_candidates(deposit_id)
    DepositStep.CLEAR.value.check(DepositState(deposit.state))
    if deposit.redemption is not None:
        raise errors.DepositCounted(f"{deposit} is there with {deposit.redemption}.")
    if deposit.returns.filter(state__in=OPEN_RETURN_STATES).exists():
        raise errors.DepositReturning(f"{deposit} is proposed to be returned.")
    wallet = _bound_wallet(deposit.transfer)
    if wallet is not None:
        kyc.require_cleared(wallet.participant.entity, at=at)
    deposit.reason = reason
    deposit.save(update_fields=["reason"])
    match = _match(deposit.transfer, deposit.quantity, at=at)
    if match.request is not None:
        return _assign(deposit, match.request, actor=actor, at=at)
    return steps.take(DepositStep.CLEAR, deposit, actor=actor, at=at, cause=match.cause)


def rematch_quarantined(request: RedemptionRequest, *, actor: Actor, at: datetime) -> None:
    """Match what came for a request while it was stopped, now that it goes on.

    The request is locked beside all others that the tokens might be for.
    """
    waiting = Deposit.objects.filter(
        redemption=None,
        state=DepositState.QUARANTINED,
        transfer__sender=request.wallet.address,
        transfer__recipient=request.deposit_address,
        transfer__deployment=request.deployment,
    )
    for deposit_id in waiting.order_by("pk").values_list("pk", flat=True):
        deposit = steps.lock_alone(deposit_id)
        if deposit.redemption is not None or deposit.state != DepositState.QUARANTINED:
            continue  # somebody has dealt with it since
        match = _match(deposit.transfer, deposit.quantity, at=at)
        going = deposit.returns.filter(state__in=OPEN_RETURN_STATES)
        if match.request is not None and not going.exists():
            _assign(deposit, match.request, actor=actor, at=at)


def _assign(deposit: Deposit, request: RedemptionRequest, *, actor: Actor, at: datetime) -> Deposit:
    """Count what is missing of a locked request from a locked deposit that counts for none."""
    matched = min(deposit.quantity, request.missing)
    surplus = matched < deposit.quantity
    steps.take(
        DepositStep.QUEUE if surplus else DepositStep.ASSIGN,
        deposit,
        actor=actor,
        at=at,
        redemption=request,
        matched=matched,
        cause=DepositCause.SURPLUS if surplus else "",
    )
    _count(request, matched, actor=actor, at=at)
    return deposit


def _count(request: RedemptionRequest, matched: Decimal, *, actor: Actor, at: datetime) -> None:
    """Add what was matched to a locked request."""
    request.received += matched
    request.save(update_fields=["received"])
    receive_if_complete(request, actor=actor, at=at)


def _match(transfer: IncomingTransfer, quantity: Decimal, *, at: datetime) -> _Match:
    """Decide for which request a transfer counts, and lock that request."""
    wallet = _bound_wallet(transfer)
    if wallet is None:
        known = Wallet.objects.filter(address=transfer.sender).exists()
        return _Match(cause=DepositCause.UNBOUND_WALLET if known else DepositCause.UNKNOWN_SENDER)
    try:
        kyc.require_cleared(wallet.participant.entity, at=at)
    except KycNotCleared:
        return _Match(cause=DepositCause.FROZEN_SENDER)
    requests = _candidates(transfer, wallet)
    receiving = [
        request
        for request in requests
        if request.state in RECEIVING_STATES
        and request.missing
        and transfer.block_mined_at <= request.expires_at
    ]
    if receiving:
        return _among(receiving, quantity)
    if any(request.state in STOPPED_STATES for request in requests):
        return _Match(cause=DepositCause.FROZEN_SENDER)
    others = RedemptionRequest.objects.filter(
        participant=wallet.participant, state__in=RECEIVING_STATES
    ).exclude(deployment=transfer.deployment)
    elsewhere = others.exists()
    return _Match(cause=DepositCause.WRONG_TOKEN if elsewhere else DepositCause.NOTHING_OPEN)


def _among(receiving: Sequence[RedemptionRequest], quantity: Decimal) -> _Match:
    """Choose among open requests, the oldest first: the only one, or one that it completes."""
    if len(receiving) == 1:
        return _Match(request=receiving[0])
    exact = [request for request in receiving if request.missing == quantity]
    if exact:
        return _Match(request=exact[0])
    return _Match(cause=DepositCause.AMBIGUOUS)


def _candidates(transfer: IncomingTransfer, wallet: Wallet) -> list[RedemptionRequest]:
    """Return the sender's requests that have not ended, locked, the oldest first.

    By the address, for one that was revoked and bound again is another row. Only those that the
    tokens were to come to this address for: what another address holds cannot be burned for them.
    """
    return list(
        redemptions.for_update()
        .filter(
            participant=wallet.participant,
            deployment=transfer.deployment,
            deposit_address=transfer.recipient,
            wallet__namespace=wallet.namespace,
            wallet__address=wallet.address,
        )
        .exclude(state__in=ENDED_STATES)
    )


def _bound_wallet(transfer: IncomingTransfer) -> Wallet | None:
    """Return the wallet at the sender's address that a participant has bound, if one has."""
    return (
        Wallet.objects.select_related("participant__entity")
        .filter(
            namespace=transfer.deployment.network.namespace,
            address=transfer.sender,
            state=WalletState.BOUND,
        )
        .first()
    )


def _lock_behind_candidates(deposit_id: UUID) -> Deposit:
    """Return a deposit, locked behind every request that it might count for."""
    deposit = (
        Deposit.objects.select_related("transfer__deployment__network")
        .filter(pk=deposit_id)
        .first()
    )
    wallet = None if deposit is None else _bound_wallet(deposit.transfer)
    if deposit is not None and wallet is not None:
        _candidates(deposit.transfer, wallet)
    return steps.lock_alone(deposit_id)
