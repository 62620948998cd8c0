"""What is done about KYC by the clock."""

import structlog
from celery import shared_task

from issuer.foundation import actors, clock
from issuer.kyc import services

logger = structlog.get_logger(__name__)


@shared_task(ignore_result=True)
def expire_cases(**_future: object) -> None:
    """Expire what is over, and note what soon will be; safe to deliver more than once."""
    actor, at = actors.system("kyc.expire_cases"), clock.now()
    expired = services.expire_due(actor=actor, at=at)
    due = services.note_renewals_due(actor=actor, at=at)
    if expired or due:
        logger.info("kyc_cases_aged", expired=len(expired), renewals_due=len(due))
