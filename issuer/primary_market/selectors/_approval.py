"""What an officer sees before proposing or confirming: what is signed, and what it would do."""

from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from issuer.approvals import selectors as approvals
from issuer.approvals.models import Proposal
from issuer.foundation import canonical, quantities
from issuer.foundation.actors import Actor
from issuer.primary_market import checks
from issuer.primary_market.models import IssuanceRequest
from issuer.primary_market.payload import APPROVE_ISSUANCE, approval_payload
from issuer.primary_market.selectors._refusals import (
    SHUT_FOR_ISSUANCE,
    Refusal,
    refusals,
    require_another_person,
    require_none_proposed,
    require_person,
    require_same_payload,
    shut_gates,
)
from issuer.primary_market.states import IssuanceState, IssuanceStep
from issuer.reserves import selectors as reserves
from issuer.reserves.cover import Cover
from issuer.reserves.errors import CoverUnknown, SharesNotFree


@dataclass(frozen=True, slots=True)
class ApprovalView:
    """One request before it is accepted or approved, as `actor` sees it.

    `cover_after` is what `cover_before` would be once the mint is booked. The lists say why
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


def approval_view(request: IssuanceRequest, *, actor: Actor, at: datetime) -> ApprovalView:
    """Return what is signed, cover before and after, and why `actor` cannot act, if so.

    It asks what the services will ask; they ask again under their locks, and have the last word.
    """
    payload = approval_payload(request)
    payload_hash = canonical.sha256(payload)
    proposal = approvals.open_proposal(request, APPROVE_ISSUANCE)
    before = reserves.cover_of(request.token, at=at)
    state = IssuanceState(request.state)
    shut = shut_gates(request.deployment, SHUT_FOR_ISSUANCE)
    terms = [
        lambda: checks.require_cleared(request, at=at),
        lambda: checks.require_wallet(request),
        lambda: checks.require_unchanged_terms(request, at=at),
    ]
    to_accept = [lambda: IssuanceStep.ACCEPT.value.check(state), *terms]
    shared = [
        lambda: IssuanceStep.APPROVE.value.check(state),
        *terms,
        lambda: require_person(actor),
    ]
    to_propose = [*shared, lambda: require_none_proposed(proposal)]
    to_confirm = [
        *shared,
        lambda: require_another_person(proposal, actor),
        lambda: require_same_payload(proposal, payload_hash),
    ]
    return ApprovalView(
        payload=payload,
        payload_hash=payload_hash,
        proposal=proposal,
        cover_before=before,
        cover_after=_after(before, request),
        not_to_accept=refusals(to_accept) + shut,
        not_to_propose=refusals(to_propose) + shut,
        not_to_confirm=refusals(to_confirm) + shut + _uncovered(before, request),
    )


def _after(cover: Cover, request: IssuanceRequest) -> Cover:
    """Return `cover` once the mint of `request` is booked."""
    if cover.owed_on_tokens is None:
        return cover
    owed = quantities.owed_rounded_up(
        quantities.EXACT.multiply(request.quantity, request.multiplier)
    )
    return replace(
        cover,
        owed_on_tokens=cover.owed_on_tokens + owed,
        paid_not_minted=max(cover.paid_not_minted - request.shares, Decimal(0)),
    )


def _uncovered(cover: Cover, request: IssuanceRequest) -> tuple[Refusal, ...]:
    free = cover.free_for_approval
    if free is None:
        return (Refusal(CoverUnknown.code, "; ".join(cover.reasons)),)
    if free < request.shares:
        needed, there = quantities.to_text(request.shares), quantities.to_text(free)
        return (Refusal(SharesNotFree.code, f"{needed} shares are needed; {there} are free."),)
    return ()
