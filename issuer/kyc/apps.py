"""The room as Django sees it."""

from django.apps import AppConfig


class KYCConfig(AppConfig):
    """Who may deal with us, and until when."""

    name = "issuer.kyc"
    label = "kyc"
