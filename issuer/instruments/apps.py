"""The room as Django sees it."""

from django.apps import AppConfig


class InstrumentsConfig(AppConfig):
    """Securities, tokens, networks and deployments, and how one backs the other."""

    name = "issuer.instruments"
    label = "instruments"
