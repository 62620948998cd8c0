"""The room as Django sees it."""

from django.apps import AppConfig


class PeopleConfig(AppConfig):
    """Who acts: users, the persons behind them, and their roles."""

    name = "issuer.people"
    label = "people"
