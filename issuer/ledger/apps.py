"""The room as Django sees it."""

from django.apps import AppConfig


class LedgerConfig(AppConfig):
    """The books: what the issuer has and owes, per unit."""

    name = "issuer.ledger"
    label = "ledger"
