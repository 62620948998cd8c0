"""A redemption request until its tokens have come, or never will."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final
from uuid import UUID

from django.db import transaction

from issuer.approvals import services as approvals
from issuer.foundation import canonical
from issuer.foundation.actors import Actor
from issuer.instruments import selectors as instruments
from issuer.instruments.models import Token
from issuer.parties.models import AuthorizedParticipant
from issuer.primary_market import checks, errors, selectors
from issuer.primary_market.models import RedemptionRequest
from issuer.primary_market.services import _deposit_steps as deposits
from issuer.primary_market.services._redemption_steps import lock, take
from issuer.primary_market.services._steps import open_request
from issuer.primary_market.states import RedemptionState, RedemptionStep

#: A request whose tokens were not sent by then ends, and what has come goes back.
REQUEST_VALIDITY: Final = timedelta(days=10)


@transaction.atomic
def request_redemption(
    *,
    participant: AuthorizedParticipant,
    token: Token,
    network: str,
    wallet_address: str,
    quantity: Decimal,
    client_reference: str,
    actor: Actor,
    at: datetime,
) -> RedemptionRequest:
    """Open a request to redeem `quantity` whole tokens that come from a bound wallet.

    They are to be sent to the deposit address of the CAIP-2 `network`. The shares that will be
    delivered are fixed by the multiplier of `at`.

    Raises:
        TokenOfAnotherProgram: if the participant is not authorized under the token's program.
        TokenNotOnNetwork: if the token has no contract there.
        RedemptionClosed: if no address there takes tokens back.
        KycNotCleared: if the participant's KYC does not cover `at`.
        WalletNotBound: if the participant has not bound the wallet.
        QuantityMalformed: if `quantity` is not positive, or stands for more shares than can be
            counted.
        QuantityTooFine: if the contract cannot carry `quantity` exactly.
        BelowMinimum: if it is less than is redeemed at once.
        GateClosed: if the gate of program, token, network or a custodian is halted.
        ClientReferenceUsed: if `client_reference` names an earlier request of the participant.
    """
    deployment = checks.deployment_of(participant, token, network)
    deposit_address = checks.deposit_address(deployment.network)
    wallet = checks.cleared_wallet(participant, deployment.network, wallet_address, at=at)
    checks.require_carriable(quantity, deployment)
    multiplier = instruments.multiplier_at(deployment, at)
    shares = checks.shares_out(quantity, multiplier)
    checks.require_minimum(token, quantity, shares=shares)
    checks.require_not_halted(deployment)
    request = RedemptionRequest(
        participant=participant,
        token=token,
        deployment=deployment,
        wallet=wallet,
        quantity=quantity,
        multiplier=multiplier,
        shares=shares,
        minimum=token.redemption_minimum,
        deposit_address=deposit_address,
        client_reference=client_reference,
        expires_at=at + REQUEST_VALIDITY,
    )
    return open_request(request, noun="redemption", actor=actor, at=at)


@transaction.atomic
def accept_redemption(
    request_id: UUID,
    *,
    receiving_party: str,
    account_id: UUID | None = None,
    actor: Actor,
    at: datetime,
) -> RedemptionRequest:
    """Accept a request: its shares will go from a custody account to `receiving_party`.

    `account_id` names the custody account where the token has several. Tokens that came early
    count.

    Raises:
        IllegalTransition: if the request is not a new one.
        KycNotCleared, WalletNotBound: if the participant may no longer be dealt with.
        MultiplierChanged: if the terms of the request no longer stand.
        GateClosed: if one of its gates is halted.
        CustodyAccountUndetermined: if it is not clear from which account the shares come.
    """
    request = lock(request_id)
    RedemptionStep.ACCEPT.value.check(RedemptionState(request.state))
    checks.require_entitled(request, at=at)
    checks.require_same_multiplier(request, at=at)
    checks.require_not_halted(request.deployment)
    assert receiving_party, "doors ask for a receiving party"
    take(
        RedemptionStep.ACCEPT,
        request,
        actor=actor,
        at=at,
        account=checks.custody_account(request.token, account_id),
        receiving_party=receiving_party,
    )
    return receive_if_complete(request, actor=actor, at=at)


@transaction.atomic
def reject_redemption(
    request_id: UUID, *, reason: str, actor: Actor, at: datetime
) -> RedemptionRequest:
    """Reject a request that is not approved; what has come of it waits to be returned.

    `reason` is told to the participant.

    Raises:
        IllegalTransition: if it is approved, stopped or over.
    """
    return _stop(RedemptionStep.REJECT, lock(request_id), reason=reason, actor=actor, at=at)


@transaction.atomic
def cancel_redemption(
    request_id: UUID,
    *,
    participant: AuthorizedParticipant,
    reason: str = "Cancelled by the participant.",
    actor: Actor,
    at: datetime,
) -> RedemptionRequest:
    """Cancel a request of `participant` whose tokens have not all come.

    What has come of it waits to be returned.

    Raises:
        RedemptionMissing: if the participant made no such request.
        IllegalTransition: if all its tokens have come, or it is stopped or over.
    """
    request = lock(request_id)
    if request.participant_id != participant.pk:
        raise errors.RedemptionMissing(f"There is no redemption request {request_id}.")
    return _stop(RedemptionStep.CANCEL, request, reason=reason, actor=actor, at=at)


@transaction.atomic
def expire_redemption(request_id: UUID, *, actor: Actor, at: datetime) -> RedemptionRequest:
    """End a request whose tokens were not all sent in time; what has come waits to be returned.

    A block of the request's last moment counts, whenever it becomes final: whether one came is
    known once the chain is final beyond that moment. While a node is silent nothing expires.

    Raises:
        IllegalTransition: if it does not wait for tokens.
        TokensMayStillCome: if tokens sent in time may still become known, or be counted.
    """
    request = lock(request_id)
    RedemptionStep.EXPIRE.value.check(RedemptionState(request.state))
    assert request.expires_at <= at, "Only requests past their time expire."
    if selectors.may_still_receive(request):
        until = canonical.timestamp(request.expires_at)
        detail = f"The chain is not final beyond {until}, or tokens of before are not counted."
        raise errors.TokensMayStillCome(detail, expires_at=until)
    reason = "The tokens have not all come in time."
    return _stop(RedemptionStep.EXPIRE, request, reason=reason, actor=actor, at=at)


def receive_if_complete(
    request: RedemptionRequest, *, actor: Actor, at: datetime
) -> RedemptionRequest:
    """Record that all tokens of a locked, accepted request have come, if they have."""
    if request.state == RedemptionState.AWAITING_TOKENS and not request.missing:
        take(RedemptionStep.RECEIVE, request, actor=actor, at=at)
    return request


def _stop(
    step: RedemptionStep, request: RedemptionRequest, *, reason: str, actor: Actor, at: datetime
) -> RedemptionRequest:
    """End a request that is not approved; its deposits wait for people."""
    step.value.check(RedemptionState(request.state))
    approvals.void_open(subject=request, reason=reason, actor=actor, at=at)
    take(step, request, actor=actor, at=at, reason=reason)
    deposits.give_up(request, actor=actor, at=at)
    return request
