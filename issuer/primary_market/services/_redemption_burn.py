"""The burn of an approved redemption, from the signature to the shares that have left.

Each function is one committed step, and says what to do next by the state it leaves. A process
that dies between two of them loses nothing: the next run goes on from there.
"""

from datetime import datetime
from uuid import UUID

from django.db import transaction

from issuer.chain import services as chain
from issuer.chain.models import TransactionIntent
from issuer.chain.services import Prepared
from issuer.chain.signing import Signer
from issuer.chain.states import FAILED_STATES, IntentState
from issuer.custody import services as custody
from issuer.custody.states import InstructionState
from issuer.foundation import calendars, quantities
from issuer.foundation.actors import Actor
from issuer.instruments import chart
from issuer.ledger import services as ledger
from issuer.ledger.services import Line
from issuer.primary_market import checks, errors
from issuer.primary_market.calls import burn_of
from issuer.primary_market.models import RedemptionRequest
from issuer.primary_market.services._redemption_shares import require_redeemable
from issuer.primary_market.services._redemption_steps import lock, take
from issuer.primary_market.services._steps import NOT_AS_APPROVED
from issuer.primary_market.states import RedemptionState, RedemptionStep
from issuer.reserves import selectors as reserves_of
from issuer.reserves import services as reserves


@transaction.atomic
def sign_burn(
    request_id: UUID, *, signer: Signer, prepared: Prepared, actor: Actor, at: datetime
) -> RedemptionRequest:
    """Commit ourselves to burn the tokens of an approved redemption; nothing is sent yet.

    `prepared` is what the chain said before. Everything that was checked at the approval is
    checked again, under the same locks.

    Raises:
        IllegalTransition: if the request is not approved.
        NotAsApproved: if it is not, to the byte, what two persons approved.
        KycNotCleared, WalletNotBound: if the participant may no longer be dealt with.
        MultiplierChanged: if the terms of the request no longer stand.
        TokensNotReceived: if not all its tokens are here.
        GateClosed: if one of its gates is halted.
        CoverUnknown, SharesNotFree: if its shares are not there any more, or not known to be.
        AccountSharesNotFree: if they are not in the account that they are to leave from.
        FeesTooHigh, SignerMismatch, SignerRetired, TransactionAlreadyIntended: as
            `chain.services.sign`.
    """
    request = lock(request_id)
    RedemptionStep.SIGN_BURN.value.check(RedemptionState(request.state))
    checks.require_as_approved(request)
    checks.require_entitled(request, at=at)
    checks.require_same_multiplier(request, at=at)
    checks.require_all_received(request)
    scopes = reserves_of.scopes_of(request.token, request.deployment.network)
    require_redeemable(request, at=at)
    intent = chain.sign(
        deployment=request.deployment,
        call=burn_of(request),
        request_id=request.pk,
        signer=signer,
        prepared=prepared,
        gate_scopes=scopes,
        actor=actor,
        at=at,
    )
    return take(RedemptionStep.SIGN_BURN, request, actor=actor, at=at, burn_intent=intent)


@transaction.atomic
def record_failed_burn(request_id: UUID, *, actor: Actor, at: datetime) -> RedemptionRequest:
    """Take a request back to approved after its burn has certainly failed; its tokens stay here.

    A split while it was under way has changed what was approved: then the approval is void.

    Raises:
        IllegalTransition: if the request is not burning.
        BurnNotFailed: if the chain may still carry the burn out, or has.
    """
    request = lock(request_id)
    RedemptionStep.REVERT_BURN.value.check(RedemptionState(request.state))
    intent = _intent(request)
    if intent.state not in FAILED_STATES:
        raise errors.BurnNotFailed(f"{intent} has not failed: {intent.get_state_display()}.")
    reverted = intent.state == IntentState.REVERTED
    step = RedemptionStep.REVERT_BURN if reverted else RedemptionStep.DROP_BURN
    take(step, request, actor=actor, at=at, reason=intent.failure, burn_intent=None)
    if checks.is_as_approved(request):
        return request
    return take(
        RedemptionStep.WITHDRAW_APPROVAL, request, actor=actor, at=at, reason=NOT_AS_APPROVED
    )


