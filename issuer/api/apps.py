"""The room as Django sees it."""

from django.apps import AppConfig


class APIConfig(AppConfig):
    """The door for partners."""

    name = "issuer.api"
    label = "api"
