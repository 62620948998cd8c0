"""What this room does in the background."""

import structlog
from celery import shared_task

from issuer.audit import services
from issuer.foundation import actors, clock

logger = structlog.get_logger(__name__)


@shared_task(ignore_result=True, expires=60)
def seal_trail() -> None:
    """Seal what was done since the last time; safe to deliver more than once."""
    while seal := services.seal(actor=actors.system("audit.seal_trail"), at=clock.now()):
        logger.info("trail sealed", number=seal.number, last_position=seal.last_position)
