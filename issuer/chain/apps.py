"""The room as Django sees it."""

from django.apps import AppConfig


class ChainConfig(AppConfig):
    """What chains say, and what we say to them."""

    name = "issuer.chain"
    label = "chain"
