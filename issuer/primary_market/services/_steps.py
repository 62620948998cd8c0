"""What every step of a request leaves behind, whichever kind of request it is."""

from datetime import datetime
from typing import Any, TypeVar

from issuer.audit import services as audit
from issuer.events import services as events
from issuer.foundation.actors import Actor
from issuer.foundation.transactions import require_transaction
from issuer.primary_market.models import IssuanceRequest, RedemptionRequest
from issuer.primary_market.states import IssuanceStep, RedemptionStep

Request = TypeVar("Request", IssuanceRequest, RedemptionRequest)


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
