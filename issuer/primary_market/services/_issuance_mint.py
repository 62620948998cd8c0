"""The mint of an approved request, from the signature to the books.

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
from issuer.chain.states import IntentState
from issuer.foundation import quantities
from issuer.foundation.actors import Actor
from issuer.instruments import chart
from issuer.ledger import services as ledger
from issuer.ledger.services import Line
from issuer.primary_market import checks, errors
from issuer.primary_market.calls import mint_of
from issuer.primary_market.models import IssuanceRequest
from issuer.primary_market.services._issuance_steps import lock, take
from issuer.primary_market.services._steps import NOT_AS_APPROVED
from issuer.primary_market.states import IssuanceState, IssuanceStep
from issuer.reserves import selectors as reserves_of
from issuer.reserves import services as reserves


@transaction.atomic
def sign_mint(
    request_id: UUID, *, signer: Signer, prepared: Prepared, actor: Actor, at: datetime
) -> IssuanceRequest:
    """Commit ourselves to the mint of an approved request; nothing is sent yet.

    `prepared` is what the chain said before. Everything that was checked at the approval is
    checked again, under the same locks.

    Raises:
        IllegalTransition: if the request is not approved.
        NotAsApproved: if it is not, to the byte, what two persons approved.
        KycNotCleared, WalletNotBound: if the participant may no longer be dealt with.
        IssuanceClosed, MultiplierChanged: if the terms of the request no longer stand.
        GateClosed: if one of its gates is not open.
        CoverUnknown, SharesNotFree: if its shares are not there any more, or not known to be.
        FeesTooHigh, SignerMismatch, SignerRetired, TransactionAlreadyIntended: as
            `chain.services.sign`.
    """
    request = lock(request_id)
    IssuanceStep.SIGN_MINT.value.check(IssuanceState(request.state))
    checks.require_as_approved(request)
    checks.require_entitled(request, at=at)
    checks.require_unchanged_terms(request, at=at)
    scopes = reserves_of.scopes_of(request.token, request.deployment.network)
    reserves.require_hold_still_covered(request.pk, scopes=scopes, at=at)
    intent = chain.sign(
        deployment=request.deployment,
        call=mint_of(request),
        request_id=request.pk,
        signer=signer,
        prepared=prepared,
        gate_scopes=scopes,
        actor=actor,
        at=at,
    )
    return take(IssuanceStep.SIGN_MINT, request, actor=actor, at=at, mint_intent=intent)


@transaction.atomic
def record_failed_mint(request_id: UUID, *, actor: Actor, at: datetime) -> IssuanceRequest:
    """Take a request back to approved after its mint has certainly failed; its shares stay held.

    The nonce of that mint is used up in a final block, so what was signed never happens; the next
    is signed once everything that is checked at a signature holds again. A split while it was
    under way has changed what was approved: then the approval is void, and its shares are let go.

    Raises:
        IllegalTransition: if the request is not minting.
        MintNotFailed: if the chain may still carry the mint out, or has.
    """
    request = lock(request_id)
    IssuanceStep.REVERT_MINT.value.check(IssuanceState(request.state))
    intent = _intent(request)
    match intent.state:
        case IntentState.REVERTED:
            step = IssuanceStep.REVERT_MINT
        case IntentState.DROPPED:
            step = IssuanceStep.DROP_MINT
        case IntentState.CANCELLED:
            step = IssuanceStep.CANCEL_MINT
        case _:
            raise errors.MintNotFailed(f"{intent} has not failed: {intent.get_state_display()}.")
    take(step, request, actor=actor, at=at, reason=intent.failure, mint_intent=None)
    if checks.is_as_approved(request):
        return request
    reserves.release_hold(request.pk, actor=actor, at=at)
    return take(IssuanceStep.WITHDRAW_APPROVAL, request, actor=actor, at=at, reason=NOT_AS_APPROVED)


@transaction.atomic
def complete(request_id: UUID, *, actor: Actor, at: datetime) -> IssuanceRequest:
    """Book a final mint, and end its request: the shares held for it are owed on tokens now.

    Raises:
        IllegalTransition: if the request is not minting.
        MintNotFinal: if its mint is not final.
        MultiplierChanged: if a split is in the books, and the request not quoted again yet.
    """
    request = lock(request_id)
    IssuanceStep.COMPLETE.value.check(IssuanceState(request.state))
    intent = _intent(request)
    if intent.state != IntentState.FINAL or intent.event is None:
        raise errors.MintNotFinal(f"{intent} is not final: {intent.get_state_display()}.")
    checks.require_booked_multiplier(request, at=at)
    ledger.post(
        f"issuance:{request.pk}:mint",
        _lines(request),
        effective_at=intent.event.block_mined_at,
        actor=actor,
        at=at,
    )
    reserves.consume_hold(request.pk, actor=actor, at=at)
    chain.record_booked(intent, actor=actor, at=at)
    return take(IssuanceStep.COMPLETE, request, actor=actor, at=at, completed_at=at)


def _intent(request: IssuanceRequest) -> TransactionIntent:
    assert request.mint_intent_id is not None
    return TransactionIntent.objects.select_related("event", "deployment").get(
        pk=request.mint_intent_id
    )


def _lines(request: IssuanceRequest) -> list[Line]:
    """Return what a mint does to the books.

    Shares delivered beyond what the tokens stand for (custodians count to nine places, contracts
    finer) are nobody's claim, and become the SPV's own.
    """
    token = request.token
    owed = quantities.owed_rounded_up(
        quantities.EXACT.multiply(request.quantity, request.multiplier)
    )
    paid = chart.shares_paid_not_minted(token)
    lines = [
        Line(chart.tokens_issued(token), chart.tokens_outstanding(token), request.quantity),
        Line(paid, chart.shares_owed_on_tokens(token), owed),
    ]
    if request.shares > owed:
        lines.append(Line(paid, chart.shares_own(token), request.shares - owed))
    return lines
