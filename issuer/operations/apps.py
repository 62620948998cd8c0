"""The room as Django sees it."""

from django.apps import AppConfig


class OperationsConfig(AppConfig):
    """The machine room: supervisor, health, metrics and checks."""

    name = "issuer.operations"
    label = "operations"
