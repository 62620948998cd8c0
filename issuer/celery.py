"""Work in the background; `celery -A issuer worker -B` runs it."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "issuer.settings")

app = Celery("issuer")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
