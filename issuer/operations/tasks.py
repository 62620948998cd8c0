"""What the machine room does in the background."""

from celery import shared_task

from issuer.operations import services


@shared_task(ignore_result=True, expires=30)
def beat() -> None:
    """Show that beat, broker and worker work; safe to deliver more than once."""
    services.record_heartbeat()
