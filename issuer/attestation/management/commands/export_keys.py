"""Print the public keys that statements are checked with."""

from typing import Any

from django.core.management.base import BaseCommand

from issuer.attestation import selectors


class Command(BaseCommand):
    """Print the file that goes to whoever checks statements, by another way than the statements."""

    help = "Print the public keys of the issuer's statements, as verify_offline.py reads them."

    def handle(self, *_args: Any, **_options: Any) -> None:
        self.stdout.write(selectors.keys_file().decode(), ending="")
