"""The room as Django sees it."""

from django.apps import AppConfig


class APIConfig(AppConfig):
    """The door for partners."""

    name = "issuer.api"
    label = "api"

    def ready(self) -> None:
        """Make the scheme of keys known to what describes the interface."""
        from issuer.api import documentation  # noqa: F401  # it registers itself
