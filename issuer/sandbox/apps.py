"""The room as Django sees it."""

from django.apps import AppConfig


class SandboxConfig(AppConfig):
    """The demo world."""

    name = "issuer.sandbox"
    label = "sandbox"
