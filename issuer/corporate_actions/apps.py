"""The room as Django sees it."""

from django.apps import AppConfig


class CorporateActionsConfig(AppConfig):
    """What companies do to their shares, and how books, custodians and chains follow."""

    name = "issuer.corporate_actions"
    label = "corporate_actions"
    verbose_name = "Corporate actions"
