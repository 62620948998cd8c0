"""Reading chains and following what we told them, in the background."""

from datetime import datetime
from typing import Final
from uuid import UUID

import structlog
from celery import shared_task

from issuer.chain import calls, registry, selectors, services
from issuer.chain.errors import (
    NetworkNotConfigured,
    NoLongerWanted,
    TransactionRefusedByContract,
)
from issuer.chain.models import ContractAct, ContractCall, TransactionIntent
from issuer.chain.readers import Chain, FeeQuote
from issuer.chain.signing import Signer
from issuer.chain.states import CANCELLABLE_STATES, CANCELLING_STATES, ActState, IntentKind
from issuer.foundation import clock
from issuer.foundation.actors import Actor, system
from issuer.foundation.errors import DomainError
from issuer.gate.errors import GateClosed
from issuer.instruments.models import Deployment

#: Work that is not begun by then is left to the next round.
EXPIRES_SECONDS: Final = 60

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
        logger.warning("chain.scan_failed", deployment=deployment_id, reason=refusal.detail)


@shared_task(ignore_result=True, expires=EXPIRES_SECONDS)
def advance_intents() -> None:
    """Fan out one task per transaction that the chain may still carry out."""
    for intent_id in selectors.live_intents().values_list("pk", flat=True):
        advance_intent.apply_async(kwargs={"intent_id": str(intent_id)}, expires=EXPIRES_SECONDS)


@shared_task(ignore_result=True, expires=EXPIRES_SECONDS)
def stop_intents() -> None:
    """Fan out one task per transaction that a gate shut out since it was signed, at once."""
    for intent in selectors.shut_out_intents():
        advance_intent.apply_async(kwargs={"intent_id": str(intent.pk)}, expires=EXPIRES_SECONDS)


@shared_task(ignore_result=True, soft_time_limit=120, time_limit=150)
def advance_intent(*, intent_id: str, **_future: object) -> None:
    """Send, follow, raise the fees of or cancel one transaction; safe to deliver again."""
    try:
        _advance(UUID(intent_id))
    except DomainError as refusal:
        logger.warning("chain.advance_failed", intent=intent_id, reason=refusal.detail)


def _advance(intent_id: UUID) -> None:
    intent = TransactionIntent.objects.select_related(
        "deployment__network", "signer_account__network"
    ).get(pk=intent_id)
    chain = registry.sender_for(intent.deployment.network)
    actor, at = system("chain.advance_intent"), clock.now()
    services.observe(intent_id, reader=chain, actor=actor, at=at)
    intent.refresh_from_db()
    try:
        _send(intent, chain=chain, actor=actor, at=at)
    except (GateClosed, NoLongerWanted) as refusal:
        if intent.state not in CANCELLABLE_STATES:
            raise
        signer = registry.signer_of(intent.signer_account)
        services.cancel(
            intent_id,
            signer=signer,
            fees=chain.quote_nothing(signer.address),
            reason=refusal.detail,
            actor=actor,
            at=at,
        )
        services.broadcast(intent_id, sender=chain, actor=actor, at=at)


def _send(intent: TransactionIntent, *, chain: Chain, actor: Actor, at: datetime) -> None:
    """Send what of an intent is due; also what was sent before: nodes that restart forget."""
    if selectors.is_stuck(intent, at=at):
        # Also one that was retired since: it says nothing but what it said before, and dearer.
        signer = registry.signer_of(intent.signer_account)
        fees = _fees(intent, chain=chain, signer=signer)
        services.bump_fees(intent.pk, signer=signer, fees=fees, actor=actor, at=at)
    guard = registry.guard_of(IntentKind(intent.kind))
    services.broadcast(intent.pk, sender=chain, guard=guard, actor=actor, at=at)


def _fees(intent: TransactionIntent, *, chain: Chain, signer: Signer) -> FeeQuote:
    if intent.state in CANCELLING_STATES:
        return chain.quote_nothing(signer.address)
    return services.prepare(
        deployment=intent.deployment, call=calls.of_intent(intent), signer=signer, reader=chain
    ).fees


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
    except TransactionRefusedByContract as refusal:
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
    services.sign_call(call.pk, signer=signer, prepared=prepared, actor=actor, at=at)


def _end(act: ContractAct, *, actor: Actor, at: datetime) -> None:
    failures = selectors.failures_of(act)
    if failures:
        services.fail_act(act.pk, reason=" ".join(failures), actor=actor, at=at)
    else:
        services.complete_act(act.pk, actor=actor, at=at)
