"""A mint, from the signature to the books: exactly once, whatever fails in between.

The exact signed bytes are committed before anybody else sees them, so a process that dies at any
point leaves either no mint, or one that the next run goes on with. Sending is safe to repeat: the
bytes are the same, and the contract takes each request once.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.db import transaction
from eth_utils.address import to_checksum_address

from issuer.audit import services as audit
from issuer.chain import errors, token_contract
from issuer.chain.models import (
    IntentTransition,
    SignerAccount,
    TransactionAttempt,
    TransactionIntent,
)
from issuer.chain.readers import Block, Broadcaster, FeeQuote, Receipt, TransactionReader
from issuer.chain.request_ids import request_id_bytes32
from issuer.chain.services import _steps
from issuer.chain.signing import Signer, UnsignedTransaction, hash_of
from issuer.chain.states import LIVE_STATES, IntentState, IntentStep
from issuer.foundation.actors import Actor
from issuer.foundation.transactions import require_transaction, translating
from issuer.gate import services as gate
from issuer.gate.models import ScopeKind
from issuer.instruments.models import Deployment, Network

#: Above this we rather wait than pay; a chain in its right mind asks for a hundredth.
MAX_FEE_PER_GAS_WEI: Final = 2_000 * 10**9
#: Nodes take a replacement only if both of its fees are at least 10 % up (geth), 12.5 % (others).
BUMP_NUMERATOR: Final = 9
BUMP_DENOMINATOR: Final = 8

_SENDABLE: Final = frozenset({IntentState.SIGNED, IntentState.BROADCAST})


@dataclass(frozen=True, slots=True)
class Prepared:
    """What the chain said before a mint is signed."""

    fees: FeeQuote
    chain_nonce: int


def prepare_mint(
    *,
    deployment: Deployment,
    request_id: UUID,
    recipient: str,
    base_units: int,
    signer: Signer,
    reader: TransactionReader,
) -> Prepared:
    """Ask the chain what `sign_mint` needs to know; writes nothing. Call it before a transaction.

    Raises:
        TransactionRefusedByContract: if the contract would revert the mint.
        ChainUnavailable: if the node cannot be trusted to have answered.
    """
    calldata = token_contract.mint_calldata(
        recipient=recipient, base_units=base_units, request_id=request_id
    )
    return Prepared(
        fees=reader.quote(sender=signer.address, contract=deployment.address, calldata=calldata),
        chain_nonce=reader.next_nonce(signer.address),
    )


def sign_mint(
    *,
    deployment: Deployment,
    request_id: UUID,
    recipient: str,
    base_units: int,
    signer: Signer,
    fees: FeeQuote,
    chain_nonce: int,
    gate_scopes: Sequence[tuple[ScopeKind, UUID]] = (),
    actor: Actor,
    at: datetime,
) -> TransactionIntent:
    """Commit ourselves to mint `base_units` to `recipient`: the next nonce, and exact bytes.

    Nothing is sent. Joins the transaction in which the caller has checked that it may mint.
    `gate_scopes` are further gates, beside those of program, token and network, that must be
    open when it is sent.

    Raises:
        TransactionAlreadyIntended: if a mint for the request is under way or done.
        SignerMismatch: if `signer` does not hold the key of the network's account.
        FeesTooHigh: if `fees` are above our limit.
    """
    require_transaction()
    _require_payable(fees)
    account = _lock_account(deployment.network, signer, actor=actor, at=at)
    nonce = max(account.next_nonce, chain_nonce)
    recipient = to_checksum_address(recipient)
    calldata = token_contract.mint_calldata(
        recipient=recipient, base_units=base_units, request_id=request_id
    )
    taken = errors.TransactionAlreadyIntended(f"Request {request_id} has a mint already.")
    with translating({"transaction_intent_one_per_request_unless_failed": taken}):
        intent = TransactionIntent.objects.create(
            deployment=deployment,
            signer_account=account,
            request_id=request_id,
            recipient=recipient,
            base_units=base_units,
            nonce=nonce,
            calldata_hash=hash_of(calldata),
            gas_limit=fees.gas_limit,
            gate_scopes=_texts_of(deployment, gate_scopes),
            signed_at=at,
        )
    _sign(intent, calldata, signer=signer, fees=fees, at=at)
    account.next_nonce = nonce + 1
    account.save(update_fields=["next_nonce"])
    facts = {"nonce": str(nonce), "base_units": str(base_units), "recipient": recipient}
    audit.record("mint.sign", subject=intent, actor=actor, at=at, **facts)
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
        gate.require_open(scopes=_scopes_of(intent))
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
    its nonce is final and neither a receipt of ours nor the contract knows of the mint. That a
    mint is final is recorded by the scan that finds its event.

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
    failed = is_final and not receipt.succeeded
    return _record_receipt(intent_id, receipt, failed=failed, actor=actor, at=at)


@transaction.atomic
def bump_fees(
    intent_id: UUID, *, signer: Signer, fees: FeeQuote, actor: Actor, at: datetime
) -> TransactionAttempt:
    """Sign an intent that was sent and is stuck again: same nonce, same calldata, higher fees.

    Each fee rises to that of `fees` (what the chain asks now), and by an eighth at least. The
    caller sends it by `broadcast`; whichever attempt the chain takes, it mints once.

    Raises:
        IllegalTransition: if the intent is not waiting for a block.
        SignerMismatch: if `signer` does not hold the key of the intent's account.
        IntentChanged: if the intent's columns no longer give the calldata it was signed for.
        GateClosed: if one of its gates is shut: a halt signs nothing, and lets no fees climb.
        FeesTooHigh: if the new fees are above our limit.
    """
    intent = _steps.lock(intent_id)
    IntentStep.SEE_MINED.value.check(IntentState(intent.state))
    if signer.address != intent.signer_account.address:
        raise errors.SignerMismatch(f"{signer.address} did not sign {intent}.")
    calldata = token_contract.mint_calldata(
        recipient=intent.recipient, base_units=intent.base_units, request_id=intent.request_id
    )
    if hash_of(calldata) != intent.calldata_hash:
        raise errors.IntentChanged(f"{intent} is not what was signed.")
    gate.require_open(scopes=_scopes_of(intent))
    last = _newest_attempt(intent)
    raised = FeeQuote(
        max_fee_per_gas=max(fees.max_fee_per_gas, _bumped(last.max_fee_per_gas)),
        max_priority_fee_per_gas=max(
            fees.max_priority_fee_per_gas, _bumped(last.max_priority_fee_per_gas)
        ),
        gas_limit=intent.gas_limit,
    )
    _require_payable(raised)
    attempt = _sign(intent, calldata, signer=signer, fees=raised, at=at)
    audit.record(
        "mint.bump_fees",
        subject=intent,
        actor=actor,
        at=at,
        transaction_hash=attempt.transaction_hash,
        max_fee_per_gas=str(raised.max_fee_per_gas),
    )
    return attempt


def record_booked(intent: TransactionIntent, *, actor: Actor, at: datetime) -> TransactionIntent:
    """Record that the books have a final mint; joins the transaction that posts it.

    Raises:
        IllegalTransition: if the mint is not final, or booked already.
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
    intent_id: UUID, receipt: Receipt, *, failed: bool, actor: Actor, at: datetime
) -> TransactionIntent:
    intent = _steps.lock(intent_id)
    if intent.state not in LIVE_STATES:
        return intent
    if intent.state == IntentState.MINED and _block_seen(intent) != receipt.block_hash:
        _steps.take(IntentStep.LOSE_BLOCK, intent, actor=actor, at=at)
    block: dict[str, Any] = {"block_number": receipt.block_number, "block_hash": receipt.block_hash}
    if intent.state != IntentState.MINED:
        _steps.take(IntentStep.SEE_MINED, intent, actor=actor, at=at, **block)
    if failed:
        failure = f"The contract reverted {receipt.transaction_hash}."
        _steps.take(IntentStep.REVERT, intent, actor=actor, at=at, failure=failure, **block)
    return intent


