from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any, Final

import pytest

from issuer.approvals.errors import PersonRequired
from issuer.audit.models import AuditEvent
from issuer.events.models import Event
from issuer.foundation.actors import Actor, system
from issuer.foundation.errors import IllegalTransition
from issuer.kyc import errors, services
from issuer.kyc.models import Case, CaseTransition, DataKey, RiskRating
from issuer.kyc.states import CLEARED_STATES, FINAL_STATES, CaseState, CaseStep
from issuer.people.roles import Role
from tests.make import kyc as make
from tests.make import parties, people

pytestmark = pytest.mark.django_db

ACTOR: Final = system("tests")
YEAR_AHEAD: Final = date(2027, 11, 20)


@pytest.fixture
def officer() -> Actor:
    return people.staff_actor(Role.COMPLIANCE_OFFICER)


def case_in(state: CaseState) -> Case:
    case = make.case(state=state)
    if state in {CaseState.IN_PROGRESS, CaseState.RETRY}:
        make.evidence(case)
    return case


Step = Callable[..., Any]
#: Each step of the life of a case, as a caller takes it.
STEPS: Final[dict[CaseStep, Step]] = {
    CaseStep.START: services.start,
    CaseStep.SUBMIT: services.submit,
    CaseStep.ASK_FOR_MORE: lambda pk, **who: services.ask_for_more(pk, reason="Blurred.", **who),
    CaseStep.APPROVE: lambda pk, **who: services.approve(
        pk, valid_until=YEAR_AHEAD, risk_rating=RiskRating.HIGH, **who
    ),
    CaseStep.REJECT: lambda pk, **who: services.reject(pk, reason="Sanctioned.", **who),
    CaseStep.SUSPEND: lambda pk, **who: services.suspend(pk, reason="Adverse news.", **who),
    CaseStep.RENEW: services.renew,
    CaseStep.OFFBOARD: lambda pk, **who: services.offboard(pk, reason="They left.", **who),
}
EVENTS: Final = {
    CaseStep.ASK_FOR_MORE: "kyc.evidence_asked_for",
    CaseStep.APPROVE: "kyc.approved",
    CaseStep.REJECT: "kyc.rejected",
    CaseStep.SUSPEND: "kyc.suspended",
    CaseStep.RENEW: "kyc.renewal_started",
    CaseStep.OFFBOARD: "kyc.offboarded",
}


class TestEveryStep:
    @pytest.mark.parametrize(
        ("step", "origin"),
        [
            pytest.param(step, origin, id=f"{step.name} from {origin}")
            for step in STEPS
            for origin in sorted(step.value.origins)
        ],
    )
    def test_leads_from_each_of_its_origins_and_leaves_a_trail(
        self, step: CaseStep, origin: CaseState, officer: Actor, at: datetime
    ) -> None:
        case = case_in(origin)

        STEPS[step](case.pk, actor=officer, at=at)

        case.refresh_from_db()
        assert case.state == step.value.destination
        transition = CaseTransition.objects.get()
        assert (transition.step, transition.origin) == (step.name, origin)
        assert (transition.destination, transition.occurred_at) == (step.value.destination, at)
        assert transition.actor == str(officer)
        audited = AuditEvent.objects.get(action=f"kyc.{step.name.lower()}")
        assert (audited.subject_id, audited.person_id) == (case.pk, officer.person)
        told = list(Event.objects.values_list("type", flat=True))
        assert told == ([EVENTS[step]] if step in EVENTS else [])

    @pytest.mark.parametrize(
        ("step", "origin"),
        [
            pytest.param(step, origin, id=f"{step.name} from {origin}")
            for step in STEPS
            for origin in sorted(frozenset(CaseState) - step.value.origins)
        ],
    )
    def test_is_refused_from_any_other_state_and_writes_nothing(
        self, step: CaseStep, origin: CaseState, officer: Actor, at: datetime
    ) -> None:
        case = case_in(origin)
        make.evidence(case)
        before = Case.objects.filter(pk=case.pk).values().get()

        with pytest.raises(IllegalTransition):
            STEPS[step](case.pk, actor=officer, at=at)

        assert Case.objects.filter(pk=case.pk).values().get() == before
        assert not CaseTransition.objects.exists()
        assert not AuditEvent.objects.filter(action__startswith="kyc.").exists()
        assert not Event.objects.exists()

    def test_is_one_that_a_person_takes_or_the_clock(self) -> None:
        assert set(CaseStep) - set(STEPS) == {CaseStep.EXPIRE, CaseStep.NOTE_RENEWAL_DUE}

    def test_leaves_the_rejected_and_the_offboarded_alone(self) -> None:
        assert {CaseState.REJECTED_FINAL, CaseState.OFFBOARDED} == FINAL_STATES


class TestOpenCase:
    def test_opens_a_new_case_with_a_key_of_its_own(self, at: datetime) -> None:
        entity = parties.legal_entity()

        case = services.open_case(entity=entity, actor=ACTOR, at=at)

        case.refresh_from_db()
        assert (case.state, case.opened_at) == (CaseState.NEW, at)
        key = DataKey.objects.get(entity=entity)
        assert key.wrapped_key is not None
        assert len(key.wrapped_key) == 12 + 32 + 16  # nonce, key, tag
        assert AuditEvent.objects.get().facts == {"entity": str(entity.pk)}

    def test_refuses_a_second_case(self, at: datetime) -> None:
        case = make.case()

        with pytest.raises(errors.CaseOpen):
            services.open_case(entity=case.entity, actor=ACTOR, at=at)

        assert Case.objects.get() == case
        assert not AuditEvent.objects.exists()


