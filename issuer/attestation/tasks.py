"""What happens to statements without anybody's hand: those of events, and publishing."""

from typing import Final
from uuid import UUID

import structlog
from celery import shared_task

from issuer.attestation import services, signers
from issuer.attestation.errors import SigningKeyUnusable
from issuer.attestation.models import Attestation
from issuer.attestation.states import AttestationState
from issuer.foundation import clock
from issuer.foundation.actors import system
from issuer.foundation.errors import DomainError
from issuer.parties.models import Program

logger = structlog.get_logger(__name__)

#: Beat asks again; a task that waited longer than this would only repeat another.
EXPIRES_SECONDS: Final = 20
PUBLISHER: Final = system("attestation.publish_attestation")
WATCHER: Final = system("attestation.attest_events")


@shared_task(ignore_result=True)
def attest_events() -> None:
    """State at once what has got worse since the last statement of each program."""
    for program in Program.objects.order_by("pk"):
        try:
            attestation = services.attest_event(program, actor=WATCHER, at=clock.now())
        except DomainError as refusal:
            # The next round is the next try; the others get their turn.
            logger.warning("event not attested", program=program.code, reason=refusal.detail)
            continue
        if attestation is not None:
            publish_attestation.apply_async(
                kwargs={"attestation_id": str(attestation.pk)}, expires=EXPIRES_SECONDS
            )
            logger.info("event attested", attestation=str(attestation), status=attestation.status)


@shared_task(ignore_result=True)
def publish_reviewed() -> None:
    """Sign and publish whatever is approved; one task for each, so that none waits for another."""
    waiting = Attestation.objects.filter(
        state__in=[AttestationState.REVIEWED, AttestationState.SIGNED]
    )
    for attestation_id in waiting.order_by("pk").values_list("pk", flat=True):
        publish_attestation.apply_async(
            kwargs={"attestation_id": str(attestation_id)}, expires=EXPIRES_SECONDS
        )


@shared_task(
    ignore_result=True,
    acks_late=True,  # a worker that dies mid-task has the task delivered again
    soft_time_limit=120,
    time_limit=150,
    autoretry_for=(SigningKeyUnusable,),
    retry_backoff=True,
    retry_jitter=True,
    max_retries=4,
)
def publish_attestation(*, attestation_id: str, **_future: object) -> None:
    """Render, sign and publish one statement; safe to run twice, and to be killed anywhere.

    The same document gives the same files and signatures, and each of the two steps is one
    transaction, so a second run takes up where the first one stopped.
    """
    attestation = Attestation.objects.select_related("program").get(pk=UUID(attestation_id))
    if attestation.state == AttestationState.REVIEWED:
        files = services.assemble(attestation, signer=signers.configured())
        services.sign(attestation.pk, files=files, actor=PUBLISHER, at=clock.now())
    published = services.publish(attestation.pk, actor=PUBLISHER, at=clock.now())
    logger.info("attestation published", attestation=str(published), sha256=published.sha256)
