"""Tokens that go back to where they came from: two persons, one transaction, one end."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction

from issuer.approvals import selectors as approvals_of
from issuer.approvals import services as approvals
from issuer.approvals.errors import ProposalChanged
from issuer.approvals.models import Proposal
from issuer.audit import services as audit
from issuer.chain import services as chain
from issuer.chain.errors import SignerMismatch
from issuer.chain.services import Prepared
from issuer.chain.signing import Signer
from issuer.chain.states import FAILED_STATES, IntentState
from issuer.foundation import quantities
from issuer.foundation.actors import Actor
from issuer.foundation.transactions import require_transaction, translating
from issuer.primary_market import checks, errors
from issuer.primary_market.calls import return_of
from issuer.primary_market.models import Deposit, DepositReturn
from issuer.primary_market.payload import RETURN_TOKENS, return_payload
from issuer.primary_market.services import _deposit_steps as steps
from issuer.primary_market.services import _redemption_steps as redemptions
from issuer.primary_market.states import (
    GIVEN_UP_STATES,
    DepositCause,
    DepositState,
    DepositStep,
    RedemptionState,
    RedemptionStep,
    ReturnState,
    ReturnStep,
)
from issuer.reserves import selectors as reserves


@transaction.atomic
def propose_return(deposit_id: UUID, *, reason: str, actor: Actor, at: datetime) -> DepositReturn:
    """Propose to send back what of a deposit counts for no live redemption, to its sender.

    `reason` says why it goes back and, of a deposit in quarantine, why that is lawful.

    Raises:
        DepositMissing: if there is no such deposit.
        IllegalTransition: if it is matched, or on its way back.
        NothingToReturn: if nothing of it is left.
        ReturnUnlawful: if its sender is suspended, or refused for good.
        GateClosed: if a gate of program, token, network or a custodian is halted.
        PersonRequired: if `actor` is nobody's login.
        DepositReturning: if it is proposed already.
    """
    deposit = steps.lock(deposit_id)
    DepositStep.APPROVE_RETURN.value.check(DepositState(deposit.state))
    if deposit.to_return <= 0:
        raise errors.NothingToReturn(f"Nothing of {deposit} can be returned.")
    checks.require_lawful_return(deposit)
    checks.require_not_halted(deposit.transfer.deployment)
    assert reason, "doors ask for a reason"
    proposed = errors.DepositReturning(f"{deposit} is proposed to be returned already.")
    with translating({"return_open_once_per_deposit": proposed}):
        found = DepositReturn.objects.create(
            deposit=deposit,
            quantity=deposit.to_return,
            recipient=deposit.transfer.sender,
            reason=reason,
            proposed_by=str(actor),
            proposed_at=at,
        )
    _tell("propose", found, actor=actor, at=at)
    approvals.propose(
        action=RETURN_TOKENS, subject=found, payload=return_payload(found), actor=actor, at=at
    )
    return found


@transaction.atomic
def confirm_return(
    return_id: UUID, *, payload_hash: str, actor: Actor, at: datetime
) -> DepositReturn:
    """Approve a proposed return as a second person; the transfer is signed next.

    Raises:
        ReturnMissing: if there is no such return.
        IllegalTransition: if it is not proposed any more.
        ProposalChanged: if the person saw something else, or the deposit has changed.
        PersonRequired, SamePerson: if `actor` is nobody's login, or the proposer's.
        NothingToReturn: if less of the deposit is left by now.
        ReturnUnlawful: if its sender is suspended by now, or refused for good.
        GateClosed: if a gate of program, token, network or a custodian is halted.
    """
    found = _lock(return_id)
    ReturnStep.CONFIRM.value.check(ReturnState(found.state))
    deposit = found.deposit
    proposal = _open_proposal(found)
    if payload_hash != proposal.payload_hash:
        raise ProposalChanged(
            "What you saw is not what is proposed now; look at it again.",
            proposed=proposal.payload_hash,
            found=payload_hash[:64],
        )
    approvals.confirm(proposal.pk, payload=return_payload(found), actor=actor, at=at)
    if found.quantity > deposit.to_return:
        raise errors.NothingToReturn(f"Less than that of {deposit} can be returned.")
    checks.require_lawful_return(deposit)
    checks.require_not_halted(deposit.transfer.deployment)
    steps.take(
        DepositStep.APPROVE_RETURN,
        deposit,
        actor=actor,
        at=at,
        returned=deposit.returned + found.quantity,
    )
    return _take(ReturnStep.CONFIRM, found, actor=actor, at=at)


@transaction.atomic
def decline_return(return_id: UUID, *, reason: str, actor: Actor, at: datetime) -> DepositReturn:
    """Close a proposed return; its deposit goes on waiting.

    Raises:
        ReturnMissing: if there is no such return.
        IllegalTransition: if it is not proposed any more.
        PersonRequired: if `actor` is nobody's login.
    """
    found = _lock(return_id)
    ReturnStep.DECLINE.value.check(ReturnState(found.state))
    approvals.decline(_open_proposal(found).pk, reason=reason, actor=actor, at=at)
    return _take(ReturnStep.DECLINE, found, actor=actor, at=at, closed_at=at)


@transaction.atomic
def sign_return(
    return_id: UUID, *, signer: Signer, prepared: Prepared, actor: Actor, at: datetime
) -> DepositReturn:
    """Commit ourselves to the transfer of an approved return; nothing is sent yet.

    Raises:
        ReturnMissing: if there is no such return.
        IllegalTransition: if it is not approved, or its transfer is signed.
        ReturnUnlawful: if its sender is suspended by now, or refused for good.
        GateClosed: if a gate of program, token, network or a custodian is halted.
        FeesTooHigh, SignerMismatch, SignerRetired, TransactionAlreadyIntended: as
            `chain.services.sign`.
    """
    found = _lock(return_id)
    ReturnStep.SIGN.value.check(ReturnState(found.state))
    deployment = found.deposit.transfer.deployment
    checks.require_lawful_return(found.deposit)
    checks.require_not_halted(deployment)
    if signer.address != found.deposit.transfer.recipient:
        detail = f"{found.deposit} lies at {found.deposit.transfer.recipient}."
        raise SignerMismatch(detail)
    intent = chain.sign(
        deployment=deployment,
        call=return_of(found),
        request_id=found.pk,
        signer=signer,
        prepared=prepared,
        gate_scopes=reserves.scopes_of(deployment.token, deployment.network),
        actor=actor,
        at=at,
    )
    return _take(ReturnStep.SIGN, found, actor=actor, at=at, intent=intent, failure="")


@transaction.atomic
def record_failed_return(return_id: UUID, *, actor: Actor, at: datetime) -> DepositReturn:
    """Take a return back to approved after its transfer has certainly failed.

    Raises:
        ReturnMissing: if there is no such return.
        IllegalTransition: if its transfer is not signed.
        ReturnNotFailed: if the chain may still carry the transfer out, or has.
    """
    found = _lock(return_id)
    ReturnStep.FAIL.value.check(ReturnState(found.state))
    intent = found.intent
    assert intent is not None
    if intent.state not in FAILED_STATES:
        raise errors.ReturnNotFailed(f"{intent} has not failed: {intent.get_state_display()}.")
    return _take(ReturnStep.FAIL, found, actor=actor, at=at, intent=None, failure=intent.failure)


@transaction.atomic
def complete_return(return_id: UUID, *, actor: Actor, at: datetime) -> DepositReturn:
    """Close a return whose transfer is final, and its redemption once all of it went back.

    Raises:
        ReturnMissing: if there is no such return.
        IllegalTransition: if its transfer is not signed.
        ReturnNotFinal: if the transfer is not final.
    """
    found = _lock(return_id)
    ReturnStep.COMPLETE.value.check(ReturnState(found.state))
    intent = found.intent
    assert intent is not None
    if intent.state != IntentState.FINAL:
        raise errors.ReturnNotFinal(f"{intent} is not final: {intent.get_state_display()}.")
    chain.record_booked(intent, actor=actor, at=at)
    deposit = steps.take(DepositStep.COMPLETE_RETURN, found.deposit, actor=actor, at=at)
    if deposit.to_return:  # its redemption ended while a surplus was on its way
        cause = DepositCause.REQUEST_ENDED
        steps.take(DepositStep.QUEUE, deposit, actor=actor, at=at, cause=cause)
    found = _take(ReturnStep.COMPLETE, found, actor=actor, at=at, closed_at=at)
    _close_redemption(deposit, actor=actor, at=at)
    return found


def _close_redemption(deposit: Deposit, *, actor: Actor, at: datetime) -> None:
    """Close the stopped or ended redemption of a deposit, if all that came for it went back."""
    request = deposit.redemption
    if request is None or request.state not in GIVEN_UP_STATES - {RedemptionState.RETURNED}:
        return
    if all(one.state == DepositState.RETURNED for one in steps.of(request)):
        reason = "All tokens that came have gone back."
        redemptions.take(RedemptionStep.RETURN, request, actor=actor, at=at, reason=reason)


def _open_proposal(found: DepositReturn) -> Proposal:
    proposal = approvals_of.open_proposal(found, RETURN_TOKENS)
    if proposal is None:
        raise errors.NotProposed(f"{found} is not proposed.")
    return proposal


def _lock(return_id: UUID) -> DepositReturn:
    """Return the return, locked behind its deposit and that one's redemption.

    Raises:
        ReturnMissing: if there is none.
    """
    deposit_id = (
        DepositReturn.objects.filter(pk=return_id).values_list("deposit_id", flat=True).first()
    )
    if deposit_id is None:
        raise errors.ReturnMissing(f"There is no return {return_id}.")
    deposit = steps.lock(deposit_id)
    found = (
        DepositReturn.objects.select_for_update(of=("self",))
        .select_related("intent")
        .get(pk=return_id)
    )
    found.deposit = deposit
    return found


def _take(
    step: ReturnStep, found: DepositReturn, *, actor: Actor, at: datetime, **columns: Any
) -> DepositReturn:
    """Take a step with a locked return: the only writer of its `state`."""
    require_transaction()
    step.value.check(ReturnState(found.state))
    found.state = step.value.destination
    for name, value in columns.items():
        setattr(found, name, value)
    found.save(update_fields=["state", *columns])
    _tell(step.name.lower(), found, actor=actor, at=at)
    return found


def _tell(verb: str, found: DepositReturn, *, actor: Actor, at: datetime) -> None:
    audit.record(
        f"return.{verb}",
        subject=found,
        actor=actor,
        at=at,
        deposit=str(found.deposit.pk),
        recipient=found.recipient,
        quantity=quantities.to_text(found.quantity),
        reason=found.reason,
    )
