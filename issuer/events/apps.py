"""The room as Django sees it."""

from django.apps import AppConfig


class EventsConfig(AppConfig):
    """Facts that other parties may want, recorded in the transaction that makes them true."""

    name = "issuer.events"
    label = "events"
