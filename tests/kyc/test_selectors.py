from datetime import date, datetime, timedelta

import pytest

from issuer.kyc import errors, selectors
from issuer.kyc.states import CLEARED_STATES, CaseState
from tests.make import kyc as make
from tests.make import parties

pytestmark = pytest.mark.django_db


class TestRequireCleared:
    @pytest.mark.parametrize("state", sorted(CLEARED_STATES))
    def test_passes_through_the_last_day(self, state: CaseState, at: datetime) -> None:
        case = make.case(state=state, valid_until=at.date())

        assert selectors.require_cleared(case.entity, at) == case

    def test_refuses_on_the_day_after_though_the_state_does_not_say_so(self, at: datetime) -> None:
        case = make.cleared(parties.legal_entity(), valid_until=at.date())

        with pytest.raises(errors.KycNotCleared) as refusal:
            selectors.require_cleared(case.entity, at + timedelta(days=1))

        assert refusal.value.facts == {"state": "APPROVED", "valid_until": "2026-11-20"}

    @pytest.mark.parametrize("state", sorted(set(CaseState) - CLEARED_STATES))
    def test_refuses_every_other_state(self, state: CaseState, at: datetime) -> None:
        case = make.case(state=state)

        with pytest.raises(errors.KycNotCleared) as refusal:
            selectors.require_cleared(case.entity, at)

        assert refusal.value.facts["state"] == state

    def test_refuses_an_entity_without_a_case(self, at: datetime) -> None:
        with pytest.raises(errors.KycNotCleared) as refusal:
            selectors.require_cleared(parties.legal_entity(), at)

        assert refusal.value.facts == {"state": "NONE", "valid_until": ""}


class TestWaitingForCompliance:
    def test_are_those_that_an_officer_must_take_further(self) -> None:
        waiting = [
            make.case(state=state)
            for state in (CaseState.NEW, CaseState.REVIEW, CaseState.RENEWAL_DUE)
        ]
        for state in set(CaseState) - {case.state for case in waiting}:
            make.case(state=CaseState(state))

        assert list(selectors.waiting_for_compliance()) == waiting


class TestCaseOf:
    def test_is_none_where_none_was_opened(self) -> None:
        assert selectors.case_of(parties.legal_entity()) is None


class TestRenewalsDue:
    def test_leave_out_what_is_noted_already(self, at: datetime) -> None:
        make.case(state=CaseState.RENEWAL_DUE, valid_until=date(2026, 11, 30))

        assert not selectors.renewals_due(at).exists()
