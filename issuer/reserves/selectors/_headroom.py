"""How many tokens each chain may still mint."""

from collections.abc import Collection
from decimal import Decimal
from uuid import UUID

from issuer.foundation import quantities
from issuer.reserves.figures import TokenFigures


def headrooms(figures: TokenFigures, shut: Collection[UUID]) -> dict[UUID, Decimal]:
    """Return how many whole tokens may be minted on each chain, by the deployment's id.

    The shares that nobody has a claim on are split equally over the chains that are not `shut`
    (ids of networks): what every chain mints up to its own headroom, without knowing of the
    others, is covered. A shut chain has none, and while the cover is not known nor has any other.
    """
    unclaimed = figures.cover.unclaimed or Decimal(0)
    chains = sum(one.deployment.network_id not in shut for one in figures.deployments)
    found = {}
    for one in figures.deployments:
        room = Decimal(0)
        if one.deployment.network_id not in shut and one.multiplier is not None:
            room = quantities.headroom_rounded_down(
                unclaimed,
                multiplier=quantities.EXACT.multiply(one.multiplier, chains),
                decimals=one.deployment.decimals,
            )
        found[one.deployment.pk] = room
    return found
