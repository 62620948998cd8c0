"""A transaction of ours, from the signature to the books: exactly once, whatever fails between.

The exact signed bytes are committed before anybody else sees them, so a process that dies at any
point leaves either no transaction, or one that the next run goes on with. Sending is safe to
repeat: the bytes are the same, and of one nonce the chain takes one.

No lock waits for a node, so that no node can make a halt wait: nodes take seconds to be silent,
and a halt has to be placed at once. What a halt finds on its way to the node is therefore asked
about again as soon as the node has it, and cancelled.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from django.db import transaction

from issuer.audit import services as audit
from issuer.chain import errors, selectors
from issuer.chain.calls import Call
from issuer.chain.models import TransactionAttempt, TransactionIntent
from issuer.chain.readers import Broadcaster, FeeQuote, TransactionReader
from issuer.chain.services import _attempts, _steps
from issuer.chain.services._signers import lock_in_use
from issuer.chain.services._wanted import Guard, require_in_turn, require_wanted_now
from issuer.chain.signing import Signer, hash_of
from issuer.chain.states import (
    CANCELLING_STATES,
    SENDABLE_STATES,
    IntentKind,
    IntentState,
    IntentStep,
)
from issuer.foundation.actors import Actor
from issuer.foundation.transactions import require_transaction, translating
from issuer.gate.models import GateState, ScopeKind
from issuer.instruments.models import Deployment

#: The tightest gates at which what moves tokens by request, or back to a sender, may be sent.
GATES_NEEDED: Final = {
    IntentKind.MINT: GateState.OPEN,
    IntentKind.BURN: GateState.REDEEM_ONLY,
    IntentKind.RETURN: GateState.REDEEM_ONLY,
}

REASON_LENGTH: Final = 500


@dataclass(frozen=True, slots=True)
class Prepared:
    """What the chain said before a transaction is signed.

    `chain_nonce` is how many of the account's transactions are in blocks; those that are not ours
    are final.
    """

    fees: FeeQuote
    chain_nonce: int


def prepare(
    *, deployment: Deployment, call: Call, signer: Signer, reader: TransactionReader
) -> Prepared:
    """Ask the chain what `sign` needs to know; writes nothing. Call it before a transaction.

    Raises:
        TransactionRefusedByContract: if the contract would revert the call.
        NonceNotFinal: if somebody else used the account, and that may still be undone.
        ChainUnavailable: if the node cannot be trusted to have answered.
    """
    fees = reader.quote(sender=signer.address, contract=deployment.address, calldata=call.calldata)
    nonce = reader.next_nonce(signer.address)
    if nonce > selectors.next_nonce_of(deployment.network, signer.address):
        _require_final_nonce(nonce, signer, reader)
    return Prepared(fees=fees, chain_nonce=nonce)


def sign(
    *,
    deployment: Deployment,
    call: Call,
    request_id: UUID,
    signer: Signer,
    prepared: Prepared,
    gate_scopes: Sequence[tuple[ScopeKind, UUID]] = (),
    actor: Actor,
    at: datetime,
) -> TransactionIntent:
    """Commit ourselves to `call` for what `request_id` names: the next nonce, and exact bytes.

    Nothing is sent. Joins the transaction in which the caller has checked that it may be done.
    Mints are sent only while the gates are open, burns while none is halted, and the rest always;
    `gate_scopes` are further gates, beside those of program, token and network.

    Raises:
        TransactionAlreadyIntended: if one for the request is under way or done.
        SignerMismatch: if `signer` is not appointed for it, or does not hold what is to be burned.
        SignerRetired: if `signer` was appointed once, and is retired.
        FeesTooHigh: if the chain asks for more than our limit.
    """
    require_transaction()
    _attempts.require_payable(prepared.fees)
    if call.kind is IntentKind.BURN and call.account != signer.address:
        raise errors.SignerMismatch(f"{signer.address} cannot burn what {call.account} holds.")
    account = lock_in_use(deployment.network, call.purpose, signer.address)
    nonce = max(account.next_nonce, prepared.chain_nonce)
    gate_needed = GATES_NEEDED.get(call.kind, "")
    taken = errors.TransactionAlreadyIntended(f"{request_id} has a transaction already.")
    with translating({"transaction_intent_one_per_request_unless_failed": taken}):
        intent = TransactionIntent.objects.create(
            deployment=deployment,
            signer_account=account,
            kind=call.kind,
            request_id=request_id,
            request_serial=call.request_serial,
            account=call.account,
            base_units=call.base_units,
            nonce=nonce,
            calldata=call.calldata,
            calldata_hash=hash_of(call.calldata),
            gas_limit=prepared.fees.gas_limit,
            gate_needed=gate_needed,
            gate_scopes=_texts_of(deployment, gate_scopes) if gate_needed else [],
            signed_at=at,
        )
    _attempts.sign_attempt(intent, signer=signer, fees=prepared.fees, at=at)
    account.next_nonce = nonce + 1
    account.save(update_fields=["next_nonce"])
    facts = {"nonce": str(nonce), "account": call.account}
    if call.base_units is not None:
        facts["base_units"] = str(call.base_units)
    audit.record(f"{call.kind.lower()}.sign", subject=intent, actor=actor, at=at, **facts)
    return intent


def broadcast(
    intent_id: UUID,
    *,
    sender: Broadcaster,
    guard: Guard | None = None,
    final_nonce: int = 0,
    actor: Actor,
    at: datetime,
) -> TransactionIntent:
    """Send the newest bytes of an intent that is not in a block yet; safe to repeat.

    Whether it may go out is asked before it is sent, and again once it is: a gate may have shut
    meanwhile. `guard` is asked, too, on behalf of what it was signed for. What may not go out is
    to be cancelled; what cancels it is sent whatever the gates say, and before its turn. Below
    `final_nonce` of its account, everything has had its turn.

    Call it outside any transaction: no lock waits for a node.

    Raises:
        GateClosed: if one of its gates is shut, or has been since.
        NoLongerWanted: if `guard` refuses it.
        EarlierTransactionUnsent: if an earlier nonce of its account is not sent.
        Underpriced: if the node did not take it, because it offers too little.
        ChainUnavailable: if the node did not take it; whether it did is unknown.
    """
    with transaction.atomic():
        intent = _steps.lock(intent_id)
        if intent.state not in SENDABLE_STATES:
            return intent
        require_wanted_now(intent, guard, at)
        require_in_turn(intent, final_nonce=final_nonce)
        attempt = selectors.newest_attempt(intent)
    sender.broadcast(bytes(attempt.raw_transaction))
    with transaction.atomic():
        intent = _steps.lock(intent_id)
        if attempt.cancels and intent.state == IntentState.CANCELLING:
            _steps.take(IntentStep.SEND_CANCEL, intent, actor=actor, at=at)
        elif not attempt.cancels and intent.state == IntentState.SIGNED:
            _steps.take(IntentStep.BROADCAST, intent, actor=actor, at=at)
    with transaction.atomic():  # another one, so that a refusal leaves it recorded as sent
        require_wanted_now(intent, guard, at)
    return intent


@transaction.atomic
def cancel(
    intent_id: UUID, *, signer: Signer, fees: FeeQuote, reason: str, actor: Actor, at: datetime
) -> TransactionIntent:
    """Sign a transaction of nothing in the place of one that may no longer go out; for good.

    It has the same nonce and outbids what was signed before, so the chain takes one of the two.
    Which one is open until a final block has it; the caller sends it by `broadcast`. `fees` is
    what the chain asks for it. It may cost more than our limit by the eighth that it takes to
    outbid. What is being cancelled already is left as it is.

    Only what a gate may stop is ever cancelled.

    Raises:
        IllegalTransition: if a block has the intent, or it has ended.
        SignerMismatch: if `signer` does not hold the key of the intent's account.
    """
    intent = _steps.lock(intent_id)
    assert intent.gate_needed, "only what a gate may stop is cancelled"
    if intent.state in CANCELLING_STATES:
        return intent
    IntentStep.CANCEL.value.check(IntentState(intent.state))
    _attempts.require_signer(intent, signer)
    last = selectors.newest_attempt(intent)
    quoted = _attempts.within_limit(fees)
    _steps.take(IntentStep.CANCEL, intent, actor=actor, at=at, cancel_reason=reason[:REASON_LENGTH])
    _attempts.sign_cancellation(
        intent,
        signer=signer,
        fees=_attempts.outbidding(last, quoted, gas_limit=fees.gas_limit),
        at=at,
    )
    return intent


@transaction.atomic
def bump_fees(
    attempt_id: UUID,
    *,
    signer: Signer,
    fees: FeeQuote,
    guard: Guard | None = None,
    actor: Actor,
    at: datetime,
) -> TransactionAttempt:
    """Sign an intent that is stuck again, or what cancels it, for more than an attempt offers.

    It keeps its nonce and its calldata. Each fee rises to that of `fees` (what the chain asks
    now), and by an eighth at least. The caller sends it by `broadcast`; whichever attempt the
    chain takes, it is carried out once. An account that was retired since may still do this: what
    it says was said before.

    The attempt is the one that was seen to be stuck, so two who saw that raise the fees once.

    Raises:
        IllegalTransition: if the intent is not waiting for a block.
        SignerMismatch: if `signer` does not hold the key of the intent's account.
        IntentChanged: if the attempt is not the newest any more, or the intent's calldata not what
            it was signed for.
        GateClosed: if one of its gates is shut: a halt signs nothing but cancellations.
        NoLongerWanted: if `guard` refuses it, likewise.
        FeesTooHigh: if the new fees are above our limit.
    """
    seen = TransactionAttempt.objects.get(pk=attempt_id)
    intent = _steps.lock(seen.intent_id)
    cancels = intent.state in CANCELLING_STATES
    if not cancels:
        IntentStep.SEE_MINED.value.check(IntentState(intent.state))
    _attempts.require_signer(intent, signer)
    if hash_of(bytes(intent.calldata)) != intent.calldata_hash:
        raise errors.IntentChanged(f"{intent} is not what was signed.")
    if selectors.newest_attempt(intent) != seen:
        raise errors.IntentChanged(f"{seen} was replaced by another attempt already.")
    require_wanted_now(intent, guard, at)
    gas_limit = fees.gas_limit if cancels else intent.gas_limit
    raised = _attempts.outbidding(seen, fees, gas_limit=gas_limit)
    _attempts.require_payable(raised)
    sign_again = _attempts.sign_cancellation if cancels else _attempts.sign_attempt
    attempt = sign_again(intent, signer=signer, fees=raised, at=at)
    audit.record(
        f"{intent.kind.lower()}.bump_fees",
        subject=intent,
        actor=actor,
        at=at,
        transaction_hash=attempt.transaction_hash,
        max_fee_per_gas=str(raised.max_fee_per_gas),
    )
    return attempt


def record_booked(intent: TransactionIntent, *, actor: Actor, at: datetime) -> TransactionIntent:
    """Record that what asked for a final intent has dealt with it; joins that transaction.

    Raises:
        IllegalTransition: if the intent is not final, or booked already.
    """
    require_transaction()
    return _steps.take(IntentStep.BOOK, _steps.lock(intent.pk), actor=actor, at=at)


def _require_final_nonce(nonce: int, signer: Signer, reader: TransactionReader) -> None:
    """Refuse a nonce that follows what is not ours, and may be undone: it would leave a gap."""
    if reader.next_nonce(signer.address, at=reader.final_block()) < nonce:
        detail = f"{signer.address} was used by somebody else, and that is not final yet."
        raise errors.NonceNotFinal(detail, nonce=str(nonce))


def _texts_of(deployment: Deployment, further: Sequence[tuple[ScopeKind, UUID]]) -> list[list[str]]:
    scopes = {
        (ScopeKind.PROGRAM, deployment.token.program_id),
        (ScopeKind.TOKEN, deployment.token_id),
        (ScopeKind.NETWORK, deployment.network_id),
        *further,
    }
    return sorted([kind.value, str(subject)] for kind, subject in scopes)
