"""The back office for companies that issue tokenized stocks."""

from issuer.celery import app as celery_app

__all__ = ["celery_app"]
