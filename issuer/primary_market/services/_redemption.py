"""A redemption request until its tokens have come, or never will."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final
from uuid import UUID

from django.db import transaction

from issuer.approvals import services as approvals
from issuer.audit import services as audit
from issuer.events import services as events
from issuer.foundation import quantities
from issuer.foundation.actors import Actor
from issuer.foundation.transactions import translating
from issuer.gate import services as gate
from issuer.instruments import selectors as instruments
from issuer.instruments.models import Token
from issuer.kyc import selectors as kyc
from issuer.parties import selectors as parties
from issuer.parties.models import AuthorizedParticipant
from issuer.primary_market import checks, errors
from issuer.primary_market.models import RedemptionRequest
from issuer.primary_market.services import _deposit_steps as deposits
from issuer.primary_market.services._redemption_steps import lock, take
from issuer.primary_market.states import RedemptionState, RedemptionStep
from issuer.reserves import selectors as reserves

#: A request whose tokens have not come by then ends, and what has come goes back.
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
    kyc.require_cleared(participant.entity, at=at)
    wallet = parties.bound_wallet(participant, deployment.network.namespace, wallet_address)
    if quantity <= 0:
        raise quantities.QuantityMalformed("The quantity must be more than 0.")
    quantities.to_base_units(quantity, decimals=deployment.decimals)
    multiplier = instruments.multiplier_at(deployment, at)
    shares = checks.shares_out(quantity, multiplier)
    if quantity < token.redemption_minimum or not shares:
        minimum = quantities.to_text(token.redemption_minimum)
        detail = f"{quantities.to_text(quantity)} {token} are too few; {minimum} are the least."
        raise errors.BelowMinimum(detail, minimum=minimum)
    gate.require_redeemable(scopes=reserves.scopes_of(token, deployment.network))

    used = errors.ClientReferenceUsed(
        f"{client_reference} names another request of yours.", client_reference=client_reference
    )
    with translating({"redemption_client_reference_once": used}):
        request = RedemptionRequest.objects.create(
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
            requested_by=str(actor),
            requested_at=at,
            expires_at=at + REQUEST_VALIDITY,
        )
    facts = {"token": token.symbol, "quantity": quantities.to_text(quantity)}
    audit.record("redemption.request", subject=request, actor=actor, at=at, **facts)
    events.record(
        "redemption.requested",
        subject=request,
        at=at,
        participant=participant.code,
        state=request.state,
        **facts,
    )
    return request


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
        CustodyAccountUndetermined: if it is not clear from which account the shares come.
    """
    request = lock(request_id)
    RedemptionStep.ACCEPT.value.check(RedemptionState(request.state))
    checks.require_entitled(request, at=at)
    checks.require_same_multiplier(request, at=at)
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
    """End a request whose tokens have not all come in time; what has come waits to be returned.

    Raises:
        IllegalTransition: if it does not wait for tokens.
    """
    request = lock(request_id)
    assert request.expires_at <= at, "Only requests past their time expire."
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
