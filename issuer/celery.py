"""Work in the background: `celery -A issuer worker` does it, `… beat` asks for it."""

import os
from pathlib import Path

from celery import Celery
from celery.signals import beat_init, worker_ready

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "issuer.settings")

app = Celery("issuer")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@worker_ready.connect
@beat_init.connect
def tell_ready(**_: object) -> None:
    """Make the file that a supervisor waits for, if there is one."""
    if ready_file := os.environ.get("READY_FILE"):
        Path(ready_file).touch()
