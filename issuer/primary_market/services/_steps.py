"""What opening a request, and every step of one, leaves behind, whichever kind it is."""

from datetime import datetime
from typing import Any, Final, TypeVar

from issuer.audit import services as audit
from issuer.events import services as events
from issuer.foundation import quantities
from issuer.foundation.actors import Actor
from issuer.foundation.transactions import require_transaction, translating
from issuer.primary_market import errors
from issuer.primary_market.models import IssuanceRequest, RedemptionRequest
from issuer.primary_market.states import IssuanceStep, RedemptionStep

Request = TypeVar("Request", IssuanceRequest, RedemptionRequest)

#: Why an approval does not outlive a failed transaction.
NOT_AS_APPROVED: Final = "Its terms are not those that were approved; it is approved again."


def open_request(request: Request, *, noun: str, actor: Actor, at: datetime) -> Request:
    """Save a new request; `noun` is how the trail and others call it.

    Raises:
        ClientReferenceUsed: if its reference names an earlier request of the participant.
    """
    require_transaction()
    reference = request.client_reference
    used = errors.ClientReferenceUsed(
        f"{reference} names another request of yours.", client_reference=reference
    )
    request.requested_by, request.requested_at = str(actor), at
    with translating({f"{noun}_client_reference_once": used}):
        request.save(force_insert=True)
    facts = {"token": request.token.symbol, "quantity": quantities.to_text(request.quantity)}
    audit.record(f"{noun}.request", subject=request, actor=actor, at=at, **facts)
    events.record(
        f"{noun}.requested",
        subject=request,
        at=at,
        participant=request.participant.code,
        state=request.state,
        **facts,
    )
    return request


def take(
    step: IssuanceStep | RedemptionStep,
    request: Request,
    *,
    noun: str,
    event: str,
    actor: Actor,
    at: datetime,
    reason: str,
    **columns: Any,
) -> Request:
    """Take a step with a locked request, and set the columns that its new state requires.

    `noun` is how the trail calls the request, `event` what others are told. The row, its
    transition, the audit event and the event for others are committed together or not at all.
    """
    require_transaction()
    transition = step.value
    origin = type(transition.destination)(request.state)
    transition.check(origin)

    request.state = transition.destination
    request.reason = reason
    for name, value in columns.items():
        setattr(request, name, value)
    request.save(update_fields=["state", "reason", *columns])
    request.transitions.create(
        step=step.name,
        origin=origin,
        destination=request.state,
        actor=str(actor),
        person_id=actor.person,
        reason=reason,
        occurred_at=at,
    )
    facts = {"reason": reason} if reason else {}
    audit.record(f"{noun}.{step.name.lower()}", subject=request, actor=actor, at=at, **facts)
    events.record(
        event,
        subject=request,
        at=at,
        participant=request.participant.code,
        token=request.token.symbol,
        state=request.state,
    )
    return request
