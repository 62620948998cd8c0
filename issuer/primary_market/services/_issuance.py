"""An issuance request until its shares have come, or never will."""

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Final
from uuid import UUID

from django.db import transaction

from issuer.custody import services as custody
from issuer.custody.models import Purpose
from issuer.custody.selectors import OPEN_STATES, lock_instruction
from issuer.custody.states import InstructionState
from issuer.foundation import calendars
from issuer.foundation.actors import Actor
from issuer.instruments import selectors as instruments
from issuer.instruments.models import Token
from issuer.parties.models import AuthorizedParticipant
from issuer.primary_market import checks, errors
from issuer.primary_market.models import IssuanceRequest
from issuer.primary_market.services._issuance_steps import lock, take
from issuer.primary_market.services._steps import open_request
from issuer.primary_market.states import IssuanceState, IssuanceStep

#: A request whose shares have not come by then makes room for others.
REQUEST_VALIDITY: Final = timedelta(days=10)


@transaction.atomic
def request_issuance(
    *,
    participant: AuthorizedParticipant,
    token: Token,
    network: str,
    wallet_address: str,
    quantity: Decimal,
    client_reference: str,
    actor: Actor,
    at: datetime,
) -> IssuanceRequest:
    """Open a request to issue `quantity` whole tokens on the CAIP-2 `network` to a bound wallet.

    The shares to deliver are fixed by the multiplier of `at`.

    Raises:
        TokenOfAnotherProgram: if the participant is not authorized under the token's program.
        TokenNotOnNetwork: if the token has no contract there.
        IssuanceClosed: if the token takes no requests.
        KycNotCleared: if the participant's KYC does not cover `at`.
        WalletNotBound: if the participant has not bound the wallet.
        QuantityMalformed: if `quantity` is not positive, or stands for more shares than can be
            counted.
        QuantityTooFine: if the contract cannot carry `quantity` exactly.
        GateClosed: if the gate of program, token, network or a custodian is not open.
        ClientReferenceUsed: if `client_reference` names an earlier request of the participant.
    """
    deployment = checks.deployment_of(participant, token, network)
    checks.require_issuance_open(token)
    wallet = checks.cleared_wallet(participant, deployment.network, wallet_address, at=at)
    checks.require_carriable(quantity, deployment)
    checks.require_open(deployment)
    multiplier = instruments.multiplier_at(deployment, at)
    request = IssuanceRequest(
        participant=participant,
        token=token,
        deployment=deployment,
        wallet=wallet,
        quantity=quantity,
        multiplier=multiplier,
        shares=checks.shares_for(quantity, multiplier),
        client_reference=client_reference,
        expires_at=at + REQUEST_VALIDITY,
    )
    return open_request(request, noun="issuance", actor=actor, at=at)


@transaction.atomic
def accept(
    request_id: UUID,
    *,
    delivering_party: str,
    trade_date: date,
    account_id: UUID | None = None,
    actor: Actor,
    at: datetime,
) -> IssuanceRequest:
    """Accept a request, and instruct the custodian to receive its shares from `delivering_party`.

    They are due one settlement cycle after `trade_date`. `account_id` names the custody account
    where the token has several.

    Raises:
        IllegalTransition: if the request is not a new one.
        KycNotCleared, WalletNotBound: if the participant may no longer be dealt with.
        IssuanceClosed, MultiplierChanged: if the terms of the request no longer stand.
        GateClosed: if the gate of program, token, network or a custodian is not open.
        CustodyAccountUndetermined: if it is not clear which account should receive the shares.
    """
    request = lock(request_id)
    IssuanceStep.ACCEPT.value.check(IssuanceState(request.state))
    checks.require_entitled(request, at=at)
    checks.require_unchanged_terms(request, at=at)
    checks.require_booked_multiplier(request, at=at)  # or a split's booking would split it again
    checks.require_open(request.deployment)
    instruction = custody.instruct_receipt(
        account=checks.custody_account(request.token, account_id),
        purpose=Purpose.ISSUANCE,
        quantity=request.shares,
        request_id=request.pk,
        trade_date=trade_date,
        settlement_date=calendars.settlement_date(trade_date),
        delivering_party=delivering_party,
        actor=actor,
        at=at,
    )
    return take(IssuanceStep.ACCEPT, request, actor=actor, at=at, instruction=instruction)


@transaction.atomic
def reject(request_id: UUID, *, reason: str, actor: Actor, at: datetime) -> IssuanceRequest:
    """Reject a request whose shares have not come; `reason` is told to the participant.

    Raises:
        IllegalTransition: if it waits neither for us nor for shares.
        SharesReceived: if its shares have settled.
    """
    return _stop(IssuanceStep.REJECT, lock(request_id), reason=reason, actor=actor, at=at)


@transaction.atomic
def cancel(
    request_id: UUID,
    *,
    participant: AuthorizedParticipant,
    reason: str = "Cancelled by the participant.",
    actor: Actor,
    at: datetime,
) -> IssuanceRequest:
    """Cancel a request of `participant` whose shares have not come.

    Raises:
        IssuanceMissing: if the participant made no such request.
        IllegalTransition: if it waits neither for us nor for shares.
        SharesReceived: if its shares have settled.
    """
    request = lock(request_id)
    if request.participant_id != participant.pk:
        raise errors.IssuanceMissing(f"There is no issuance request {request_id}.")
    return _stop(IssuanceStep.CANCEL, request, reason=reason, actor=actor, at=at)


@transaction.atomic
def expire(request_id: UUID, *, actor: Actor, at: datetime) -> IssuanceRequest:
    """End a request whose shares have not come in time.

    Raises:
        IllegalTransition: if it waits neither for us nor for shares.
        SharesReceived: if its shares have settled.
    """
    request = lock(request_id)
    assert request.expires_at <= at, "Only requests past their time expire."
    reason = "The shares have not settled in time."
    return _stop(IssuanceStep.EXPIRE, request, reason=reason, actor=actor, at=at)


@transaction.atomic
def confirm_funding(request_id: UUID, *, actor: Actor, at: datetime) -> IssuanceRequest:
    """Record that a request's shares have settled, which a custodian's statement has shown.

    Raises:
        IllegalTransition: if the request does not wait for shares.
        SharesNotReceived: if no statement shows them yet.
    """
    request = lock(request_id)
    IssuanceStep.CONFIRM_FUNDING.value.check(IssuanceState(request.state))
    assert request.instruction is not None
    if request.instruction.state != InstructionState.SETTLED:
        raise errors.SharesNotReceived(f"{request.instruction} is not settled.")
    return take(IssuanceStep.CONFIRM_FUNDING, request, actor=actor, at=at)


def _stop(
    step: IssuanceStep,
    request: IssuanceRequest,
    *,
    reason: str,
    actor: Actor,
    at: datetime,
) -> IssuanceRequest:
    """End an unfunded request for good; the custodian need not expect its shares any more."""
    step.value.check(IssuanceState(request.state))
    if request.instruction_id is not None:
        # Locked, so that a statement which shows the shares comes either before this or after.
        instruction = lock_instruction(request.instruction_id)
        if instruction.settled_quantity:
            raise errors.SharesReceived("The shares have settled in custody; they are not lost.")
        if instruction.state in OPEN_STATES:
            custody.cancel_instruction(instruction.pk, actor=actor, at=at)
    return take(step, request, actor=actor, at=at, reason=reason)
