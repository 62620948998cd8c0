"""The room as Django sees it."""

from django.apps import AppConfig


class TransparencyConfig(AppConfig):
    """The door for everybody: the public pages and feeds."""

    name = "issuer.transparency"
    label = "transparency"
