"""A transaction of ours, from the signature to the books: exactly once, whatever fails between.

The exact signed bytes are committed before anybody else sees them, so a process that dies at any
point leaves either no transaction, or one that the next run goes on with. Sending is safe to
repeat: the bytes are the same, and of one nonce the chain takes one.

No lock waits for a node, so that no node can make a halt wait: nodes take seconds to be silent,
and a halt has to be placed at once. What a halt finds on its way to the node is therefore asked
about again as soon as the node has it, and cancelled.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypeAlias
from uuid import UUID

from django.db import transaction

from issuer.audit import services as audit
from issuer.chain import errors
from issuer.chain.calls import Call
from issuer.chain.models import TransactionAttempt, TransactionIntent
from issuer.chain.readers import Broadcaster, FeeQuote, TransactionReader
from issuer.chain.services import _attempts, _steps
from issuer.chain.services._signers import lock_in_use
from issuer.chain.signing import Signer, hash_of
from issuer.chain.states import (
    CANCELLABLE_STATES,
    CANCELLING_STATES,
    SENDABLE_STATES,
    UNSENT_STATES,
    IntentKind,
    IntentState,
    IntentStep,
)
from issuer.foundation.actors import Actor
from issuer.foundation.errors import DomainError, Unavailable
from issuer.foundation.transactions import require_transaction, translating
from issuer.gate import services as gate
from issuer.gate.models import GateState, ScopeKind
from issuer.instruments.models import Deployment

#: Refuses an intent that whoever asked for it no longer wants at a time.
Guard: TypeAlias = Callable[[TransactionIntent, datetime], None]

#: The tightest gates at which what moves tokens by request, or back to a sender, may be sent.
GATES_NEEDED: Final = {
    IntentKind.MINT: GateState.OPEN,
    IntentKind.BURN: GateState.REDEEM_ONLY,
    IntentKind.RETURN: GateState.REDEEM_ONLY,
}

REASON_LENGTH: Final = 500


@dataclass(frozen=True, slots=True)
class Prepared:
    """What the chain said before a transaction is signed."""

    fees: FeeQuote
    chain_nonce: int


def prepare(
    *, deployment: Deployment, call: Call, signer: Signer, reader: TransactionReader
) -> Prepared:
    """Ask the chain what `sign` needs to know; writes nothing. Call it before a transaction.

    Raises:
        TransactionRefusedByContract: if the contract would revert the call.
        ChainUnavailable: if the node cannot be trusted to have answered.
    """
    return Prepared(
        fees=reader.quote(
            sender=signer.address, contract=deployment.address, calldata=call.calldata
        ),
        chain_nonce=reader.next_nonce(signer.address),
    )


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
    actor: Actor,
    at: datetime,
) -> TransactionIntent:
    """Send the newest bytes of an intent that is not in a block yet; safe to repeat.

    Whether it may go out is asked before it is sent, and again once it is: a gate may have shut
    meanwhile. `guard` is asked, too, on behalf of what it was signed for. What may not go out is
    to be cancelled; what cancels it is sent whatever the gates say.

    Call it outside any transaction: no lock waits for a node.

    Raises:
        GateClosed: if one of its gates is shut, or has been since.
        NoLongerWanted: if `guard` refuses it.
        EarlierTransactionUnsent: if an earlier nonce of its account is not sent. What is behind a
            gap stays with the node, and goes out when nobody asks any more.
        ChainUnavailable: if the node did not take it; whether it did is unknown.
    """
    with transaction.atomic():
        intent = _steps.lock(intent_id)
        if intent.state not in SENDABLE_STATES:
            return intent
        _require_in_turn(intent)
        _require_wanted(intent, guard, at)
        attempt = _attempts.newest_attempt(intent)
    sender.broadcast(bytes(attempt.raw_transaction))
    with transaction.atomic():
        intent = _steps.lock(intent_id)
        if attempt.cancels and intent.state == IntentState.CANCELLING:
            _steps.take(IntentStep.SEND_CANCEL, intent, actor=actor, at=at)
        elif not attempt.cancels and intent.state == IntentState.SIGNED:
            _steps.take(IntentStep.BROADCAST, intent, actor=actor, at=at)
    with transaction.atomic():  # another one, so that a refusal leaves it recorded as sent
        _require_wanted(intent, guard, at)
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
    last = _attempts.newest_attempt(intent)
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
    intent_id: UUID, *, signer: Signer, fees: FeeQuote, actor: Actor, at: datetime
) -> TransactionAttempt:
    """Sign an intent that was sent and is stuck again, or what cancels it, for higher fees.

    It keeps its nonce and its calldata. Each fee rises to that of `fees` (what the chain asks
    now), and by an eighth at least. The caller sends it by `broadcast`; whichever attempt the
    chain takes, it is carried out once. An account that was retired since may still do this: what
    it says was said before.

    Raises:
        IllegalTransition: if the intent is not waiting for a block.
        SignerMismatch: if `signer` does not hold the key of the intent's account.
        IntentChanged: if the intent's calldata is no longer what it was signed for.
        GateClosed: if one of its gates is shut: a halt signs nothing but cancellations.
        FeesTooHigh: if the new fees are above our limit.
    """
    intent = _steps.lock(intent_id)
    cancels = intent.state in CANCELLING_STATES
    if not cancels:
        IntentStep.SEE_MINED.value.check(IntentState(intent.state))
    _attempts.require_signer(intent, signer)
    if hash_of(bytes(intent.calldata)) != intent.calldata_hash:
        raise errors.IntentChanged(f"{intent} is not what was signed.")
    if not cancels:
        _require_gates(intent)
    gas_limit = fees.gas_limit if cancels else intent.gas_limit
    raised = _attempts.outbidding(_attempts.newest_attempt(intent), fees, gas_limit=gas_limit)
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


def _texts_of(deployment: Deployment, further: Sequence[tuple[ScopeKind, UUID]]) -> list[list[str]]:
    scopes = {
        (ScopeKind.PROGRAM, deployment.token.program_id),
        (ScopeKind.TOKEN, deployment.token_id),
        (ScopeKind.NETWORK, deployment.network_id),
        *further,
    }
    return sorted([kind.value, str(subject)] for kind, subject in scopes)


def _require_in_turn(intent: TransactionIntent) -> None:
    """Refuse to send what the node could not carry out next to what was sent before."""
    earlier = TransactionIntent.objects.filter(
        signer_account=intent.signer_account_id,
        nonce__lt=intent.nonce,
        state__in=sorted(UNSENT_STATES),
    ).order_by("nonce")
    unsent = earlier.first()
    if unsent is not None:
        detail = f"Nonce {unsent.nonce} of {intent.signer_account} is not sent yet."
        raise errors.EarlierTransactionUnsent(detail, nonce=str(unsent.nonce))


def _require_wanted(intent: TransactionIntent, guard: Guard | None, at: datetime) -> None:
    """Refuse what is to go out, and may not as things are; the gates stay so meanwhile."""
    if intent.state not in CANCELLABLE_STATES:
        return
    _require_gates(intent)
    if guard is None:
        return
    try:
        guard(intent, at)
    except Unavailable:
        raise  # nobody said that it is not wanted
    except DomainError as refusal:
        raise errors.NoLongerWanted(refusal.detail, code=refusal.code) from refusal


def _require_gates(intent: TransactionIntent) -> None:
    """Refuse what may not be sent at the gates as they are, and keep them so."""
    scopes = [(ScopeKind(kind), UUID(subject)) for kind, subject in intent.gate_scopes]
    match intent.gate_needed:
        case GateState.OPEN:
            gate.require_open(scopes=scopes)
        case GateState.REDEEM_ONLY:
            gate.require_redeemable(scopes=scopes)
