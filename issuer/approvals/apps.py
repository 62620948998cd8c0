"""The room as Django sees it."""

from django.apps import AppConfig


class ApprovalsConfig(AppConfig):
    """Maker and checker: proposals, and the second person who confirms them."""

    name = "issuer.approvals"
    label = "approvals"
