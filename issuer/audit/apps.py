"""The room as Django sees it."""

from django.apps import AppConfig


class AuditConfig(AppConfig):
    """What happened, to what, by whom and when; append-only and sealed."""

    name = "issuer.audit"
    label = "audit"
