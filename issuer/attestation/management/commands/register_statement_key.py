"""Tell the public of the key that signs statements from now on."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from issuer.attestation import services, signers
from issuer.attestation.errors import SigningKeyUnusable
from issuer.foundation import clock
from issuer.foundation.actors import system


class Command(BaseCommand):
    """Register the public half of ATTESTATION_KEY, in use from now on."""

    help = "Register the key that statements are signed with; the key before it ends now."

    def handle(self, *_args: Any, **_options: Any) -> None:
        now = clock.now()
        try:
            signer = signers.configured()
            key = services.register_key(
                public_key=signer.public_key,
                valid_from=now,
                actor=system("attestation.register_statement_key"),
                at=now,
            )
        except SigningKeyUnusable as refusal:
            raise CommandError(refusal.detail) from refusal
        self.stdout.write(f"{key.key_id} signs from {key.valid_from:%Y-%m-%d %H:%M:%S}Z")
