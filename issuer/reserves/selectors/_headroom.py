"""How many tokens each chain may still mint."""

from collections.abc import Collection, Mapping
from decimal import Decimal
from uuid import UUID

from issuer.foundation import quantities
from issuer.instruments.models import Deployment
from issuer.reserves.figures import TokenFigures


def headrooms(figures: TokenFigures, shut: Collection[UUID]) -> dict[UUID, Decimal]:
    """Return how many whole tokens may be minted on each chain, by the deployment's id.

    While the cover is not known there are none; see `shared_out`.
    """
    multipliers = {one.deployment: one.multiplier for one in figures.deployments}
    return shared_out(figures.cover.unclaimed or Decimal(0), multipliers, shut)


def shared_out(
    unclaimed: Decimal, multipliers: Mapping[Deployment, Decimal | None], shut: Collection[UUID]
) -> dict[UUID, Decimal]:
    """Return how many whole tokens of each deployment `unclaimed` shares are for, by its id.

    They are split equally over the chains that are not `shut` (ids of networks): what every chain
    mints up to its own headroom, without knowing of the others, is covered. A shut chain has none.
    """
    chains = sum(deployment.network_id not in shut for deployment in multipliers)
    found = {}
    for deployment, multiplier in multipliers.items():
        room = Decimal(0)
        if deployment.network_id not in shut and multiplier is not None:
            room = quantities.headroom_rounded_down(
                unclaimed,
                multiplier=quantities.EXACT.multiply(multiplier, chains),
                decimals=deployment.decimals,
            )
        found[deployment.pk] = room
    return found