def _receipt_of(intent: TransactionIntent, reader: TransactionReader) -> Receipt | None:
    for attempt in intent.attempts.order_by("-id"):
        receipt = reader.receipt(attempt.transaction_hash)
        if receipt is not None:
            return receipt
    return None


def _is_dropped(intent: TransactionIntent, reader: TransactionReader, final: Block) -> bool:
    if reader.next_nonce(intent.signer_account.address, at=final) <= intent.nonce:
        return False
    request_id = request_id_bytes32(intent.request_id)
    if reader.request_used(intent.deployment.address, request_id, at=final):
        # The mint happened, and the node has only not got its receipt.
        raise errors.ChainUnavailable(f"The node lacks the receipt of {intent}.")
    return True


def _block_seen(intent: TransactionIntent) -> str:
    seen = IntentTransition.objects.filter(intent=intent, step=IntentStep.SEE_MINED.name)
    return seen.latest("id").block_hash


def _newest_attempt(intent: TransactionIntent) -> TransactionAttempt:
    return intent.attempts.latest("id")


def _sign(
    intent: TransactionIntent, calldata: bytes, *, signer: Signer, fees: FeeQuote, at: datetime
) -> TransactionAttempt:
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


def _lock_account(network: Network, signer: Signer, *, actor: Actor, at: datetime) -> SignerAccount:
    account, new = SignerAccount.objects.select_for_update(of=("self",)).get_or_create(
        network=network, defaults={"address": signer.address}
    )
    if new:
        facts = {"address": signer.address}
        audit.record("signer.register", subject=account, actor=actor, at=at, **facts)
    if account.address != signer.address:
        detail = f"{network} mints from {account.address}, and the signer is {signer.address}."
        raise errors.SignerMismatch(detail)
    return account


def _texts_of(deployment: Deployment, further: Sequence[tuple[ScopeKind, UUID]]) -> list[list[str]]:
    scopes = {
        (ScopeKind.PROGRAM, deployment.token.program_id),
        (ScopeKind.TOKEN, deployment.token_id),
        (ScopeKind.NETWORK, deployment.network_id),
        *further,
    }
    return sorted([kind.value, str(subject)] for kind, subject in scopes)


def _scopes_of(intent: TransactionIntent) -> list[tuple[ScopeKind, UUID]]:
    return [(ScopeKind(kind), UUID(subject)) for kind, subject in intent.gate_scopes]


def _require_payable(fees: FeeQuote) -> None:
    if fees.max_fee_per_gas > MAX_FEE_PER_GAS_WEI:
        detail = f"The chain asks for {fees.max_fee_per_gas} wei per gas."
        raise errors.FeesTooHigh(detail, limit=str(MAX_FEE_PER_GAS_WEI))


def _bumped(fee: int) -> int:
    """Return `fee` and an eighth, rounded up."""
    return -(-fee * BUMP_NUMERATOR // BUMP_DENOMINATOR)
