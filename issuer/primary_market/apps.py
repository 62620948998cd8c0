"""The room as Django sees it."""

from django.apps import AppConfig


class PrimaryMarketConfig(AppConfig):
    """Requests to issue and to redeem."""

    name = "issuer.primary_market"
    label = "primary_market"
