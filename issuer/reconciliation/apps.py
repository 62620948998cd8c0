"""The room as Django sees it."""

from django.apps import AppConfig


class ReconciliationConfig(AppConfig):
    """The books against the custodian against the chain."""

    name = "issuer.reconciliation"
    label = "reconciliation"
