"""What becomes of requests by itself: each step of each request a transaction of its own.

Every round begins at what is committed, so a worker that dies anywhere is continued by the next.
"""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import structlog
from celery import shared_task

from issuer.chain import registry
from issuer.chain import services as chain
from issuer.chain.states import SignerPurpose
from issuer.foundation import clock
from issuer.foundation.actors import Actor, system
from issuer.foundation.errors import DomainError
from issuer.instruments.models import Network
from issuer.primary_market import selectors, services
from issuer.primary_market.calls import mint_of

#: Work that is not begun by then is left to the next round.
EXPIRES_SECONDS: Final = 60

logger = structlog.get_logger(__name__)


@shared_task(ignore_result=True, expires=EXPIRES_SECONDS, soft_time_limit=120, time_limit=150)
def advance_requests() -> None:
    """Take every step that no node has to be asked for, and ask for those mints that one has."""
    actor, at = system("primary_market.advance_requests"), clock.now()
    for request_id, reason in selectors.lapsed(at):
        _attempt(services.freeze, request_id, actor=actor, at=at, reason=reason)
    _each(services.expire, selectors.expiring(at), actor=actor, at=at)
    _each(services.confirm_funding, selectors.newly_funded(), actor=actor, at=at)
    _each(services.record_failed_mint, selectors.failed_to_mint(), actor=actor, at=at)
    _each(services.complete, selectors.finally_minted(), actor=actor, at=at)

    # One task per network, so that one silent node delays only its own chain.
    networks = Network.objects.filter(deployments__issuances__in=selectors.to_mint())
    for network_id in networks.order_by("pk").distinct().values_list("pk", flat=True):
        sign_mints.apply_async(kwargs={"network_id": str(network_id)}, expires=EXPIRES_SECONDS)


@shared_task(ignore_result=True, soft_time_limit=120, time_limit=150)
def sign_mints(*, network_id: str, **_future: object) -> None:
    """Sign the mints of the approved requests on one network; safe to deliver more than once."""
    actor = system("primary_market.sign_mints")
    network = Network.objects.get(pk=network_id)
    for request_id in selectors.to_mint(network).values_list("pk", flat=True):
        _attempt(sign_mint, request_id, actor=actor, at=clock.now())


def sign_mint(request_id: UUID, *, actor: Actor, at: datetime) -> None:
    """Ask the chain what a mint would cost, and sign it. No lock waits for a node.

    Raises:
        ChainUnavailable, NetworkNotConfigured: if the chain cannot be asked.
        TransactionRefusedByContract: if the contract would revert the mint, so none is signed.
        DomainError: as `services.sign_mint`.
    """
    request = selectors.issuances().get(pk=request_id)
    deployment = request.deployment
    signer = registry.signer_for(deployment.network, SignerPurpose.MINTER)
    prepared = chain.prepare(
        deployment=deployment,
        call=mint_of(request),
        signer=signer,
        reader=registry.reader_for(deployment.network),
    )
    services.sign_mint(request_id, signer=signer, prepared=prepared, actor=actor, at=at)


def _each(step: Callable[..., Any], requests: Iterable[Any], *, actor: Actor, at: datetime) -> None:
    for request in requests:
        _attempt(step, request.pk, actor=actor, at=at)


def _attempt(step: Callable[..., Any], request_id: UUID, **arguments: Any) -> None:
    """Take one step; a refusal leaves the request where it is, and the others their turn."""
    try:
        step(request_id, **arguments)
    except DomainError as refusal:
        logger.warning(
            "primary_market.step_refused",
            step=step.__name__,
            request=str(request_id),
            code=refusal.code,
            reason=refusal.detail,
        )
