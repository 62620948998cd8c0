"""A transaction of ours, from the signature to the books: exactly once, whatever fails between.

The exact signed bytes are committed before anybody else sees them, so a process that dies at any
point leaves either no transaction, or one that the next run goes on with. Sending is safe to
repeat: the bytes are the same, and of one nonce the chain takes one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.db import transaction

from issuer.audit import services as audit
from issuer.chain import errors
from issuer.chain.calls import Call
from issuer.chain.models import IntentTransition, TransactionAttempt, TransactionIntent
from issuer.chain.readers import Block, Broadcaster, FeeQuote, Receipt, TransactionReader
from issuer.chain.request_ids import request_id_bytes32
from issuer.chain.services import _steps
from issuer.chain.services._signers import lock_in_use
from issuer.chain.signing import Signer, UnsignedTransaction, hash_of
from issuer.chain.states import LIVE_STATES, MOVES_SUPPLY, IntentKind, IntentState, IntentStep
from issuer.foundation.actors import Actor
from issuer.foundation.transactions import require_transaction, translating
from issuer.gate import services as gate
from issuer.gate.models import GateState, ScopeKind
from issuer.instruments.models import Deployment

#: Above this we rather wait than pay; a chain in its right mind asks for a hundredth.
MAX_FEE_PER_GAS_WEI: Final = 2_000 * 10**9
#: Nodes take a replacement only if both of its fees are at least 10 % up (geth), 12.5 % (others).
BUMP_NUMERATOR: Final = 9
BUMP_DENOMINATOR: Final = 8

#: The tightest gates at which what changes the supply by request may be sent.
GATES_NEEDED: Final = {
    IntentKind.MINT: GateState.OPEN,
    IntentKind.BURN: GateState.REDEEM_ONLY,
}

_SENDABLE: Final = frozenset({IntentState.SIGNED, IntentState.BROADCAST})


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
    _require_payable(prepared.fees)
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
    _sign(intent, signer=signer, fees=prepared.fees, at=at)
    account.next_nonce = nonce + 1
    account.save(update_fields=["next_nonce"])
    facts = {"nonce": str(nonce), "account": call.account}
    if call.base_units is not None:
        facts["base_units"] = str(call.base_units)
    audit.record(f"{call.kind.lower()}.sign", subject=intent, actor=actor, at=at, **facts)
    return intent


def broadcast(
    intent_id: UUID, *, sender: Broadcaster, actor: Actor, at: datetime
) -> TransactionIntent:
    """Send the newest bytes of an intent that is not in a block yet; safe to repeat.

    Call it outside any transaction: no lock waits for a node.

    Raises:
        GateClosed: if one of its gates is shut; it stays where it is.
        ChainUnavailable: if the node did not take it; whether it did is unknown.
    """
    with transaction.atomic():
        intent = _steps.lock(intent_id)
        if intent.state not in _SENDABLE:
            return intent
        _require_gates(intent)
        raw = bytes(_newest_attempt(intent).raw_transaction)
    sender.broadcast(raw)
    with transaction.atomic():
        intent = _steps.lock(intent_id)
        if intent.state == IntentState.SIGNED:
            _steps.take(IntentStep.BROADCAST, intent, actor=actor, at=at)
    return intent


def observe(
    intent_id: UUID, *, reader: TransactionReader, actor: Actor, at: datetime
) -> TransactionIntent:
    """Record what the chain says became of a live intent; safe to repeat.

    A missing receipt is unknown: the intent fails only by a final receipt that says so, or once
    its nonce is final and neither a receipt of ours nor the contract knows of it. That a change of
    the supply is final is recorded by the scan that finds its event; of all else, by its receipt.

    Call it outside any transaction.

    Raises:
        ChainUnavailable: if the node cannot be trusted to have answered.
    """
    intent = TransactionIntent.objects.select_related("deployment__network", "signer_account").get(
        pk=intent_id
    )
    if intent.state not in LIVE_STATES:
        return intent
    final = reader.final_block()
    receipt = _receipt_of(intent, reader)
    if receipt is None:
        dropped = _is_dropped(intent, reader, final)
        return _record_silence(intent_id, dropped=dropped, actor=actor, at=at)
    is_final = receipt.block_number <= final.number
    if is_final and reader.block(receipt.block_number).hash != receipt.block_hash:
        raise errors.ChainUnavailable(f"{receipt.transaction_hash} is in a block that is no more.")
    return _record_receipt(intent_id, receipt, is_final=is_final, actor=actor, at=at)


@transaction.atomic
def bump_fees(
    intent_id: UUID, *, signer: Signer, fees: FeeQuote, actor: Actor, at: datetime
) -> TransactionAttempt:
    """Sign an intent that was sent and is stuck again: same nonce, same calldata, higher fees.

    Each fee rises to that of `fees` (what the chain asks now), and by an eighth at least. The
    caller sends it by `broadcast`; whichever attempt the chain takes, it is carried out once. An
    account that was retired since may still do this: what it says was said before.

    Raises:
        IllegalTransition: if the intent is not waiting for a block.
        SignerMismatch: if `signer` does not hold the key of the intent's account.
        IntentChanged: if the intent's calldata is no longer what it was signed for.
        GateClosed: if one of its gates is shut: a halt signs nothing, and lets no fees climb.
        FeesTooHigh: if the new fees are above our limit.
    """
    intent = _steps.lock(intent_id)
    IntentStep.SEE_MINED.value.check(IntentState(intent.state))
    if signer.address != intent.signer_account.address:
        raise errors.SignerMismatch(f"{signer.address} did not sign {intent}.")
    if hash_of(bytes(intent.calldata)) != intent.calldata_hash:
        raise errors.IntentChanged(f"{intent} is not what was signed.")
    _require_gates(intent)
    last = _newest_attempt(intent)
    raised = FeeQuote(
        max_fee_per_gas=max(fees.max_fee_per_gas, _bumped(last.max_fee_per_gas)),
        max_priority_fee_per_gas=max(
            fees.max_priority_fee_per_gas, _bumped(last.max_priority_fee_per_gas)
        ),
        gas_limit=intent.gas_limit,
    )
    _require_payable(raised)
    attempt = _sign(intent, signer=signer, fees=raised, at=at)
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


@transaction.atomic
def _record_silence(
    intent_id: UUID, *, dropped: bool, actor: Actor, at: datetime
) -> TransactionIntent:
    intent = _steps.lock(intent_id)
    if intent.state not in LIVE_STATES:
        return intent
    if dropped:
        failure = f"Nonce {intent.nonce} is final with another transaction."
        return _steps.take(IntentStep.DROP, intent, actor=actor, at=at, failure=failure)
    if intent.state == IntentState.MINED:
        return _steps.take(IntentStep.LOSE_BLOCK, intent, actor=actor, at=at)
    return intent


@transaction.atomic
def _record_receipt(
    intent_id: UUID, receipt: Receipt, *, is_final: bool, actor: Actor, at: datetime
) -> TransactionIntent:
    intent = _steps.lock(intent_id)
    if intent.state not in LIVE_STATES:
        return intent
    if intent.state == IntentState.MINED and _block_seen(intent) != receipt.block_hash:
        _steps.take(IntentStep.LOSE_BLOCK, intent, actor=actor, at=at)
    block: dict[str, Any] = {"block_number": receipt.block_number, "block_hash": receipt.block_hash}
    if intent.state != IntentState.MINED:
        _steps.take(IntentStep.SEE_MINED, intent, actor=actor, at=at, **block)
    if is_final and not receipt.succeeded:
        failure = f"The contract reverted {receipt.transaction_hash}."
        _steps.take(IntentStep.REVERT, intent, actor=actor, at=at, failure=failure, **block)
    elif is_final and intent.kind not in MOVES_SUPPLY:
        _steps.take(IntentStep.FINALIZE, intent, actor=actor, at=at, **block)
    return intent


def _receipt_of(intent: TransactionIntent, reader: TransactionReader) -> Receipt | None:
    for attempt in intent.attempts.order_by("-id"):
        receipt = reader.receipt(attempt.transaction_hash)
        if receipt is not None:
            return receipt
    return None


def _is_dropped(intent: TransactionIntent, reader: TransactionReader, final: Block) -> bool:
    """Say whether the chain has certainly not carried `intent` out, and never will.

    Its nonce is final, and the node has no receipt of ours: another transaction took it, or the
    node is only behind. Where the contract uses requests up, it knows. What may be done twice
    without harm may be tried again. Nothing on chain tells whether tokens were sent back, so that
    is never called dropped: twice would be somebody else's tokens.
    """
    if reader.next_nonce(intent.signer_account.address, at=final) <= intent.nonce:
        return False
    if intent.kind == IntentKind.RETURN:
        raise errors.ChainUnavailable(f"The node knows the nonce, and no receipt, of {intent}.")
    if intent.kind in MOVES_SUPPLY:
        request_id = request_id_bytes32(intent.request_id)
        if reader.request_used(intent.deployment.address, request_id, at=final):
            # It happened, and the node has only not got its receipt.
            raise errors.ChainUnavailable(f"The node lacks the receipt of {intent}.")
    return True


def _block_seen(intent: TransactionIntent) -> str:
    seen = IntentTransition.objects.filter(intent=intent, step=IntentStep.SEE_MINED.name)
    return seen.latest("id").block_hash


def _newest_attempt(intent: TransactionIntent) -> TransactionAttempt:
    return intent.attempts.latest("id")


def _sign(
    intent: TransactionIntent, *, signer: Signer, fees: FeeQuote, at: datetime
) -> TransactionAttempt:
    calldata = bytes(intent.calldata)
    signed = signer.sign(
        UnsignedTransaction(
            chain_id=int(intent.deployment.network.caip2.partition(":")[2]),
            nonce=intent.nonce,
            contract=intent.deployment.address,
            calldata=calldata,
            fees=fees,
        )
    )
    return TransactionAttempt.objects.create(
        intent=intent,
        transaction_hash=signed.hash,
        raw_transaction=signed.raw,
        calldata_hash=hash_of(calldata),
        max_fee_per_gas=fees.max_fee_per_gas,
        max_priority_fee_per_gas=fees.max_priority_fee_per_gas,
        signed_at=at,
    )


def _texts_of(deployment: Deployment, further: Sequence[tuple[ScopeKind, UUID]]) -> list[list[str]]:
    scopes = {
        (ScopeKind.PROGRAM, deployment.token.program_id),
        (ScopeKind.TOKEN, deployment.token_id),
        (ScopeKind.NETWORK, deployment.network_id),
        *further,
    }
    return sorted([kind.value, str(subject)] for kind, subject in scopes)


def _require_gates(intent: TransactionIntent) -> None:
    """Refuse what may not be sent at the gates as they are, and keep them so."""
    scopes = [(ScopeKind(kind), UUID(subject)) for kind, subject in intent.gate_scopes]
    match intent.gate_needed:
        case GateState.OPEN:
            gate.require_open(scopes=scopes)
        case GateState.REDEEM_ONLY:
            gate.require_redeemable(scopes=scopes)


def _require_payable(fees: FeeQuote) -> None:
    if fees.max_fee_per_gas > MAX_FEE_PER_GAS_WEI:
        detail = f"The chain asks for {fees.max_fee_per_gas} wei per gas."
        raise errors.FeesTooHigh(detail, limit=str(MAX_FEE_PER_GAS_WEI))


def _bumped(fee: int) -> int:
    """Return `fee` and an eighth, rounded up."""
    return -(-fee * BUMP_NUMERATOR // BUMP_DENOMINATOR)
