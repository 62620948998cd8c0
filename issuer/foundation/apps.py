"""The room as Django sees it."""

from django.apps import AppConfig


class FoundationConfig(AppConfig):
    """What is true in every room: quantities, states, refusals, transactions, actors and the clock."""

    name = "issuer.foundation"
    label = "foundation"
