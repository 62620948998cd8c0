"""What became of an intent, as its chain says."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction

from issuer.chain import errors
from issuer.chain.models import (
    ChainEvent,
    IntentTransition,
    TransactionAttempt,
    TransactionIntent,
)
from issuer.chain.readers import Block, Receipt, TransactionReader
from issuer.chain.request_ids import request_id_bytes32
from issuer.chain.services import _steps
from issuer.chain.states import LIVE_STATES, MOVES_SUPPLY, IntentKind, IntentState, IntentStep
from issuer.foundation.actors import Actor

_SEEN = (IntentStep.SEE_MINED.name, IntentStep.OUTRUN_CANCEL.name)


def observe(
    intent_id: UUID, *, reader: TransactionReader, actor: Actor, at: datetime
) -> TransactionIntent:
    """Record what the chain says became of a live intent; safe to repeat.

    A missing receipt is unknown: the intent fails only by a final receipt that says so, of its
    own or of its cancellation, or once its nonce is final and the chain has certainly not carried
    it out. That a change of the supply is final is recorded by the scan that finds its event; of
    all else, by its receipt.

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
    found = _receipt_of(intent, reader)
    if found is None:
        failure = _why_dropped(intent, reader, final)
        return _record_silence(intent_id, failure=failure, actor=actor, at=at)
    attempt, receipt = found
    is_final = receipt.block_number <= final.number
    if is_final and reader.block(receipt.block_number).hash != receipt.block_hash:
        raise errors.ChainUnavailable(f"{receipt.transaction_hash} is in a block that is no more.")
    record = _record_cancellation if attempt.cancels else _record_receipt
    return record(intent_id, receipt, is_final=is_final, actor=actor, at=at)


@transaction.atomic
def _record_silence(
    intent_id: UUID, *, failure: str, actor: Actor, at: datetime
) -> TransactionIntent:
    intent = _steps.lock(intent_id)
    if intent.state not in LIVE_STATES:
        return intent
    if failure:
        return _steps.take(IntentStep.DROP, intent, actor=actor, at=at, failure=failure)
    if intent.state == IntentState.MINED:
        return _steps.lose_block(intent, actor=actor, at=at)
    return intent


@transaction.atomic
def _record_receipt(
    intent_id: UUID, receipt: Receipt, *, is_final: bool, actor: Actor, at: datetime
) -> TransactionIntent:
    intent = _steps.lock(intent_id)
    if intent.state not in LIVE_STATES:
        return intent
    if intent.state == IntentState.MINED and _block_seen(intent) != receipt.block_hash:
        _steps.lose_block(intent, actor=actor, at=at)
    block = _block_of(receipt)
    if intent.state != IntentState.MINED:
        _steps.see_mined(intent, actor=actor, at=at, **block)
    if is_final and not receipt.succeeded:
        failure = _why_reverted(intent, receipt)
        _steps.take(IntentStep.REVERT, intent, actor=actor, at=at, failure=failure, **block)
    elif is_final and intent.kind not in MOVES_SUPPLY:
        _steps.take(IntentStep.FINALIZE, intent, actor=actor, at=at, **block)
    return intent


@transaction.atomic
def _record_cancellation(
    intent_id: UUID, receipt: Receipt, *, is_final: bool, actor: Actor, at: datetime
) -> TransactionIntent:
    """Record that a block has what cancels an intent; whether it succeeded matters to nobody.

    Its nonce is used up by it, so once that is final, what was signed before never happens.
    """
    intent = _steps.lock(intent_id)
    if intent.state not in LIVE_STATES:
        return intent
    if intent.state == IntentState.MINED:
        _steps.lose_block(intent, actor=actor, at=at)
    if is_final:
        _steps.take(
            IntentStep.SEE_CANCELLED,
            intent,
            actor=actor,
            at=at,
            failure=intent.cancel_reason,
            **_block_of(receipt),
        )
    return intent


def _receipt_of(
    intent: TransactionIntent, reader: TransactionReader
) -> tuple[TransactionAttempt, Receipt] | None:
    for attempt in intent.attempts.order_by("-id"):
        receipt = reader.receipt(attempt.transaction_hash)
        if receipt is not None:
            return attempt, receipt
    return None


def _why_dropped(intent: TransactionIntent, reader: TransactionReader, final: Block) -> str:
    """Return why the chain has certainly not carried `intent` out, and never will; or nothing.

    Its nonce is final, and the node has no receipt of ours: another transaction took it, or the
    node is only behind. Where the contract uses requests up, it knows, and the event that we read
    shows whose transaction used it. What may be done twice without harm may be tried again.
    Nothing on chain tells whether tokens were sent back, so that is never called dropped: twice
    would be somebody else's tokens.
    """
    if reader.next_nonce(intent.signer_account.address, at=final) <= intent.nonce:
        return ""
    if intent.kind == IntentKind.RETURN:
        raise errors.ChainUnavailable(f"The node knows the nonce, and no receipt, of {intent}.")
    uses_up = intent.kind in MOVES_SUPPLY
    if uses_up and reader.request_used(intent.deployment.address, _on_chain(intent), at=final):
        copied = _copied(intent)
        if not copied:
            # It happened, and the node has only not got its receipt.
            raise errors.ChainUnavailable(f"The node lacks the receipt of {intent}.")
        return copied
    return f"Nonce {intent.nonce} is final with another transaction."


def _why_reverted(intent: TransactionIntent, receipt: Receipt) -> str:
    reverted = f"The contract reverted {receipt.transaction_hash}."
    copied = _copied(intent) if intent.kind in MOVES_SUPPLY else ""
    return f"{reverted} {copied}" if copied else reverted


def _copied(intent: TransactionIntent) -> str:
    """Return who used the request id of `intent` up, if a final event shows that we did not."""
    copy = (
        ChainEvent.objects.filter(deployment=intent.deployment, request_id=_on_chain(intent))
        .exclude(transaction_hash__in=intent.attempts.values("transaction_hash"))
        .first()
    )
    if copy is None:
        return ""
    return f"Its request id was used up by {copy.transaction_hash}, which is not ours."


def _on_chain(intent: TransactionIntent) -> str:
    return request_id_bytes32(intent.request_id, intent.request_serial)


def _block_seen(intent: TransactionIntent) -> str:
    seen = IntentTransition.objects.filter(intent=intent, step__in=_SEEN)
    return seen.latest("id").block_hash


def _block_of(receipt: Receipt) -> dict[str, Any]:
    return {"block_number": receipt.block_number, "block_hash": receipt.block_hash}
