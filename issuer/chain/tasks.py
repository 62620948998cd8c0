"""Reading chains and following what we told them, in the background."""

from datetime import datetime
from functools import partial
from typing import Final
from uuid import UUID

import structlog
from celery import shared_task

from issuer.chain import calls, registry, selectors, services
from issuer.chain.errors import (
    ActMustWait,
    ChainUnavailable,
    NetworkNotConfigured,
    NoLongerWanted,
    TransactionRefusedByContract,
    Underpriced,
)
from issuer.chain.models import (
    ContractAct,
    ContractCall,
    TransactionAttempt,
    TransactionIntent,
)
from issuer.chain.readers import FeeQuote
from issuer.chain.signing import Signer
from issuer.chain.states import (
    CANCELLING_STATES,
    SENDABLE_STATES,
    ActState,
    IntentKind,
    IntentState,
)
from issuer.foundation import clock, locks
from issuer.foundation.actors import Actor, system
from issuer.foundation.errors import DomainError
from issuer.gate.errors import GateClosed
from issuer.instruments.models import Deployment, Network

#: Work that is not begun by then is left to the next round.
EXPIRES_SECONDS: Final = 60
#: The same of what a halt stops, whose rounds follow each other closely.
STOP_EXPIRES_SECONDS: Final = 15

logger = structlog.get_logger(__name__)


@shared_task(ignore_result=True, expires=EXPIRES_SECONDS)
def scan_networks() -> None:
    """Fan out one task per deployment, so one silent node delays only its own chain."""
    for deployment_id in Deployment.objects.order_by("pk").values_list("pk", flat=True):
        scan_deployment.apply_async(
            kwargs={"deployment_id": str(deployment_id)}, expires=EXPIRES_SECONDS
        )


@shared_task(ignore_result=True, soft_time_limit=120, time_limit=150)
def scan_deployment(*, deployment_id: str, **_future: object) -> None:
    """Read one deployment up to its final block; safe to deliver more than once."""
    deployment = Deployment.objects.select_related("network", "token").get(pk=deployment_id)
    with locks.alone(_turn("chain.scan_deployment", deployment.network, deployment.pk)) as is_alone:
        if is_alone:
            _scan(deployment)


def _scan(deployment: Deployment) -> None:
    actor, at = system("chain.scan_deployment"), clock.now()
    try:
        reader = registry.reader_for(deployment.network)
    except NetworkNotConfigured as refusal:
        services.note_trouble(deployment.network, reason=refusal.detail, actor=actor, at=at)
        return
    try:
        services.scan_deployment(deployment, reader=reader, actor=actor, at=at)
    except DomainError as refusal:
        # The trouble is recorded, and the next round is the next try.
        logger.warning("chain.scan_failed", deployment=str(deployment.pk), reason=refusal.detail)


def _turn(task: str, network: Network, subject_id: UUID) -> str:
    """Return what one task at a time may be at: its subject, or all of a network in trouble.

    So a node that is silent keeps one worker waiting, and not each of them.
    """
    if selectors.open_trouble(network) is not None:
        return f"chain.in_trouble {network.pk}"
    return f"{task} {subject_id}"


@shared_task(ignore_result=True, expires=EXPIRES_SECONDS)
def advance_intents() -> None:
    """Fan out one task per transaction that the chain may still carry out."""
    for intent_id in selectors.live_intents().values_list("pk", flat=True):
        advance_intent.apply_async(kwargs={"intent_id": str(intent_id)}, expires=EXPIRES_SECONDS)


@shared_task(ignore_result=True, expires=EXPIRES_SECONDS)
def stop_intents() -> None:
    """Fan out one task per transaction that a gate shut out since it was signed, at once."""
    for intent in selectors.shut_out_intents():
        advance_intent.apply_async(
            kwargs={"intent_id": str(intent.pk)}, expires=STOP_EXPIRES_SECONDS
        )


