"""The life of a KYC case."""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.db import transaction

from issuer.approvals.errors import PersonRequired
from issuer.audit import services as audit
from issuer.events import services as events
from issuer.foundation.actors import Actor
from issuer.foundation.transactions import require_transaction, translating
from issuer.kyc import errors, selectors, vault
from issuer.kyc.models import Case, CaseTransition, DataKey, RiskRating
from issuer.kyc.states import CaseState, CaseStep
from issuer.parties.models import LegalEntity

#: An approval lasts no longer than the review cycle of its rating: 12, 24 and 36 months.
REVIEW_CYCLE: Final[Mapping[RiskRating, timedelta]] = {
    RiskRating.HIGH: timedelta(days=366),
    RiskRating.MEDIUM: timedelta(days=731),
    RiskRating.LOW: timedelta(days=1096),
}
#: What the party and those who deal with it want to know; the rest is the house's own business.
_EVENT_OF_STEP: Final[Mapping[CaseStep, str]] = {
    CaseStep.ASK_FOR_MORE: "kyc.evidence_asked_for",
    CaseStep.APPROVE: "kyc.approved",
    CaseStep.REJECT: "kyc.rejected",
    CaseStep.NOTE_RENEWAL_DUE: "kyc.renewal_due",
    CaseStep.EXPIRE: "kyc.expired",
    CaseStep.SUSPEND: "kyc.suspended",
    CaseStep.RENEW: "kyc.renewal_started",
    CaseStep.OFFBOARD: "kyc.offboarded",
}


@transaction.atomic
def open_case(*, entity: LegalEntity, actor: Actor, at: datetime) -> Case:
    """Open the one case of `entity`, and make the key that its evidence will be encrypted under.

    Raises:
        CaseOpen: if it has one.
    """
    with translating({"kyc_case_entity_id_key": errors.CaseOpen(f"{entity} has a KYC case.")}):
        case = Case.objects.create(entity=entity, opened_at=at)
    DataKey.objects.create(
        entity=entity, wrapped_key=vault.new_wrapped_key(entity=entity.pk), created_at=at
    )
    audit.record("kyc.open_case", subject=case, actor=actor, at=at, entity=str(entity.pk))
    return case


@transaction.atomic
def start(case_id: UUID, *, actor: Actor, at: datetime) -> Case:
    """Begin to put the case together.

    Raises:
        IllegalTransition: if the case is not new.
    """
    return _take(CaseStep.START, _lock(case_id), actor=actor, at=at)


@transaction.atomic
def submit(case_id: UUID, *, actor: Actor, at: datetime) -> Case:
    """Hand the case in for review.

    Raises:
        EvidenceMissing: if it holds no document.
        IllegalTransition: if it is not being put together.
    """
    case = _lock(case_id)
    if not case.documents.exists():
        raise errors.EvidenceMissing("Add the documents that the review is to be of.")
    return _take(CaseStep.SUBMIT, case, actor=actor, at=at)


@transaction.atomic
def ask_for_more(case_id: UUID, *, reason: str, actor: Actor, at: datetime) -> Case:
    """Give the case back, and say in `reason` what is missing; the party reads it.

    Raises:
        IllegalTransition: if the case is not in review.
    """
    return _take(CaseStep.ASK_FOR_MORE, _lock(case_id), actor=actor, at=at, reason=reason)


@transaction.atomic
def approve(
    case_id: UUID, *, valid_until: date, risk_rating: RiskRating, actor: Actor, at: datetime
) -> Case:
    """Clear the entity through the day `valid_until`; the person behind `actor` is its reviewer.

    Raises:
        PersonRequired: if `actor` is not a person.
        ValidityRefused: if that day is past, or beyond the review cycle of the rating.
        IllegalTransition: if the case is not in review.
    """
    if actor.person is None:
        raise PersonRequired(f"{actor} is not a person, and cannot review.")
    latest = (at + REVIEW_CYCLE[risk_rating]).date()
    if not at.date() < valid_until <= latest:
        raise errors.ValidityRefused(
            f"An approval of {risk_rating.label.lower()} risk ends after {at.date()} and no later"
            f" than {latest}, not on {valid_until}.",
            valid_until=valid_until.isoformat(),
            latest=latest.isoformat(),
        )
    return _take(
        CaseStep.APPROVE,
        _lock(case_id),
        actor=actor,
        at=at,
        valid_until=valid_until,
        risk_rating=risk_rating,
        reviewer_id=actor.person,
    )


