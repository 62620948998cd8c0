"""The room as Django sees it."""

from django.apps import AppConfig


class PartiesConfig(AppConfig):
    """Programs, legal entities, participants, custodians and wallets."""

    name = "issuer.parties"
    label = "parties"
