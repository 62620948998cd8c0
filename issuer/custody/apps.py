"""The room as Django sees it."""

from django.apps import AppConfig


class CustodyConfig(AppConfig):
    """The custody accounts, and what custodians say they hold."""

    name = "issuer.custody"
    label = "custody"
