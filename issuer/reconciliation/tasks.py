"""Reconciling by the clock."""

from uuid import UUID

import structlog
from celery import shared_task

from issuer.foundation import actors, clock
from issuer.parties.models import Program
from issuer.reconciliation import services
from issuer.reconciliation.alarms import programs_alarmed
from issuer.reconciliation.errors import RunOutdated, RunUnderWay

logger = structlog.get_logger(__name__)


@shared_task(ignore_result=True, expires=60)
def reconcile_programs() -> None:
    """Fan out one task for each program, so that one which fails delays no other."""
    for program_id in Program.objects.order_by("pk").values_list("pk", flat=True):
        reconcile_program.apply_async(kwargs={"program_id": str(program_id)}, expires=60)


@shared_task(ignore_result=True, expires=60)
def reconcile_alarmed() -> None:
    """Reconcile at once where somebody minted past the books, or could: a thief keeps no hours."""
    for program_id in programs_alarmed().values_list("pk", flat=True):
        reconcile_program.apply_async(kwargs={"program_id": str(program_id)}, expires=60)


@shared_task(ignore_result=True, soft_time_limit=240, time_limit=300)
def reconcile_program(*, program_id: str, **_future: object) -> None:
    """Reconcile one program; safe to deliver more than once."""
    program = Program.objects.get(pk=UUID(program_id))
    try:
        run = services.reconcile(program, actor=actors.system("reconcile_program"), at=clock.now())
    except (RunUnderWay, RunOutdated) as refusal:
        logger.info("Another run is as new as this one", reason=refusal.detail)
    else:
        logger.info("The program is reconciled", run=str(run.pk), program=program.code)
