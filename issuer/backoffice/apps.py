"""The room as Django sees it."""

from django.apps import AppConfig


class BackofficeConfig(AppConfig):
    """The door for staff."""

    name = "issuer.backoffice"
    label = "backoffice"
