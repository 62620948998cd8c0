"""What waits for somebody, and for whom."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from django.db.models import Max, Q, QuerySet

from issuer.approvals.models import Proposal
from issuer.approvals.selectors import open_proposals
from issuer.attestation.models import Attestation
from issuer.attestation.states import UNDER_WAY, AttestationState
from issuer.backoffice.navigation import record_url
from issuer.custody.models import SettlementInstruction
from issuer.custody.states import InstructionState
from issuer.foundation import quantities
from issuer.kyc.models import Case
from issuer.kyc.states import CaseState
from issuer.parties.models import Program
from issuer.people.models import User
from issuer.people.roles import MATRIX
from issuer.primary_market.models import IssuanceRequest
from issuer.primary_market.states import IssuanceState
from issuer.reconciliation.models import Break


@dataclass(frozen=True, slots=True)
class Task:
    """One thing that somebody with `permission` has to do, but not `not_person`."""

    act: str
    what: str
    url: str
    since: datetime
    permission: str
    not_person: UUID | None = None

    @property
    def roles(self) -> str:
        """Who may do it."""
        return may(self.permission)


@dataclass(frozen=True, slots=True)
class _Subject:
    """What one proposes to do to a kind of record, and who may confirm it."""

    act: str
    permission: str


_PROPOSED: Final[Mapping[str, _Subject]] = {
    IssuanceRequest._meta.label_lower: _Subject(
        "Confirm issuance", "primary_market.confirm_issuance"
    ),
    Attestation._meta.label_lower: _Subject(
        "Confirm attestation", "attestation.confirm_attestation"
    ),
    Break._meta.label_lower: _Subject(
        "Confirm that a break is closed", "reconciliation.confirm_close_break"
    ),
}


def may(permission: str) -> str:
    """Return the roles that `permission` comes with, as in: operations officer or approver."""
    roles = [role.label.lower() for role, acts in MATRIX.items() if permission in acts]
    return " or ".join(roles)


def acts_at_all(user: User) -> bool:
    """Say whether there is anything that `user` may do, beyond looking."""
    return any(user.has_perm(act) for acts in MATRIX.values() for act in acts)


def split(tasks: list[Task], user: User) -> tuple[list[Task], list[Task]]:
    """Return the tasks that `user` can do, and those that wait for others."""
    mine = [
        task
        for task in tasks
        if user.has_perm(task.permission) and task.not_person != user.person_id
    ]
    return mine, [task for task in tasks if task not in mine]


def tasks(*, at: datetime) -> list[Task]:
    """Return everything that waits for a person at `at`, what waits longest first."""
    found = [
        *_proposals(),
        *_requests(),
        *_late_deliveries(at),
        *_cases(),
        *_statements_due(at),
    ]
    return sorted(found, key=lambda task: task.since)


def _proposals() -> Iterator[Task]:
    proposals = list(open_proposals().filter(subject_type__in=_PROPOSED))
    names = _names_of_subjects(proposals)
    for proposal in proposals:
        subject = _PROPOSED[proposal.subject_type]
        yield Task(
            act=subject.act,
            what=names[proposal.subject_id],
            url=record_url(proposal.subject_type, proposal.subject_id),
            since=proposal.proposed_at,
            permission=subject.permission,
            not_person=proposal.proposer_id,
        )


def _names_of_subjects(proposals: list[Proposal]) -> dict[UUID, str]:
    ids = [proposal.subject_id for proposal in proposals]
    requests = IssuanceRequest.objects.filter(pk__in=ids)
    attestations = Attestation.objects.filter(pk__in=ids).select_related("program")
    breaks = Break.objects.filter(pk__in=ids).select_related("token")
    return {
        **{request.pk: _name(request) for request in _with_names(requests)},
        **{row.pk: str(row) for row in attestations.defer("content", "document")},
        **{row.pk: str(row) for row in breaks},
    }


def _requests() -> Iterator[Task]:
    proposed = open_proposals().filter(subject_type=IssuanceRequest._meta.label_lower)
    waiting = IssuanceRequest.objects.filter(
        Q(state=IssuanceState.REQUESTED)
        | Q(state=IssuanceState.FUNDED) & ~Q(pk__in=proposed.values("subject_id"))
    )
    for request in _with_names(waiting):
        new = request.state == IssuanceState.REQUESTED
        yield Task(
            act="Accept issuance" if new else "Propose issuance",
            what=_name(request),
            url=record_url(IssuanceRequest._meta.label_lower, request.pk),
            since=request.requested_at,
            permission=f"primary_market.{'accept' if new else 'propose'}_issuance",
        )


def _late_deliveries(at: datetime) -> Iterator[Task]:
    late = SettlementInstruction.objects.filter(
        Q(state=InstructionState.FAILED)
        | Q(state=InstructionState.INSTRUCTED, settlement_date__lt=at.date())
    ).select_related("account__token")
    for instruction in late:
        shares = quantities.to_text(instruction.quantity)
        yield Task(
            act="Chase late delivery",
            what=f"{shares} shares into {instruction.account}, due {instruction.settlement_date}",
            url=record_url(SettlementInstruction._meta.label_lower, instruction.pk),
            since=instruction.instructed_at,
            permission="custody.instruct_settlement",
        )


def _cases() -> Iterator[Task]:
    waiting = Case.objects.filter(state__in=[CaseState.REVIEW, CaseState.RENEWAL_DUE])
    for case in waiting.select_related("entity"):
        review = case.state == CaseState.REVIEW
        yield Task(
            act="Review KYC" if review else "Renew KYC",
            what=case.entity.name if review else f"{case.entity}, until {case.valid_until}",
            url=record_url(Case._meta.label_lower, case.pk),
            since=case.opened_at,
            permission="kyc.manage_case",
        )


def _statements_due(at: datetime) -> Iterator[Task]:
    """Ask for the next attestation where the public has none that may still be relied on."""
    covered = Q(state__in=sorted(UNDER_WAY)) | Q(
        state=AttestationState.PUBLISHED, valid_until__gt=at
    )
    stated = Attestation.objects.filter(covered).values("program")
    programs = Program.objects.exclude(pk__in=stated).filter(runs__isnull=False)
    for name, reconciled_at in programs.values_list("name").annotate(newest=Max("runs__as_of")):
        yield Task(
            act="Propose attestation",
            what=f"{name} has none that may be relied on",
            url=record_url(Attestation._meta.label_lower),
            since=reconciled_at,
            permission="attestation.propose_attestation",
        )


def _with_names(requests: QuerySet[IssuanceRequest]) -> QuerySet[IssuanceRequest]:
    return requests.select_related("token", "participant__entity")


def _name(request: IssuanceRequest) -> str:
    quantity = quantities.to_text(request.quantity)
    return f"{quantity} {request.token} for {request.participant}, {request.client_reference}"
