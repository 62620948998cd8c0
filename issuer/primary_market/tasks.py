"""What becomes of requests by itself: each step of each request a task of its own.

A round only asks for what is due, so a surprise with one request, or a node that is silent, keeps
no other from being tried. Each task begins at what is committed, takes one step under the locks of
its service, and is safe to deliver more than once: a worker that dies anywhere is continued by the
next round.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import structlog
from celery import shared_task

from issuer.chain import registry
from issuer.chain import services as chain
from issuer.chain.calls import Call
from issuer.chain.services import Prepared
from issuer.chain.signing import Signer
from issuer.foundation import clock
from issuer.foundation.actors import Actor, system
from issuer.foundation.errors import DomainError
from issuer.instruments.models import Deployment
from issuer.primary_market import selectors, services
from issuer.primary_market.calls import burn_of, mint_of, return_of

#: Work that is not begun by then is left to the next round.
EXPIRES_SECONDS: Final = 60

logger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Due:
    """A step that is due of the request, transfer or return `row_id`."""

    step: str
    row_id: UUID


@shared_task(ignore_result=True, expires=EXPIRES_SECONDS, soft_time_limit=120, time_limit=150)
def advance_requests() -> None:
    """Ask for every step of an issuance that is due."""
    _ask_for(_due_of_issuances(clock.now()))


@shared_task(ignore_result=True, expires=EXPIRES_SECONDS, soft_time_limit=120, time_limit=150)
def advance_redemptions() -> None:
    """Ask for every step that is due of what came, of a redemption or of a return."""
    _ask_for(_due_of_redemptions(clock.now()))


@shared_task(ignore_result=True, soft_time_limit=120, time_limit=150)
def take_step(*, step: str, row_id: str, **_future: object) -> None:
    """Take one step; a refusal leaves the row where it is, for the next round."""
    actor, at = system(f"primary_market.{step}"), clock.now()
    try:
        STEPS[step](UUID(row_id), actor=actor, at=at)
    except DomainError as refusal:
        logger.warning(
            "primary_market.step_refused",
            step=step,
            row=row_id,
            code=refusal.code,
            reason=refusal.detail,
        )


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


def _ask_for(steps: Iterator[Due]) -> None:
    for due in steps:
        take_step.apply_async(
            kwargs={"step": due.step, "row_id": str(due.row_id)},
            expires=EXPIRES_SECONDS,
        )


def _due_of_issuances(at: datetime) -> Iterator[Due]:
    """Yield what is due of issuances, new terms after a split first."""
    for request_id in selectors.issuances_to_requote(at):
        yield Due("requote_issuance", request_id)
    # Before what is frozen: a mint that failed is one that can be.
    yield from _each("record_failed_mint", selectors.failed_to_mint())
    for request_id in selectors.lapsed(at):
        yield Due("freeze_lapsed", request_id)
    yield from _each("expire", selectors.expiring(at))
    yield from _each("confirm_funding", selectors.newly_funded())
    yield from _each("complete", selectors.finally_minted())
    yield from _each("sign_mint", selectors.to_mint())


def _due_of_redemptions(at: datetime) -> Iterator[Due]:
    """Yield what is due of redemptions, of what came for them, and of what goes back."""
    for request_id in selectors.redemptions_to_requote(at):
        yield Due("requote_redemption", request_id)
    yield from _each("record_failed_burn", selectors.failed_to_burn())
    for request_id in selectors.lapsed_redemptions(at):
        yield Due("freeze_lapsed_redemption", request_id)
    yield from _each("match_deposit", selectors.unmatched_transfers())
    yield from _each("expire_redemption", selectors.redemptions_expiring(at))
    yield from _each("complete_burn", selectors.finally_burned())
    yield from _each("instruct_delivery", selectors.to_deliver())
    yield from _each("complete_redemption", selectors.delivered())
    yield from _each("record_cancelled_delivery", selectors.not_to_be_delivered())
    yield from _each("record_failed_return", selectors.failed_to_return())
    yield from _each("complete_return", selectors.finally_returned())
    yield from _each("sign_burn", selectors.to_burn())
    yield from _each("sign_return", selectors.returns_to_sign())


def _each(step: str, rows: Iterable[Any]) -> Iterator[Due]:
    for row in rows:
        yield Due(step, row.pk)


#: What a round may ask for, by name.
STEPS: Final[Mapping[str, Callable[..., object]]] = {
    step.__name__: step
    for step in (
        services.complete,
        services.complete_burn,
        services.complete_redemption,
        services.complete_return,
        services.confirm_funding,
        services.expire,
        services.expire_redemption,
        services.freeze_lapsed,
        services.freeze_lapsed_redemption,
        services.instruct_delivery,
        services.match_deposit,
        services.record_cancelled_delivery,
        services.record_failed_burn,
        services.record_failed_mint,
        services.record_failed_return,
        services.requote_issuance,
        services.requote_redemption,
        sign_burn,
        sign_mint,
        sign_return,
    )
}