@transaction.atomic
def reject(case_id: UUID, *, reason: str, actor: Actor, at: datetime) -> Case:
    """Refuse to deal with the entity, for good.

    Raises:
        IllegalTransition: if the case is not in review.
    """
    return _take(CaseStep.REJECT, _lock(case_id), actor=actor, at=at, reason=reason)


@transaction.atomic
def suspend(case_id: UUID, *, reason: str, actor: Actor, at: datetime) -> Case:
    """Stop dealing with a cleared entity at once; renewing the case is the way back.

    Raises:
        IllegalTransition: if the entity is not cleared.
    """
    return _take(CaseStep.SUSPEND, _lock(case_id), actor=actor, at=at, reason=reason)


@transaction.atomic
def renew(case_id: UUID, *, actor: Actor, at: datetime) -> Case:
    """Take a case up again that was once approved; the entity is not cleared until it is anew.

    Raises:
        IllegalTransition: if the case was never approved, or is closed.
    """
    return _take(
        CaseStep.RENEW,
        _lock(case_id),
        actor=actor,
        at=at,
        valid_until=None,
        risk_rating="",
        reviewer_id=None,
    )


@transaction.atomic
def offboard(case_id: UUID, *, reason: str, actor: Actor, at: datetime) -> Case:
    """End the relationship with the entity; from now on the retention of its records runs.

    Raises:
        IllegalTransition: if the case is closed.
    """
    return _take(CaseStep.OFFBOARD, _lock(case_id), actor=actor, at=at, reason=reason)


@transaction.atomic
def expire_due(*, actor: Actor, at: datetime) -> list[Case]:
    """Expire every approval whose last day is over; return the cases."""
    due = selectors.expired(at).select_for_update(of=("self",)).order_by("pk")
    return [_take(CaseStep.EXPIRE, case, actor=actor, at=at) for case in list(due)]


@transaction.atomic
def note_renewals_due(*, actor: Actor, at: datetime) -> list[Case]:
    """Note every approval that ends within the notice; the entities stay cleared meanwhile."""
    due = selectors.renewals_due(at).select_for_update(of=("self",)).order_by("pk")
    return [_take(CaseStep.NOTE_RENEWAL_DUE, case, actor=actor, at=at) for case in list(due)]


def _lock(case_id: UUID) -> Case:
    return Case.objects.select_for_update(of=("self",)).get(pk=case_id)


def _take(
    step: CaseStep, case: Case, *, actor: Actor, at: datetime, reason: str = "", **columns: Any
) -> Case:
    """Take a step with a locked case, and set the columns that its new state requires.

    The only writer of `state`: the row, its transition and the audit event are committed together
    or not at all.
    """
    require_transaction()
    origin = CaseState(case.state)
    step.value.check(origin)
    case.state = step.value.destination
    case.reason = reason
    for name, value in columns.items():
        setattr(case, name, value)
    case.save(update_fields=["state", "reason", *columns])
    CaseTransition.objects.create(
        case=case,
        step=step.name,
        origin=origin,
        destination=case.state,
        actor=str(actor),
        occurred_at=at,
    )
    facts = {"reason": reason} if reason else {}
    facts |= {name: str(value) for name, value in columns.items() if value}
    audit.record(f"kyc.{step.name.lower()}", subject=case, actor=actor, at=at, **facts)
    if event := _EVENT_OF_STEP.get(step):
        events.record(event, subject=case, at=at, entity=str(case.entity_id))
    return case
