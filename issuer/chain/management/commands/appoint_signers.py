"""Say who signs at first; whoever comes after them is appointed by two persons."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from issuer.chain import registry, selectors, services
from issuer.chain.errors import SignerInUse, SignerRetired
from issuer.chain.states import SignerPurpose
from issuer.foundation import clock
from issuer.foundation.actors import system
from issuer.instruments.models import Network


class Command(BaseCommand):
    """Appoint the first key of SIGNER_KEYS wherever nobody has ever signed for a purpose."""

    help = "Appoint the first key of SIGNER_KEYS for each purpose that never had a signer."

    def handle(self, *_args: Any, **_options: Any) -> None:
        for network in Network.objects.order_by("caip2"):
            served = set(selectors.signers_of(network).values_list("purpose", flat=True))
            for purpose in SignerPurpose:
                signers = registry.signers_configured(network, purpose)
                if purpose in served or not signers:
                    continue
                try:
                    account = services.appoint_signer(
                        network=network,
                        purpose=purpose,
                        address=signers[0].address,
                        actor=system("chain.appoint_signers"),
                        at=clock.now(),
                    )
                except (SignerInUse, SignerRetired) as refusal:
                    raise CommandError(refusal.detail) from refusal
                self.stdout.write(f"{account} signs.")