class TestSubmit:
    def test_refuses_a_case_without_evidence(self, at: datetime) -> None:
        case = make.case(state=CaseState.IN_PROGRESS)

        with pytest.raises(errors.EvidenceMissing):
            services.submit(case.pk, actor=ACTOR, at=at)

        case.refresh_from_db()
        assert case.state == CaseState.IN_PROGRESS


class TestApprove:
    def test_says_who_reviewed_and_until_when(self, officer: Actor, at: datetime) -> None:
        case = make.case(state=CaseState.REVIEW)

        services.approve(
            case.pk, valid_until=YEAR_AHEAD, risk_rating=RiskRating.HIGH, actor=officer, at=at
        )

        case.refresh_from_db()
        assert (case.valid_until, case.risk_rating) == (YEAR_AHEAD, RiskRating.HIGH)
        assert case.reviewer_id == officer.person
        audited = AuditEvent.objects.get(action="kyc.approve")
        assert audited.facts == {
            "valid_until": "2027-11-20",
            "risk_rating": "HIGH",
            "reviewer_id": str(officer.person),
        }

    @pytest.mark.parametrize(
        ("valid_until", "risk_rating"),
        [
            pytest.param(date(2026, 11, 20), RiskRating.LOW, id="today"),
            pytest.param(date(2026, 11, 19), RiskRating.LOW, id="past"),
            pytest.param(date(2027, 11, 22), RiskRating.HIGH, id="beyond 12 months"),
            pytest.param(date(2028, 11, 21), RiskRating.MEDIUM, id="beyond 24 months"),
            pytest.param(date(2029, 11, 21), RiskRating.LOW, id="beyond 36 months"),
        ],
    )
    def test_refuses_a_day_past_or_beyond_the_review_cycle(
        self, valid_until: date, risk_rating: RiskRating, officer: Actor, at: datetime
    ) -> None:
        case = make.case(state=CaseState.REVIEW)

        with pytest.raises(errors.ValidityRefused):
            services.approve(
                case.pk, valid_until=valid_until, risk_rating=risk_rating, actor=officer, at=at
            )

        case.refresh_from_db()
        assert (case.state, case.valid_until) == (CaseState.REVIEW, None)

    def test_refuses_an_actor_who_is_no_person(self, at: datetime) -> None:
        case = make.case(state=CaseState.REVIEW)

        with pytest.raises(PersonRequired):
            services.approve(
                case.pk, valid_until=YEAR_AHEAD, risk_rating=RiskRating.LOW, actor=ACTOR, at=at
            )

        case.refresh_from_db()
        assert case.state == CaseState.REVIEW


class TestReasons:
    @pytest.mark.parametrize(
        ("take", "origin", "reason"),
        [
            (STEPS[CaseStep.ASK_FOR_MORE], CaseState.REVIEW, "Blurred."),
            (STEPS[CaseStep.REJECT], CaseState.REVIEW, "Sanctioned."),
            (STEPS[CaseStep.SUSPEND], CaseState.APPROVED, "Adverse news."),
            (STEPS[CaseStep.OFFBOARD], CaseState.APPROVED, "They left."),
        ],
    )
    def test_stand_in_the_case_and_in_the_trail(
        self, take: Step, origin: CaseState, reason: str, at: datetime
    ) -> None:
        case = make.case(state=origin)

        take(case.pk, actor=ACTOR, at=at)

        case.refresh_from_db()
        assert case.reason == reason
        assert AuditEvent.objects.get(action__startswith="kyc.").facts == {"reason": reason}

    def test_are_gone_with_the_next_step(self, at: datetime) -> None:
        case = make.case(state=CaseState.SUSPENDED)

        services.renew(case.pk, actor=ACTOR, at=at)

        case.refresh_from_db()
        assert (case.reason, case.valid_until, case.risk_rating) == ("", None, "")
        assert case.reviewer is None


class TestExpireDue:
    @pytest.mark.parametrize("state", sorted(CLEARED_STATES))
    def test_expires_an_approval_on_the_day_after_its_last(
        self, state: CaseState, at: datetime
    ) -> None:
        case = make.case(state=state, valid_until=at.date())
        assert services.expire_due(actor=ACTOR, at=at) == []

        assert services.expire_due(actor=ACTOR, at=at + timedelta(days=1)) == [case]

        case.refresh_from_db()
        assert (case.state, case.valid_until) == (CaseState.EXPIRED, at.date())
        assert CaseTransition.objects.get().step == "EXPIRE"
        assert Event.objects.get().type == "kyc.expired"

    def test_does_nothing_twice(self, at: datetime) -> None:
        make.case(state=CaseState.APPROVED, valid_until=date(2026, 11, 19))
        services.expire_due(actor=ACTOR, at=at)

        assert services.expire_due(actor=ACTOR, at=at) == []


class TestNoteRenewalsDue:
    @pytest.mark.parametrize(
        ("valid_until", "due"),
        [
            pytest.param(date(2027, 1, 19), True, id="60 days ahead"),
            pytest.param(date(2027, 1, 20), False, id="61 days ahead"),
            pytest.param(date(2026, 11, 20), True, id="today"),
            pytest.param(date(2026, 11, 19), False, id="past, which expires instead"),
        ],
    )
    def test_notes_those_that_end_within_60_days(
        self, valid_until: date, due: bool, at: datetime
    ) -> None:
        case = make.case(state=CaseState.APPROVED, valid_until=valid_until)

        noted = services.note_renewals_due(actor=ACTOR, at=at)

        assert noted == ([case] if due else [])
        case.refresh_from_db()
        assert case.state == (CaseState.RENEWAL_DUE if due else CaseState.APPROVED)
