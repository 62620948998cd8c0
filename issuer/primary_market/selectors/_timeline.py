"""All that has happened to a request, in one order."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID

from django.db import models

from issuer.approvals.models import Proposal
from issuer.approvals.states import ProposalState
from issuer.chain.models import IntentTransition, TransactionIntent
from issuer.chain.states import IntentState
from issuer.custody.models import SettlementInstruction
from issuer.custody.states import InstructionState
from issuer.people.models import Person
from issuer.primary_market.models import (
    IssuanceRequest,
    IssuanceTransition,
    RedemptionRequest,
    RedemptionTransition,
)
from issuer.primary_market.payload import APPROVE_ISSUANCE
from issuer.primary_market.states import IssuanceStep

_STEPS: Final[Mapping[str, str]] = {
    IssuanceStep.ACCEPT.name: "Accepted",
    IssuanceStep.CONFIRM_FUNDING.name: "Funded",
    IssuanceStep.APPROVE.name: "Approved",
    IssuanceStep.WITHDRAW_APPROVAL.name: "Approval withdrawn",
    IssuanceStep.SIGN_MINT.name: "Mint signed",
    IssuanceStep.REVERT_MINT.name: "Mint reverted, approved again",
    IssuanceStep.DROP_MINT.name: "Mint dropped, approved again",
    IssuanceStep.CANCEL_MINT.name: "Mint cancelled, approved again",
    IssuanceStep.COMPLETE.name: "Completed",
    IssuanceStep.REJECT.name: "Rejected",
    IssuanceStep.CANCEL.name: "Cancelled",
    IssuanceStep.EXPIRE.name: "Expired",
    IssuanceStep.FREEZE.name: "Frozen",
    IssuanceStep.UNFREEZE_REQUESTED.name: "Unfrozen",
    IssuanceStep.UNFREEZE_ACCEPTED.name: "Unfrozen",
    IssuanceStep.UNFREEZE_FUNDED.name: "Unfrozen",
    IssuanceStep.REQUOTE_REQUESTED.name: "New terms after a split",
    IssuanceStep.REQUOTE_ACCEPTED.name: "New terms after a split",
    IssuanceStep.REQUOTE_FUNDED.name: "New terms after a split, to be approved again",
    IssuanceStep.REQUOTE_MINTING.name: "New terms after a split",
    IssuanceStep.REQUOTE_FROZEN.name: "New terms after a split",
}


@dataclass(frozen=True, slots=True)
class Moment:
    """Something that happened to a request; `room` says whose record it is.

    `person` is the name of the human behind `actor`, if there is one. `evidence` are hashes,
    transactions and files that show it, by what they are.
    """

    at: datetime
    room: str
    title: str
    actor: str
    person: str = ""
    reason: str = ""
    evidence: Mapping[str, str] = field(default_factory=dict)


def timeline(request: IssuanceRequest) -> list[Moment]:
    """Return all that has happened to `request`, the oldest first."""
    instructions = [] if request.instruction is None else [request.instruction]
    moments = [
        *moments_of_request(request, _STEPS),
        *moments_of_custody(instructions, "Receipt"),
        *moments_of_approvals(request, APPROVE_ISSUANCE),
        *moments_of_chain([request.pk], "Mint"),
    ]
    return sorted(moments, key=lambda moment: moment.at)


def moments_of_request(
    request: IssuanceRequest | RedemptionRequest, steps: Mapping[str, str]
) -> Iterator[Moment]:
    """Yield the request and its steps, called as `steps` has them."""
    yield Moment(
        request.requested_at,
        "primary_market",
        "Requested",
        request.requested_by,
        evidence={"client reference": request.client_reference},
    )
    transitions: list[IssuanceTransition | RedemptionTransition] = [
        *request.transitions.order_by("id")
    ]
    persons = {transition.person_id for transition in transitions if transition.person_id}
    names: dict[UUID | None, str] = dict(
        Person.objects.filter(pk__in=persons).values_list("pk", "name")
    )
    for transition in transitions:
        yield Moment(
            transition.occurred_at,
            "primary_market",
            steps[transition.step],
            transition.actor,
            person=names.get(transition.person_id, ""),
            reason=transition.reason,
        )


def moments_of_custody(
    instructions: Iterable[SettlementInstruction], what: str
) -> Iterator[Moment]:
    """Yield what became of settlement instructions; `what` is Receipt or Delivery."""
    for instruction in instructions:
        dates = {"settlement date": instruction.settlement_date.isoformat()}
        yield Moment(
            instruction.instructed_at,
            "custody",
            f"{what} of shares instructed",
            instruction.instructed_by,
            evidence={"trade date": instruction.trade_date.isoformat()} | dates,
        )
        evidence = {}
        if instruction.evidence is not None:
            evidence = {
                "statement": str(instruction.evidence),
                "statement SHA-256": instruction.evidence.sha256,
            }
        for transition in instruction.transitions.order_by("id"):
            settled = transition.destination == InstructionState.SETTLED
            yield Moment(
                transition.occurred_at,
                "custody",
                f"{what} of shares {InstructionState(transition.destination).label.lower()}",
                transition.actor,
                evidence=evidence if settled else dates,
            )


def moments_of_approvals(subject: models.Model, action: str) -> Iterator[Moment]:
    """Yield what was proposed to be done to `subject`, and what became of it."""
    proposals = Proposal.objects.filter(
        action=action,
        subject_type=subject._meta.label_lower,
        subject_id=subject.pk,
    ).select_related("proposer", "approval__approver")
    for proposal in proposals:
        evidence = {"payload SHA-256": proposal.payload_hash}
        yield Moment(
            proposal.proposed_at,
            "approvals",
            "Proposed for approval",
            proposal.proposed_by,
            person=proposal.proposer.name,
            evidence=evidence,
        )
        if proposal.closed_at is None:
            continue
        confirmed = proposal.state == ProposalState.CONFIRMED
        yield Moment(
            proposal.closed_at,
            "approvals",
            f"Proposal {'confirmed' if confirmed else proposal.get_state_display().lower()}",
            proposal.closed_by,
            person=proposal.approval.approver.name if confirmed else "",
            reason=proposal.reason,
            evidence=evidence,
        )


def moments_of_chain(request_ids: Iterable[UUID], what: str) -> Iterator[Moment]:
    """Yield what became of the transactions for requests; `what` is Mint, Burn or Return."""
    intents = TransactionIntent.objects.filter(request_id__in=request_ids).prefetch_related(
        "attempts", "transitions"
    )
    noun = what.lower()
    for intent in intents:
        nonce = {"nonce": str(intent.nonce)}
        for number, attempt in enumerate(intent.attempts.all()):
            again = f"{what} signed again with higher fees" if number else None
            cancelled = f"Cancellation of the {noun} signed" if attempt.cancels else None
            yield Moment(
                attempt.signed_at,
                "chain",
                cancelled or again or f"Exact bytes of the {noun} kept",
                "",
                evidence={"transaction": attempt.transaction_hash} | nonce,
            )
        for transition in intent.transitions.all():
            yield Moment(
                transition.occurred_at,
                "chain",
                f"{what}: {IntentState(transition.destination).label.lower()}",
                transition.actor,
                evidence=_block_of(transition),
            )


def _block_of(transition: IntentTransition) -> dict[str, str]:
    if transition.block_number is None:
        return {}
    return {"block": str(transition.block_number), "block hash": transition.block_hash}
