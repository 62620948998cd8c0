"""The room as Django sees it."""

from django.apps import AppConfig


class ReservesConfig(AppConfig):
    """The equation: owed, held, cover and headroom; shares held for a request."""

    name = "issuer.reserves"
    label = "reserves"
