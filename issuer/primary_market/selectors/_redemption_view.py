"""What an officer sees before a redemption is approved: what is signed, and what it would do."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from issuer.approvals import selectors as approvals
from issuer.approvals.models import Proposal
from issuer.foundation import canonical, quantities
from issuer.foundation.actors import Actor
from issuer.primary_market import checks
from issuer.primary_market.models import RedemptionRequest
from issuer.primary_market.payload import APPROVE_REDEMPTION, redemption_payload
from issuer.primary_market.selectors._refusals import (
    SHUT_FOR_REDEMPTION,
    Refusal,
    refusals,
    require_another_person,
    require_none_proposed,
    require_person,
    require_same_payload,
    shut_gates,
)
from issuer.primary_market.states import RedemptionState, RedemptionStep
from issuer.reserves import selectors as reserves
from issuer.reserves.cover import Cover
from issuer.reserves.errors import CoverUnknown, SharesNotFree


@dataclass(frozen=True, slots=True)
class RedemptionView:
    """One redemption before it is accepted or approved, as `actor` sees it.

    `cover_after` is what `cover_before` would be once the shares have left. The lists say why
    `actor` cannot accept, propose or confirm now; empty is a button that can be pressed.
    """

    payload: dict[str, Any]
    payload_hash: str
    proposal: Proposal | None
    cover_before: Cover
    cover_after: Cover
    not_to_accept: tuple[Refusal, ...]
    not_to_propose: tuple[Refusal, ...]
    not_to_confirm: tuple[Refusal, ...]


def redemption_view(request: RedemptionRequest, *, actor: Actor, at: datetime) -> RedemptionView:
    """Return what is signed, cover before and after, and why `actor` cannot act, if so.

    It asks what the services will ask; they ask again under their locks, and have the last word.
    """
    payload = redemption_payload(request)
    payload_hash = canonical.sha256(payload)
    proposal = approvals.open_proposal(request, APPROVE_REDEMPTION)
    before = reserves.cover_of(request.token, at=at)
    state = RedemptionState(request.state)
    shut = shut_gates(request.deployment, SHUT_FOR_REDEMPTION)
    terms = [
        lambda: checks.require_cleared(request, at=at),
        lambda: checks.require_wallet(request),
        lambda: checks.require_same_multiplier(request, at=at),
    ]
    to_accept = [lambda: RedemptionStep.ACCEPT.value.check(state), *terms]
    shared = [
        lambda: RedemptionStep.APPROVE.value.check(state),
        *terms,
        lambda: checks.require_all_received(request),
        lambda: require_person(actor),
    ]
    to_confirm = [
        *shared,
        lambda: require_another_person(proposal, actor),
        lambda: require_same_payload(proposal, payload_hash),
    ]
    return RedemptionView(
        payload=payload,
        payload_hash=payload_hash,
        proposal=proposal,
        cover_before=before,
        cover_after=_after(before, request),
        not_to_accept=refusals(to_accept) + shut,
        not_to_propose=refusals([*shared, lambda: require_none_proposed(proposal)]) + shut,
        not_to_confirm=refusals(to_confirm) + shut + _undeliverable(before, request),
    )


def _after(cover: Cover, request: RedemptionRequest) -> Cover:
    """Return `cover` once the tokens are burned and their shares have left."""
    if cover.owed_on_tokens is None or cover.held is None:
        return cover
    stood_for = quantities.held_rounded_down(
        quantities.EXACT.multiply(request.quantity, request.multiplier)
    )
    return replace(
        cover,
        owed_on_tokens=cover.owed_on_tokens - stood_for,
        held=cover.held - request.shares,
    )


def _undeliverable(cover: Cover, request: RedemptionRequest) -> tuple[Refusal, ...]:
    free = cover.free_for_delivery
    if free is None:
        return (Refusal(CoverUnknown.code, "; ".join(cover.reasons)),)
    if free < request.shares:
        needed, there = quantities.to_text(request.shares), quantities.to_text(free)
        return (Refusal(SharesNotFree.code, f"{needed} shares are needed; {there} are free."),)
    return ()
