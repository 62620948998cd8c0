"""All that has happened to a request, in one order."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID

from issuer.approvals.models import Proposal
from issuer.approvals.states import ProposalState
from issuer.chain.models import IntentTransition, TransactionIntent
from issuer.chain.states import IntentState
from issuer.custody.states import InstructionState
from issuer.people.models import Person
from issuer.primary_market.models import IssuanceRequest
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
    IssuanceStep.COMPLETE.name: "Completed",
    IssuanceStep.REJECT.name: "Rejected",
    IssuanceStep.CANCEL.name: "Cancelled",
    IssuanceStep.EXPIRE.name: "Expired",
    IssuanceStep.FREEZE.name: "Frozen",
    IssuanceStep.UNFREEZE_REQUESTED.name: "Unfrozen",
    IssuanceStep.UNFREEZE_ACCEPTED.name: "Unfrozen",
    IssuanceStep.UNFREEZE_FUNDED.name: "Unfrozen",
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
    moments = [
        *_of_request(request),
        *_of_custody(request),
        *_of_approvals(request),
        *_of_chain(request),
    ]
    return sorted(moments, key=lambda moment: moment.at)


def _of_request(request: IssuanceRequest) -> Iterator[Moment]:
    yield Moment(
        request.requested_at,
        "primary_market",
        "Requested",
        request.requested_by,
        evidence={"client reference": request.client_reference},
    )
    transitions = list(request.transitions.order_by("id"))
    persons = {transition.person_id for transition in transitions if transition.person_id}
    names: dict[UUID | None, str] = dict(
        Person.objects.filter(pk__in=persons).values_list("pk", "name")
    )
    for transition in transitions:
        yield Moment(
            transition.occurred_at,
            "primary_market",
            _STEPS[transition.step],
            transition.actor,
            person=names.get(transition.person_id, ""),
            reason=transition.reason,
        )


def _of_custody(request: IssuanceRequest) -> Iterator[Moment]:
    instruction = request.instruction
    if instruction is None:
        return
    dates = {"settlement date": instruction.settlement_date.isoformat()}
    yield Moment(
        instruction.instructed_at,
        "custody",
        "Receipt of shares instructed",
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
            f"Receipt of shares {InstructionState(transition.destination).label.lower()}",
            transition.actor,
            evidence=evidence if settled else dates,
        )


def _of_approvals(request: IssuanceRequest) -> Iterator[Moment]:
    proposals = Proposal.objects.filter(
        action=APPROVE_ISSUANCE,
        subject_type=IssuanceRequest._meta.label_lower,
        subject_id=request.pk,
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


def _of_chain(request: IssuanceRequest) -> Iterator[Moment]:
    intents = TransactionIntent.objects.filter(request_id=request.pk).prefetch_related(
        "attempts", "transitions"
    )
    for intent in intents:
        nonce = {"nonce": str(intent.nonce)}
        for number, attempt in enumerate(intent.attempts.all()):
            yield Moment(
                attempt.signed_at,
                "chain",
                "Mint signed again with higher fees" if number else "Exact bytes of the mint kept",
                "",
                evidence={"transaction": attempt.transaction_hash} | nonce,
            )
        for transition in intent.transitions.all():
            yield Moment(
                transition.occurred_at,
                "chain",
                f"Mint: {IntentState(transition.destination).label.lower()}",
                transition.actor,
                evidence=_block_of(transition),
            )


def _block_of(transition: IntentTransition) -> dict[str, str]:
    if transition.block_number is None:
        return {}
    return {"block": str(transition.block_number), "block hash": transition.block_hash}
