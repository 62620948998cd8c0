"""What waits for somebody, and for whom."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar
from uuid import UUID

from django.db.models import Max, Q, QuerySet

from issuer.approvals.selectors import open_proposals
from issuer.attestation.models import Attestation
from issuer.attestation.states import UNDER_WAY, AttestationState
from issuer.backoffice.navigation import record_url
from issuer.backoffice.proposed import (
    confirmations,
    name_of_deposit,
    name_of_request,
    name_of_split,
)
from issuer.corporate_actions.models import StockSplit
from issuer.corporate_actions.states import SplitState
from issuer.custody.models import Direction, SettlementInstruction
from issuer.custody.states import InstructionState
from issuer.foundation import quantities
from issuer.kyc.models import Case
from issuer.kyc.states import CaseState
from issuer.parties.models import Program
from issuer.people.models import User
from issuer.people.roles import MATRIX
from issuer.primary_market.models import Deposit, IssuanceRequest, RedemptionRequest
from issuer.primary_market.states import (
    OPEN_RETURN_STATES,
    DepositState,
    IssuanceState,
    RedemptionState,
)

Request = TypeVar("Request", IssuanceRequest, RedemptionRequest)


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
    issuances, redemptions = IssuanceRequest.objects.all(), RedemptionRequest.objects.all()
    found = [
        *_proposals(),
        *_requests(issuances, IssuanceState.REQUESTED, IssuanceState.FUNDED, "issuance"),
        *_requests(redemptions, RedemptionState.REQUESTED, RedemptionState.RECEIVED, "redemption"),
        *_deposits(),
        *_splits(),
        *_late_deliveries(at),
        *_cases(),
        *_unpublished(),
        *_statements_due(at),
    ]
    return sorted(found, key=lambda task: task.since)


def _proposals() -> Iterator[Task]:
    for found in confirmations():
        yield Task(
            act=found.act,
            what=found.name,
            url=found.url,
            since=found.proposal.proposed_at,
            permission=found.permission,
            not_person=found.proposal.proposer_id,
        )


def _requests(requests: QuerySet[Request], new: str, complete: str, called: str) -> Iterator[Task]:
    """Ask to accept the requests that are new, and to propose those that are complete."""
    for request in _accepted_or_proposed_next(requests, new, complete):
        act = "accept" if request.state == new else "propose"
        yield Task(
            act=f"{act.capitalize()} {called}",
            what=name_of_request(request),
            url=record_url(requests.model._meta.label_lower, request.pk),
            since=request.requested_at,
            permission=f"primary_market.{act}_{called}",
        )


def _accepted_or_proposed_next(
    requests: QuerySet[Request], new: str, complete: str
) -> QuerySet[Request]:
    """Return requests that are new, or complete and not proposed for approval yet."""
    proposed = open_proposals().filter(subject_type=requests.model._meta.label_lower)
    waiting = requests.filter(
        Q(state=new) | Q(state=complete) & ~Q(pk__in=proposed.values("subject_id"))
    )
    return waiting.select_related("token", "participant__entity")


def _deposits() -> Iterator[Task]:
    """Ask what becomes of tokens that no redemption accounts for, until somebody proposes it."""
    waiting = Deposit.objects.filter(
        state__in=[DepositState.UNMATCHED, DepositState.QUARANTINED]
    ).exclude(returns__state__in=sorted(OPEN_RETURN_STATES))
    for deposit in waiting.select_related(
        "transfer__deployment__token", "transfer__deployment__network"
    ):
        quarantined = deposit.state == DepositState.QUARANTINED
        yield Task(
            act="Look into quarantined deposit" if quarantined else "Assign or return deposit",
            what=f"{name_of_deposit(deposit)}: {deposit.get_cause_display()}",
            url=record_url(Deposit._meta.label_lower, deposit.pk),
            since=deposit.recorded_at,
            permission=f"primary_market.{'freeze_redemption' if quarantined else 'propose_return'}",
        )


def _splits() -> Iterator[Task]:
    proposed = open_proposals().filter(subject_type=StockSplit._meta.label_lower)
    announced = StockSplit.objects.filter(state=SplitState.ANNOUNCED).exclude(
        pk__in=proposed.values("subject_id")
    )
    for stock_split in announced.select_related("token"):
        yield Task(
            act="Propose split",
            what=f"{name_of_split(stock_split)}, effective {stock_split.effective_at:%Y-%m-%d}",
            url=record_url(StockSplit._meta.label_lower, stock_split.pk),
            since=stock_split.announced_at,
            permission="corporate_actions.announce_stocksplit",
        )


def _late_deliveries(at: datetime) -> Iterator[Task]:
    """Ask after shares that should have come, or gone, by now; as many as have not moved yet."""
    late = SettlementInstruction.objects.filter(
        Q(state=InstructionState.FAILED)
        | Q(state=InstructionState.INSTRUCTED, settlement_date__lt=at.date())
    ).select_related("account__token")
    for instruction in late:
        comes = instruction.direction == Direction.RECEIPT
        shares = quantities.to_text(instruction.remaining)
        moves = f"{shares} shares {'into' if comes else 'out of'} {instruction.account}"
        yield Task(
            act="Chase late receipt" if comes else "Chase late delivery",
            what=f"{moves}, due {instruction.settlement_date}",
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


def _unpublished() -> Iterator[Task]:
    """Ask for what is wrong with a statement that is approved and cannot be published."""
    waiting = Attestation.objects.filter(state__in=sorted(UNDER_WAY))
    failed = waiting.exclude(publishing_failed_at=None).select_related("program")
    for attestation in failed.defer("content", "document"):
        assert attestation.publishing_failed_at is not None, "the query asks for it"
        yield Task(
            act="Look into failed publication",
            what=f"{attestation}: {attestation.publishing_failure}",
            url=record_url(Attestation._meta.label_lower, attestation.pk),
            since=attestation.publishing_failed_at,
            permission="attestation.confirm_attestation",
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
