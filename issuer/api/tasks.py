"""What the door does by itself."""

import structlog
from celery import shared_task

from issuer.api import services
from issuer.foundation import clock

logger = structlog.get_logger(__name__)


@shared_task(ignore_result=True, soft_time_limit=120, time_limit=150)
def forget_served_requests() -> None:
    """Forget answers that are older than they are kept; safe to deliver more than once."""
    forgotten = services.forget_served_requests(at=clock.now())
    logger.info("api.served_requests_forgotten", count=forgotten)