@shared_task(ignore_result=True, soft_time_limit=120, time_limit=150)
def advance_intent(*, intent_id: str, **_future: object) -> None:
    """Send, follow, raise the fees of or cancel one transaction; safe to deliver again."""
    intent = TransactionIntent.objects.select_related(
        "deployment__network", "signer_account__network"
    ).get(pk=intent_id)
    network = intent.deployment.network
    with locks.alone(_turn("chain.advance_intent", network, intent.pk)) as is_alone:
        if not is_alone:
            return
        try:
            _Round(intent, actor=system("chain.advance_intent"), at=clock.now()).go()
        except DomainError as refusal:
            logger.warning("chain.advance_failed", intent=intent_id, reason=refusal.detail)


class _Round:
    """What is done for one intent at one time.

    What may no longer go out is cancelled first, before anything that could wait or fail.
    """

    def __init__(self, intent: TransactionIntent, *, actor: Actor, at: datetime) -> None:
        self.intent, self.actor, self.at = intent, actor, at
        self.chain = registry.sender_for(intent.deployment.network)
        self.guard = registry.guard_of(IntentKind(intent.kind))

    def go(self) -> None:
        try:
            services.require_wanted(self.intent.pk, guard=self.guard, at=self.at)
            self._observe()
            self._send()
        except (GateClosed, NoLongerWanted) as refusal:
            try:
                self._cancel(refusal)
            finally:
                self._observe()

    def _observe(self) -> None:
        """Record what became of it; a chain without a final block hinders nothing else."""
        try:
            services.observe(self.intent.pk, reader=self.chain, actor=self.actor, at=self.at)
        except ChainUnavailable as refusal:
            logger.warning(
                "chain.observe_failed", intent=str(self.intent.pk), reason=refusal.detail
            )
        self.intent.refresh_from_db(fields=["state"])

    def _cancel(self, refusal: DomainError) -> None:
        signer = registry.signer_of(self.intent.signer_account)
        services.cancel(
            self.intent.pk,
            signer=signer,
            fees=self.chain.quote_nothing(signer.address),
            reason=refusal.detail,
            actor=self.actor,
            at=self.at,
        )
        self.intent.refresh_from_db(fields=["state"])
        self._broadcast()

    def _send(self) -> None:
        """Send what is due; also what was sent before: nodes that restart forget."""
        if self.intent.state not in SENDABLE_STATES:
            return
        final_nonce = self._final_nonce()
        if selectors.is_stuck(self.intent, at=self.at, final_nonce=final_nonce):
            try:
                self._get_unstuck()
            except (GateClosed, NoLongerWanted):
                raise
            except DomainError as refusal:  # what was signed before is sent again all the same
                logger.warning(
                    "chain.bump_failed", intent=str(self.intent.pk), reason=refusal.detail
                )
        self._broadcast(final_nonce=final_nonce)

    def _final_nonce(self) -> int:
        """Return below which nonce nothing waits any more, if that matters and is known; or 0."""
        if not selectors.earlier_of_account(self.intent).exists():
            return 0
        try:
            final = self.chain.final_block()
            return self.chain.next_nonce(self.intent.signer_account.address, at=final)
        except ChainUnavailable:
            return 0

    def _get_unstuck(self) -> None:
        if not services.note_missing_nonce(
            self.intent.pk, reader=self.chain, actor=self.actor, at=self.at
        ):
            self._bump()

    def _broadcast(self, *, final_nonce: int = 0) -> None:
        """Send the newest bytes; a cancellation that the node finds too cheap, dearer at once."""
        send = partial(
            services.broadcast,
            self.intent.pk,
            sender=self.chain,
            guard=self.guard,
            final_nonce=final_nonce,
            actor=self.actor,
            at=self.at,
        )
        try:
            send()
        except Underpriced:
            if self.intent.state not in CANCELLING_STATES:
                raise
            self._bump()
            send()

    def _bump(self) -> None:
        """Sign the newest attempt again for more; by whom was retired since, too.

        It says nothing but what was said before, and dearer. What no node has said to have is
        not: only a chain that asks for more than it offers is a reason to offer more.
        """
        signer = registry.signer_of(self.intent.signer_account)
        attempt = selectors.newest_attempt(self.intent)
        fees = self._quote(signer)
        if self.intent.state == IntentState.SIGNED and not _asks_more(fees, attempt):
            return
        services.bump_fees(
            attempt.pk, signer=signer, fees=fees, guard=self.guard, actor=self.actor, at=self.at
        )

    def _quote(self, signer: Signer) -> FeeQuote:
        if self.intent.state in CANCELLING_STATES:
            return self.chain.quote_nothing(signer.address)
        return self.chain.quote(
            sender=signer.address,
            contract=self.intent.deployment.address,
            calldata=bytes(self.intent.calldata),
        )


