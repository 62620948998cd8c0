"""What became of an intent, as its chain says."""

from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.db import transaction

from issuer.audit import services as audit
from issuer.chain import errors
from issuer.chain.models import (
    ChainEvent,
    IntentTransition,
    SignerAccount,
    TransactionAttempt,
    TransactionIntent,
)
from issuer.chain.readers import Block, Receipt, TransactionReader
from issuer.chain.request_ids import request_id_bytes32
from issuer.chain.services import _reading, _steps
from issuer.chain.states import LIVE_STATES, MOVES_SUPPLY, IntentKind, IntentState, IntentStep
from issuer.events import selectors as told
from issuer.events import services as events
from issuer.foundation.actors import Actor

#: How far our clocks and a chain's may be apart.
CLOCKS_APART_MAX: Final = timedelta(hours=1)
NONCE_MISSING: Final = "signer.nonce_missing"

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


def note_missing_nonce(
    intent_id: UUID, *, reader: TransactionReader, actor: Actor, at: datetime
) -> bool:
    """Return whether an intent waits for a nonce that nothing of ours has, and tell staff once.

    A chain that undid what somebody else sent from the account leaves such a gap. No fee gets the
    intent over it: somebody has to send something, be it nothing, with the nonce that is missing.

    Call it outside any transaction.

    Raises:
        ChainUnavailable: if the node cannot be trusted to have answered.
    """
    intent = TransactionIntent.objects.select_related("signer_account").get(pk=intent_id)
    account = intent.signer_account
    nonce = reader.next_nonce(account.address)
    if nonce >= intent.nonce or account.intents.filter(nonce=nonce).exists():
        return False
    _tell_of_missing(account, nonce, actor=actor, at=at)
    return True


@transaction.atomic
def _tell_of_missing(account: SignerAccount, nonce: int, *, actor: Actor, at: datetime) -> None:
    SignerAccount.objects.select_for_update(of=("self",)).get(pk=account.pk)
    facts = {"address": account.address, "nonce": str(nonce)}
    if told.about(account, NONCE_MISSING).filter(data__nonce=str(nonce)).exists():
        return
    events.record(NONCE_MISSING, subject=account, at=at, **facts)
    audit.record(NONCE_MISSING, subject=account, actor=actor, at=at, **facts)


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
    for attempt in intent.attempts.order_by("-serial"):
        receipt = reader.receipt(attempt.transaction_hash)
        if receipt is not None:
            return attempt, receipt
    return None


def _why_dropped(intent: TransactionIntent, reader: TransactionReader, final: Block) -> str:
    """Return why the chain has certainly not carried `intent` out, and never will; or nothing.

    Its nonce is final, and the node has no receipt of ours: another transaction took it, or the
    node is only behind. Where the contract uses requests up, it knows, and the event that we read
    shows whose transaction used it. Of tokens that were sent back, the node's final logs tell.
    What may be done twice without harm may be tried again.
    """
    if reader.next_nonce(intent.signer_account.address, at=final) <= intent.nonce:
        return ""
    if intent.kind == IntentKind.RETURN and _is_sent_back(intent, reader, final):
        raise errors.ChainUnavailable(f"The node lacks the receipt of {intent}.")
    uses_up = intent.kind in MOVES_SUPPLY
    if uses_up and reader.request_used(intent.deployment.address, _on_chain(intent), at=final):
        copied = _copied(intent)
        if not copied:
            # It happened, and the node has only not got its receipt.
            raise errors.ChainUnavailable(f"The node lacks the receipt of {intent}.")
        return copied
    return f"Nonce {intent.nonce} is final with another transaction."


def _is_sent_back(intent: TransactionIntent, reader: TransactionReader, final: Block) -> bool:
    """Return whether a final log shows that one of our attempts has sent the tokens back."""
    ours = set(intent.attempts.values_list("transaction_hash", flat=True))
    deployment = intent.deployment
    before = (
        deployment.supply_snapshots.filter(block_mined_at__lt=intent.signed_at - CLOCKS_APART_MAX)
        .order_by("-block_number")
        .first()
    )
    first = deployment.deployed_block if before is None else before.block_number
    return any(
        transfer.transaction_hash in ours
        for start, last in _reading.pieces(reader, first=first, last=final.number, final=final)
        for transfer in reader.transfers_to(
            deployment.address, [intent.account], first=start, last=last
        )
    )


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
    return seen.latest("serial").block_hash


def _block_of(receipt: Receipt) -> dict[str, Any]:
    return {"block_number": receipt.block_number, "block_hash": receipt.block_hash}
