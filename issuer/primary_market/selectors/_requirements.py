"""What a request still needs, and from whom."""

from dataclasses import dataclass
from datetime import datetime
from typing import assert_never

from django.db import models

from issuer.approvals import selectors as approvals
from issuer.custody.models import SettlementInstruction
from issuer.custody.states import InstructionState
from issuer.foundation import quantities
from issuer.gate import selectors as gate
from issuer.primary_market.models import IssuanceRequest
from issuer.primary_market.payload import APPROVE_ISSUANCE
from issuer.primary_market.states import FINAL_STATES, IssuanceState
from issuer.reserves import selectors as reserves


class Party(models.TextChoices):
    """Who has to act next."""

    PARTICIPANT = "participant", "Participant"
    ISSUER = "issuer", "Issuer"
    CUSTODIAN = "custodian", "Custodian"
    NETWORK = "network", "Network"


@dataclass(frozen=True, slots=True)
class Requirement:
    """One thing that has to happen before the request goes on."""

    code: str
    detail: str
    awaiting_action_from: Party


def requirements(request: IssuanceRequest, *, at: datetime) -> list[Requirement]:
    """Return what `request` needs before it goes on at `at`; nothing once it has ended."""
    state = IssuanceState(request.state)
    if state in FINAL_STATES:
        return []
    found = [_next(request, state, at)]
    if state != IssuanceState.MINTING:
        found += _open_gates(request)
    if state == IssuanceState.APPROVED:
        found += _cover(request, at)
    return found


def _next(request: IssuanceRequest, state: IssuanceState, at: datetime) -> Requirement:
    match state:
        case IssuanceState.REQUESTED:
            return Requirement("acceptance", "We look at the request.", Party.ISSUER)
        case IssuanceState.ACCEPTED:
            assert request.instruction is not None
            return _delivery(request.instruction, at)
        case IssuanceState.FUNDED:
            return _approval(request)
        case IssuanceState.APPROVED:
            detail = "The mint is signed next."
            if request.reason:
                detail = f"The mint is signed again, for the last one failed: {request.reason}"
            return Requirement("mint", detail, Party.ISSUER)
        case IssuanceState.MINTING:
            detail = "The mint is not final on its chain, or not booked yet."
            return Requirement("finality", detail, Party.NETWORK)
        case IssuanceState.FROZEN:
            return Requirement("release", f"The request is frozen: {request.reason}", Party.ISSUER)
        case (
            IssuanceState.COMPLETED
            | IssuanceState.REJECTED
            | IssuanceState.CANCELLED
            | IssuanceState.EXPIRED
        ):
            raise AssertionError("A request that has ended needs nothing.")
        case _:
            assert_never(state)


def _delivery(instruction: SettlementInstruction, at: datetime) -> Requirement:
    if instruction.state == InstructionState.SETTLED:
        return Requirement("funding", "The shares have settled.", Party.ISSUER)
    if instruction.state == InstructionState.CANCELLED:
        detail = "The delivery was cancelled; the request ends."
        return Requirement("delivery-cancelled", detail, Party.ISSUER)
    account, due = instruction.account, instruction.settlement_date
    detail = (
        f"{quantities.to_text(instruction.quantity)} shares from {instruction.counterparty} "
        f"to account {account.reference} at {account.custodian}, to settle on {due}."
    )
    late = instruction.state == InstructionState.FAILED or at.date() > due
    if late:
        return Requirement("late-delivery", f"Late: {detail}", Party.PARTICIPANT)
    party = Party.PARTICIPANT if at.date() < due else Party.CUSTODIAN
    return Requirement("delivery", detail, party)


def _approval(request: IssuanceRequest) -> Requirement:
    if approvals.open_proposal(request, APPROVE_ISSUANCE) is None:
        return Requirement("proposal", "An officer proposes it for approval.", Party.ISSUER)
    return Requirement("confirmation", "A second officer confirms it.", Party.ISSUER)


def _open_gates(request: IssuanceRequest) -> list[Requirement]:
    scopes = reserves.scopes_of(request.token, request.deployment.network)
    holds = gate.holds_in_force(scopes)
    return [Requirement("open-gate", str(hold), Party.ISSUER) for hold in holds]


def _cover(request: IssuanceRequest, at: datetime) -> list[Requirement]:
    """Return what stands between an approved request and its signature, on the side of cover."""
    cover = reserves.cover_of(request.token, at=at)
    free = cover.free_for_approval
    if free is None:
        return [Requirement("known-cover", " ".join(cover.reasons), Party.ISSUER)]
    if free < 0:  # all holds together are more than what is there
        missing = quantities.to_text(-free)
        return [Requirement("shares", f"{missing} settled shares are missing.", Party.ISSUER)]
    return []
