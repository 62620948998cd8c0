"""What contracts do for requests."""

from issuer.chain import calls
from issuer.foundation import quantities
from issuer.primary_market.models import IssuanceRequest


def mint_of(request: IssuanceRequest) -> calls.Call:
    """Return the mint of what was asked for, to the wallet that was named."""
    deployment = request.deployment
    return calls.mint(
        recipient=request.wallet.address,
        base_units=quantities.to_base_units(request.quantity, decimals=deployment.decimals),
        request_id=request.pk,
    )
