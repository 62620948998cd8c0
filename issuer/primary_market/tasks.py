"""What becomes of requests by itself: each step of each request a transaction of its own.

Every round begins at what is committed, so a worker that dies anywhere is continued by the next.
"""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import structlog
from celery import shared_task
from django.db.models import Q

from issuer.chain import registry
from issuer.chain import services as chain
from issuer.chain.calls import Call
from issuer.chain.services import Prepared
from issuer.chain.signing import Signer
from issuer.foundation import clock
from issuer.foundation.actors import Actor, system
from issuer.foundation.errors import DomainError
from issuer.instruments.models import Deployment, Network
from issuer.primary_market import selectors, services
from issuer.primary_market.calls import burn_of, mint_of, return_of

#: Work that is not begun by then is left to the next round.
EXPIRES_SECONDS: Final = 60

logger = structlog.get_logger(__name__)


@shared_task(ignore_result=True, expires=EXPIRES_SECONDS, soft_time_limit=120, time_limit=150)
def advance_requests() -> None:
    """Take every step that no node has to be asked for, and ask for those mints that one has."""
    actor, at = system("primary_market.advance_requests"), clock.now()
    _requote(actor=actor, at=at)
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


@shared_task(ignore_result=True, expires=EXPIRES_SECONDS, soft_time_limit=120, time_limit=150)
def advance_redemptions() -> None:
    """Match what came, take every step that no node has to be asked for, and ask for the rest."""
    actor, at = system("primary_market.advance_redemptions"), clock.now()
    _requote(actor=actor, at=at)
    # Before anything is matched: tokens of a party that lapsed are not counted for its requests.
    for request_id, reason in selectors.lapsed_redemptions(at):
        _attempt(services.freeze_redemption, request_id, actor=actor, at=at, reason=reason)
    # And before anything expires: what came in time counts, though it was not final in time.
    _each(services.match_deposit, selectors.unmatched_transfers(), actor=actor, at=at)
    _each(services.expire_redemption, selectors.redemptions_expiring(at), actor=actor, at=at)
    _each(services.record_failed_burn, selectors.failed_to_burn(), actor=actor, at=at)
    _each(services.complete_burn, selectors.finally_burned(), actor=actor, at=at)
    _each(services.instruct_delivery, selectors.to_deliver(), actor=actor, at=at)
    _each(services.complete_redemption, selectors.delivered(), actor=actor, at=at)
    lost = selectors.not_to_be_delivered()
    _each(services.record_cancelled_delivery, lost, actor=actor, at=at)
    _each(services.record_failed_return, selectors.failed_to_return(), actor=actor, at=at)
    _each(services.complete_return, selectors.finally_returned(), actor=actor, at=at)

    networks = Network.objects.filter(
        Q(deployments__redemptions__in=selectors.to_burn())
        | Q(deployments__incoming_transfers__deposit__returns__in=selectors.returns_to_sign())
    )
    for network_id in networks.order_by("pk").distinct().values_list("pk", flat=True):
        sign_burns.apply_async(kwargs={"network_id": str(network_id)}, expires=EXPIRES_SECONDS)


@shared_task(ignore_result=True, soft_time_limit=120, time_limit=150)
def sign_burns(*, network_id: str, **_future: object) -> None:
    """Sign approved burns and returns on one network; safe to deliver more than once."""
    actor = system("primary_market.sign_burns")
    network = Network.objects.get(pk=network_id)
    for request_id in selectors.to_burn(network).values_list("pk", flat=True):
        _attempt(sign_burn, request_id, actor=actor, at=clock.now())
    for return_id in selectors.returns_to_sign(network).values_list("pk", flat=True):
        _attempt(sign_return, return_id, actor=actor, at=clock.now())


def sign_mint(request_id: UUID, *, actor: Actor, at: datetime) -> None:
    """Ask the chain what a mint would cost, and sign it. No lock waits for a node.

    Raises:
        ChainUnavailable, NetworkNotConfigured: if the chain cannot be asked.
        TransactionRefusedByContract: if the contract would revert the mint, so none is signed.
        DomainError: as `services.sign_mint`.
    """
    request = selectors.issuances().get(pk=request_id)
    signer, prepared = _prepare(request.deployment, mint_of(request))
    services.sign_mint(request_id, signer=signer, prepared=prepared, actor=actor, at=at)


def sign_burn(request_id: UUID, *, actor: Actor, at: datetime) -> None:
    """Ask the chain what a burn would cost, and sign it. No lock waits for a node.

    Raises:
        ChainUnavailable, NetworkNotConfigured: if the chain cannot be asked.
        TransactionRefusedByContract: if the contract would revert the burn, so none is signed.
        DomainError: as `services.sign_burn`.
    """
    request = selectors.redemptions().get(pk=request_id)
    signer, prepared = _prepare(request.deployment, burn_of(request))
    services.sign_burn(request_id, signer=signer, prepared=prepared, actor=actor, at=at)


def sign_return(return_id: UUID, *, actor: Actor, at: datetime) -> None:
    """Ask the chain what a return would cost, and sign it. No lock waits for a node.

    Raises:
        ChainUnavailable, NetworkNotConfigured: if the chain cannot be asked.
        TransactionRefusedByContract: if the contract would revert it, so none is signed.
        DomainError: as `services.sign_return`.
    """
    found = selectors.open_returns().get(pk=return_id)
    signer, prepared = _prepare(found.deposit.transfer.deployment, return_of(found))
    services.sign_return(return_id, signer=signer, prepared=prepared, actor=actor, at=at)


def _prepare(deployment: Deployment, call: Call) -> tuple[Signer, Prepared]:
    """Return who signs `call`, and what the chain says of it."""
    signer = registry.signer_for(deployment.network, call.purpose)
    reader = registry.reader_for(deployment.network)
    return signer, chain.prepare(deployment=deployment, call=call, signer=signer, reader=reader)


def _requote(*, actor: Actor, at: datetime) -> None:
    """Put what is in flight over a booked split on the terms after it, before all else."""
    for request_id in selectors.issuances_to_requote(at):
        _attempt(services.requote_issuance, request_id, actor=actor, at=at)
    for request_id in selectors.redemptions_to_requote(at):
        _attempt(services.requote_redemption, request_id, actor=actor, at=at)


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
