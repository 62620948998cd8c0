"""The contracts of the demo world, and who holds which role of them."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final, TypeAlias

from django.conf import settings

from issuer.chain import services as chain_services
from issuer.chain import token_contract
from issuer.chain.signing import LocalKeySigner
from issuer.chain.states import SignerPurpose
from issuer.chain.token_contract import ROLES
from issuer.foundation.actors import Actor
from issuer.instruments import services as instruments
from issuer.instruments.models import ControlledRole, Network
from issuer.sandbox import cast
from issuer.sandbox.chains import DemoChain

#: Address and block of each product's contract on one chain, by symbol.
Contracts: TypeAlias = Mapping[str, tuple[str, int]]
#: Minutes, not half an hour: nobody waits that long for a demo to notice a silent node.
FINAL_AGE_MAX_SECONDS: Final = 300


def holder(chain: DemoChain, purpose: SignerPurpose) -> str:
    """Return the account that signs for `purpose` from the beginning, one of anvil's own."""
    return signer(chain, purpose).address


def signer(chain: DemoChain, purpose: SignerPurpose, *, successor: bool = False) -> LocalKeySigner:
    """Return the key of the account that signs for `purpose`, or of the one that follows it."""
    return LocalKeySigner(settings.SIGNER_KEYS[chain.caip2][purpose][1 if successor else 0])


def deploy(chain: DemoChain, *, at: datetime) -> Contracts:
    """Deploy a contract per product on a chain that begins at `at`, and hand out its roles."""
    anvil = chain.anvil()
    anvil.follow(at)
    admin = holder(chain, SignerPurpose.ADMIN)
    contracts = {}
    for product in cast.PRODUCTS:
        address = anvil.deploy_token(name=product.name, symbol=product.symbol, admin=admin)
        contracts[product.symbol] = address, anvil.height
        for purpose, role in ROLES.items():
            if purpose != SignerPurpose.ADMIN:  # whom the constructor gave it
                grant = token_contract.calldata("grantRole", role, holder(chain, purpose))
                anvil.send(grant, sender=admin, to=address)
    anvil.finalize()
    return contracts


def register_network(chain: DemoChain, *, actor: Actor, at: datetime) -> Network:
    """Register a chain, who signs there, and where tokens come back to."""
    network = instruments.register_network(
        caip2=chain.caip2,
        name=chain.name,
        final_age_max_seconds=FINAL_AGE_MAX_SECONDS,
        actor=actor,
        at=at,
    )
    for purpose in SignerPurpose:
        chain_services.appoint_signer(
            network=network, purpose=purpose, address=holder(chain, purpose), actor=actor, at=at
        )
    instruments.register_controlled_address(
        network=network,
        address=holder(chain, SignerPurpose.BURNER),
        role=ControlledRole.REDEMPTION,
        reason="Tokens that came back, owed for until they are burned",
        actor=actor,
        at=at,
    )
    return network