def _asks_more(fees: FeeQuote, attempt: TransactionAttempt) -> bool:
    offered = (attempt.max_fee_per_gas, attempt.max_priority_fee_per_gas)
    asked = (fees.max_fee_per_gas, fees.max_priority_fee_per_gas)
    return any(more > less for more, less in zip(asked, offered, strict=True))


@shared_task(ignore_result=True, expires=EXPIRES_SECONDS)
def advance_acts() -> None:
    """Fan out one task per contract act that two persons agreed on and that has not ended."""
    for act_id in selectors.unfinished_acts().values_list("pk", flat=True):
        advance_act.apply_async(kwargs={"act_id": str(act_id)}, expires=EXPIRES_SECONDS)


@shared_task(ignore_result=True, soft_time_limit=120, time_limit=150)
def advance_act(*, act_id: str, **_future: object) -> None:
    """Have signed what of one act is not signed, or end it; safe to deliver more than once."""
    act = ContractAct.objects.select_related("network").get(pk=act_id)
    actor, at = system("chain.advance_act"), clock.now()
    for call_id in selectors.unsigned_calls(act).values_list("pk", flat=True):
        sign_call.apply_async(kwargs={"call_id": str(call_id)}, expires=EXPIRES_SECONDS)
    act.refresh_from_db()
    if act.state != ActState.SENT or selectors.is_under_way(act):
        return
    try:
        _end(act, actor=actor, at=at)
    except DomainError as refusal:
        logger.warning("chain.act_failed", act=act_id, reason=refusal.detail)


@shared_task(ignore_result=True, soft_time_limit=120, time_limit=150)
def sign_call(*, call_id: str, **_future: object) -> None:
    """Sign what an act has one contract do, or note its refusal; safe to deliver again."""
    call = ContractCall.objects.select_related(
        "act__network", "deployment__network", "deployment__token"
    ).get(pk=call_id)
    actor, at = system("chain.advance_act"), clock.now()
    try:
        _sign_call(call, actor=actor, at=at)
    except (ActMustWait, TransactionRefusedByContract) as refusal:
        # The next round asks again: what it waits for may be on its way.
        services.note_refusal(call.pk, reason=refusal.detail, actor=actor, at=at)
    except DomainError as refusal:
        logger.warning("chain.call_failed", call=call_id, reason=refusal.detail)


def _sign_call(call: ContractCall, *, actor: Actor, at: datetime) -> None:
    network, what = call.deployment.network, calls.of_act(call)
    signer = registry.signer_for(network, what.purpose)
    prepared = services.prepare(
        deployment=call.deployment,
        call=what,
        signer=signer,
        reader=registry.reader_for(network),
    )
    guard = registry.signature_guard_of(IntentKind(call.act.kind))
    services.sign_call(call.pk, signer=signer, prepared=prepared, guard=guard, actor=actor, at=at)


def _end(act: ContractAct, *, actor: Actor, at: datetime) -> None:
    failures = selectors.failures_of(act)
    if failures:
        services.fail_act(act.pk, reason=" ".join(failures), actor=actor, at=at)
    else:
        services.complete_act(act.pk, actor=actor, at=at)