@transaction.atomic
def complete_burn(request_id: UUID, *, actor: Actor, at: datetime) -> RedemptionRequest:
    """Book a final burn: what was owed on its tokens is owed to the participant by name.

    Raises:
        IllegalTransition: if the request is not burning.
        BurnNotFinal: if its burn is not final.
        MultiplierChanged: if a split is in the books, and the request not quoted again yet.
    """
    request = lock(request_id)
    RedemptionStep.BOOK_BURN.value.check(RedemptionState(request.state))
    intent = _intent(request)
    if intent.state != IntentState.FINAL or intent.event is None:
        raise errors.BurnNotFinal(f"{intent} is not final: {intent.get_state_display()}.")
    checks.require_booked_multiplier(request, at=at)
    ledger.post(
        f"redemption:{request.pk}:burn",
        _lines(request),
        effective_at=intent.event.block_mined_at,
        actor=actor,
        at=at,
    )
    chain.record_booked(intent, actor=actor, at=at)
    return take(RedemptionStep.BOOK_BURN, request, actor=actor, at=at)


@transaction.atomic
def instruct_delivery(request_id: UUID, *, actor: Actor, at: datetime) -> RedemptionRequest:
    """Have the custodian deliver the shares of a burn that is booked.

    They are due one settlement cycle after the newest session.

    Raises:
        IllegalTransition: if the burn is not booked, or the custodian is instructed already.
        KycNotCleared: if the participant may no longer be dealt with.
        MultiplierChanged: if a split is in the books, and the request not quoted again yet.
        CoverUnknown, SharesNotFree: if only others' shares could be sent, or nothing is known.
        GateClosed: if one of its gates is halted: then nothing leaves.
    """
    request = lock(request_id)
    RedemptionStep.INSTRUCT_DELIVERY.value.check(RedemptionState(request.state))
    checks.require_cleared(request, at=at)
    checks.require_booked_multiplier(request, at=at)
    reserves.require_deliverable(token_id=request.token_id, at=at)
    checks.require_not_halted(request.deployment)
    assert request.account is not None
    trade_date = calendars.last_session(at.date())
    instruction = custody.instruct_delivery(
        account=request.account,
        request_id=request.pk,
        quantity=request.shares,
        trade_date=trade_date,
        settlement_date=calendars.settlement_date(trade_date),
        receiving_party=request.receiving_party,
        actor=actor,
        at=at,
    )
    return take(
        RedemptionStep.INSTRUCT_DELIVERY, request, actor=actor, at=at, instruction=instruction
    )


@transaction.atomic
def record_cancelled_delivery(request_id: UUID, *, actor: Actor, at: datetime) -> RedemptionRequest:
    """Freeze a request whose delivery was cancelled: its shares are owed, and somebody decides.

    Raises:
        IllegalTransition: if no delivery of it is instructed.
        SharesNotDelivered: if its delivery was not cancelled.
    """
    request = lock(request_id)
    RedemptionStep.LOSE_DELIVERY.value.check(RedemptionState(request.state))
    _require_delivery(request, InstructionState.CANCELLED)
    reason = "The delivery of its shares was cancelled."
    return take(
        RedemptionStep.LOSE_DELIVERY, request, actor=actor, at=at, reason=reason, instruction=None
    )


@transaction.atomic
def complete_redemption(request_id: UUID, *, actor: Actor, at: datetime) -> RedemptionRequest:
    """End a request whose shares have left, which a custodian's statement has shown.

    Raises:
        IllegalTransition: if no delivery of it is instructed.
        SharesNotDelivered: if no statement shows the shares as gone.
    """
    request = lock(request_id)
    RedemptionStep.COMPLETE.value.check(RedemptionState(request.state))
    _require_delivery(request, InstructionState.SETTLED)
    return take(RedemptionStep.COMPLETE, request, actor=actor, at=at, completed_at=at)


def _intent(request: RedemptionRequest) -> TransactionIntent:
    assert request.burn_intent_id is not None
    return TransactionIntent.objects.select_related("event", "deployment").get(
        pk=request.burn_intent_id
    )


def _require_delivery(request: RedemptionRequest, state: InstructionState) -> None:
    assert request.instruction is not None
    found = InstructionState(request.instruction.state)
    if found != state:
        raise errors.SharesNotDelivered(f"{request.instruction} is: {found.label}.")


def _lines(request: RedemptionRequest) -> list[Line]:
    """Return what a burn does to the books.

    What the tokens stood for beyond what custodians can count is nobody's claim any more, and
    becomes the SPV's own. What cannot be counted to the last place stays owed on tokens.
    """
    token = request.token
    stood_for = quantities.held_rounded_down(
        quantities.EXACT.multiply(request.quantity, request.multiplier)
    )
    owed = chart.shares_owed_on_tokens(token)
    lines = [
        Line(chart.tokens_outstanding(token), chart.tokens_issued(token), request.quantity),
        Line(owed, chart.shares_burned_not_delivered(token), request.shares),
    ]
    if stood_for > request.shares:
        lines.append(Line(owed, chart.shares_own(token), stood_for - request.shares))
    return lines
