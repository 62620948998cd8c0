"""The room as Django sees it."""

from django.apps import AppConfig


class GateConfig(AppConfig):
    """Whether minting may go on, per scope, and who holds it shut."""

    name = "issuer.gate"
    label = "gate"
