"""The room as Django sees it."""

from django.apps import AppConfig
from django.core.checks import Tags, register


class OperationsConfig(AppConfig):
    """The machine room: supervisor, health, metrics and checks."""

    name = "issuer.operations"
    label = "operations"

    def ready(self) -> None:
        from issuer.operations import checks  # reads settings, so not before they are there

        register(checks.check_alerts_reach_somebody, Tags.security, deploy=True)
