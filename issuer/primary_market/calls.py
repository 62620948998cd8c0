"""What contracts do for requests."""

from issuer.chain import calls, selectors
from issuer.foundation import quantities
from issuer.primary_market.models import DepositReturn, IssuanceRequest, RedemptionRequest


def mint_of(request: IssuanceRequest) -> calls.Call:
    """Return the mint of what was asked for, to the wallet that was named.

    It names the request by an id that nobody has used up before.
    """
    deployment = request.deployment
    return calls.mint(
        recipient=request.wallet.address,
        base_units=quantities.to_base_units(request.quantity, decimals=deployment.decimals),
        request_id=request.pk,
        request_serial=selectors.free_serial(deployment, request.pk),
    )


def burn_of(request: RedemptionRequest) -> calls.Call:
    """Return the burn of what came to the deposit address of a redemption, named likewise."""
    deployment = request.deployment
    return calls.burn(
        holder=request.deposit_address,
        base_units=quantities.to_base_units(request.quantity, decimals=deployment.decimals),
        request_id=request.pk,
        request_serial=selectors.free_serial(deployment, request.pk),
    )


def return_of(found: DepositReturn) -> calls.Call:
    """Return the transfer of tokens back to where they came from."""
    deployment = found.deposit.transfer.deployment
    return calls.give_back(
        recipient=found.recipient,
        base_units=quantities.to_base_units(found.quantity, decimals=deployment.decimals),
    )
