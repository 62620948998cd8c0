"""The room as Django sees it."""

from django.apps import AppConfig


class OperationsConfig(AppConfig):
    """The machine room: supervisor, health, metrics and checks."""

    name = "issuer.operations"
    label = "operations"

    def ready(self) -> None:
        from issuer.operations import checks  # noqa: F401  # registers them, once settings are read
