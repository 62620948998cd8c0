"""The room as Django sees it."""

from django.apps import AppConfig


class KYCConfig(AppConfig):
    """Who may deal with us, and until when."""

    name = "issuer.kyc"
    label = "kyc"
    verbose_name = "KYC"

    def ready(self) -> None:
        """Refuse to start with a master secret that can be guessed."""
        from issuer.kyc import vault  # reads models' errors, so not before the rooms are loaded

        vault.check_master_secret()
