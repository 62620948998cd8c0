"""Whatever is tried with a case, in whatever order and at whatever pace."""

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import pairwise
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from issuer.foundation.errors import DomainError
from issuer.kyc import selectors, services
from issuer.kyc.models import RiskRating
from issuer.kyc.states import CLEARED_STATES, FINAL_STATES, CaseState, CaseStep
from issuer.people.roles import Role
from tests.make import kyc as make
from tests.make import people

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def approve(case_id: Any, *, actor: Any, at: datetime) -> None:
    services.approve(
        case_id,
        valid_until=(at + timedelta(days=90)).date(),
        risk_rating=RiskRating.HIGH,
        actor=actor,
        at=at,
    )


def add_evidence(case_id: Any, *, actor: Any, at: datetime) -> None:
    services.add_evidence(
        case_id,
        kind="other",
        media_type="application/pdf",
        content=make.PDF + at.isoformat().encode(),
        actor=actor,
        at=at,
    )


def expire(_case_id: Any, *, actor: Any, at: datetime) -> None:
    services.expire_due(actor=actor, at=at)


def note_renewals(_case_id: Any, *, actor: Any, at: datetime) -> None:
    services.note_renewals_due(actor=actor, at=at)


ACTS: list[Callable[..., Any]] = [
    services.start,
    add_evidence,
    services.submit,
    partial(services.ask_for_more, reason="Blurred."),
    approve,
    partial(services.reject, reason="Sanctioned."),
    partial(services.suspend, reason="Adverse news."),
    services.renew,
    partial(services.offboard, reason="They left."),
    expire,
    note_renewals,
]
#: Most cases are approved at some time; without this beginning few examples would get there.
APPROVAL: list[Callable[..., Any]] = [services.start, add_evidence, services.submit, approve]


class TestLifeCycle(TestCase):
    @settings(deadline=None)
    @given(
        beginning=st.sampled_from([[], APPROVAL]),
        acts=st.lists(st.sampled_from(ACTS), max_size=12),
        pace_days=st.sampled_from([1, 20, 60]),
    )
    def test_is_an_unbroken_chain_of_steps_that_ends_in_the_current_state(
        self,
        beginning: list[Callable[..., Any]],
        acts: list[Callable[..., Any]],
        pace_days: int,
    ) -> None:
        case = make.case()
        officer = people.staff_actor(Role.COMPLIANCE_OFFICER)
        at = NOON

        for act in [*beginning, *acts]:
            at += timedelta(days=pace_days)
            with suppress(DomainError):
                act(case.pk, actor=officer, at=at)

        case.refresh_from_db()
        history = list(case.transitions.order_by("pk"))
        assert [t.origin for t in history[:1]] in ([], ["NEW"])
        assert all(one.destination == next_.origin for one, next_ in pairwise(history))
        assert case.state == (history[-1].destination if history else "NEW")
        for transition in history:
            step = CaseStep[transition.step].value
            assert transition.origin in step.origins
            assert transition.destination == step.destination
        assert not any(transition.origin in FINAL_STATES for transition in history)
        self.assert_cleared_only_if_it_says_so(case, at)

    def assert_cleared_only_if_it_says_so(self, case: Any, at: datetime) -> None:
        cleared = False
        with suppress(DomainError):
            selectors.require_cleared(case.entity, at)
            cleared = True
        in_time = case.valid_until is not None and case.valid_until >= at.date()
        assert cleared == (CaseState(case.state) in CLEARED_STATES and in_time)
