"""The room as Django sees it."""

from django.apps import AppConfig


class AttestationConfig(AppConfig):
    """What we state to the public, frozen as of a moment."""

    name = "issuer.attestation"
    label = "attestation"
