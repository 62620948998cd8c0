from datetime import timedelta

import pytest

from issuer.foundation import clock
from issuer.kyc import tasks
from issuer.kyc.states import CaseState
from tests.make import kyc as make

pytestmark = pytest.mark.django_db


class TestExpireCases:
    def test_expires_what_is_over_and_notes_what_soon_will_be(self) -> None:
        today = clock.now().date()
        over = make.case(state=CaseState.APPROVED, valid_until=today - timedelta(days=1))
        soon = make.case(state=CaseState.APPROVED, valid_until=today + timedelta(days=30))
        later = make.case(state=CaseState.APPROVED, valid_until=today + timedelta(days=90))

        tasks.expire_cases()
        tasks.expire_cases()

        states = []
        for case in (over, soon, later):
            case.refresh_from_db()
            states.append(case.state)
        assert states == [CaseState.EXPIRED, CaseState.RENEWAL_DUE, CaseState.APPROVED]
        assert over.transitions.get().actor == "SYSTEM:kyc.expire_cases"
