"""What happens to statements without anybody's hand: those of events, and publishing."""

from datetime import timedelta
from typing import Final
from uuid import UUID

import structlog
from celery import Task, shared_task
from django.db.models import Min

from issuer.attestation import services, signers
from issuer.attestation.errors import SigningKeyUnusable, StatementOvertaken
from issuer.attestation.models import Attestation
from issuer.attestation.states import AttestationState
from issuer.foundation import clock
from issuer.foundation.actors import system
from issuer.foundation.errors import DomainError
from issuer.parties.models import Program

logger = structlog.get_logger(__name__)

#: Beat asks again; a task that waited longer than this would only repeat another.
EXPIRES_SECONDS: Final = 20
#: How long a statement may wait to be published before staff are told.
PATIENCE: Final = timedelta(minutes=10)
PUBLISHER: Final = system("attestation.publish_attestation")
WATCHER: Final = system("attestation.attest_events")


@shared_task(ignore_result=True)
def attest_events() -> None:
    """Look for events; one task for each program, so that none keeps another from being stated."""
    for program_id in Program.objects.order_by("pk").values_list("pk", flat=True):
        attest_event.apply_async(kwargs={"program_id": str(program_id)}, expires=EXPIRES_SECONDS)


@shared_task(ignore_result=True)
def attest_event(*, program_id: str, **_future: object) -> None:
    """State at once what has got worse since the last statement of a program."""
    program = Program.objects.get(pk=UUID(program_id))
    try:
        attestation = services.attest_event(program, actor=WATCHER, at=clock.now())
    except DomainError as refusal:
        # The next round is the next try.
        if services.record_withheld(program, refusal, actor=WATCHER, at=clock.now()):
            logger.error("event not attested", program=program.code, reason=refusal.detail)
        return
    if attestation is not None:
        publish_attestation.apply_async(
            kwargs={"attestation_id": str(attestation.pk)}, expires=EXPIRES_SECONDS
        )
        logger.info("event attested", attestation=str(attestation), status=attestation.status)


@shared_task(ignore_result=True)
def publish_reviewed() -> None:
    """Sign and publish whatever is approved; one task for each, so that none waits for another.

    One that has waited too long is told of, whatever it is that holds it up.
    """
    at = clock.now()
    waiting = Attestation.objects.filter(
        state__in=[AttestationState.REVIEWED, AttestationState.SIGNED]
    ).annotate(since=Min("transitions__occurred_at"))
    for attestation_id, since in waiting.order_by("pk").values_list("pk", "since"):
        if at - since > PATIENCE:
            _record_failure(attestation_id, f"It has waited to be published since {since:%H:%M}Z.")
        publish_attestation.apply_async(
            kwargs={"attestation_id": str(attestation_id)}, expires=EXPIRES_SECONDS
        )


@shared_task(
    bind=True,
    ignore_result=True,
    acks_late=True,  # a worker that dies mid-task has the task delivered again
    soft_time_limit=120,
    time_limit=150,
    autoretry_for=(SigningKeyUnusable,),
    retry_backoff=True,
    retry_jitter=True,
    max_retries=4,
)
def publish_attestation(task: Task, /, *, attestation_id: str, **_future: object) -> None:
    """Render, sign and publish one statement; safe to run twice, and to be killed anywhere.

    The same document gives the same files and signatures, and each of the two steps is one
    transaction, so a second run takes up where the first one stopped. One that is too good by now
    is declined instead, and staff are told of one that is refused.
    """
    attestation = Attestation.objects.select_related("program").get(pk=UUID(attestation_id))
    if services.decline_overtaken(attestation.pk, actor=PUBLISHER, at=clock.now()):
        logger.warning("attestation overtaken", attestation=str(attestation))
        return
    try:
        _publish(attestation)
    except StatementOvertaken as overtaken:
        # It got worse while this one was rendered; the next round declines it.
        logger.warning(
            "attestation overtaken", attestation=str(attestation), reason=overtaken.detail
        )
    except DomainError as refusal:
        # A key that cannot be used now may be in a few seconds; nothing else mends itself.
        if not isinstance(refusal, SigningKeyUnusable) or task.request.retries == task.max_retries:
            _record_failure(attestation.pk, refusal.detail)
        raise


def _publish(attestation: Attestation) -> None:
    if attestation.state == AttestationState.REVIEWED:
        files = services.assemble(attestation, signer=signers.configured())
        services.sign(attestation.pk, files=files, actor=PUBLISHER, at=clock.now())
    published = services.publish(attestation.pk, actor=PUBLISHER, at=clock.now())
    logger.info("attestation published", attestation=str(published), sha256=published.sha256)


def _record_failure(attestation_id: UUID, reason: str) -> None:
    if services.record_failure(attestation_id, reason=reason, actor=PUBLISHER, at=clock.now()):
        logger.error("attestation not published", attestation=str(attestation_id), reason=reason)
