"""What PostgreSQL refuses, past all Python."""

from collections.abc import Callable

import pytest

from issuer.foundation.identifiers import uuid7
from issuer.gate.models import Cause, Hold, Resumption, Scope, ScopeKind
from tests.make import gate as make
from tests.make import people
from tests.violations import refused_by

pytestmark = pytest.mark.django_db


def invalid_hold(**columns: str) -> None:
    scope = make.hold(ScopeKind.TOKEN, uuid7()).scope
    valid = {"effect": "HALTED", "cause": "BREAK", "reason": "A break.", "placed_by": "SYSTEM:x"}
    Hold.objects.bulk_create([Hold(scope=scope, placed_at=make.BEFORE, **valid | columns)])


def invent_a_kind_of_gate() -> None:
    Scope.objects.filter(pk=make.hold(ScopeKind.TOKEN, uuid7()).scope_id).update(kind="MOON")


def have_two_gates_for_one_token() -> None:
    one, other = make.hold(ScopeKind.TOKEN, uuid7()), make.hold(ScopeKind.TOKEN, uuid7())
    Scope.objects.filter(pk=one.scope_id).update(subject_id=other.scope.subject_id)


def hold_a_gate_open() -> None:
    invalid_hold(effect="OPEN")


def invent_a_cause() -> None:
    invalid_hold(cause="MOOD")


def hold_without_a_reason() -> None:
    invalid_hold(reason="")


def release_without_a_time() -> None:
    Hold.objects.filter(pk=make.hold(ScopeKind.TOKEN, uuid7()).pk).update(released_by="SYSTEM:x")


def release_without_an_author() -> None:
    hold = make.hold(ScopeKind.TOKEN, uuid7())
    Hold.objects.filter(pk=hold.pk).update(released_at=make.BEFORE)


def change_what_a_hold_does() -> None:
    hold = make.hold(ScopeKind.TOKEN, uuid7())
    Hold.objects.filter(pk=hold.pk).update(effect="REDEEM_ONLY")


def take_a_release_back() -> None:
    hold = make.hold(ScopeKind.TOKEN, uuid7())
    Hold.objects.filter(pk=hold.pk).update(released_at=make.BEFORE, released_by="SYSTEM:x")
    Hold.objects.filter(pk=hold.pk).update(released_at=None, released_by="")


def delete_a_hold() -> None:
    Hold.objects.filter(pk=make.hold(ScopeKind.TOKEN, uuid7()).pk).delete()


def release_a_persons_hold_alone() -> None:
    hold = make.hold(ScopeKind.TOKEN, uuid7(), cause=Cause.PERSON)
    Hold.objects.filter(pk=hold.pk).update(released_at=make.BEFORE, released_by="STAFF:x")


def resume_past_a_window() -> None:
    end_by_resumption(make.hold(ScopeKind.TOKEN, uuid7(), cause=Cause.WINDOW))


def resume_past_a_stale_source() -> None:
    end_by_resumption(make.hold(ScopeKind.TOKEN, uuid7(), cause=Cause.STALE_SOURCE))


def resume_a_hold_that_stays_in_force() -> None:
    hold = make.hold(ScopeKind.TOKEN, uuid7())
    Hold.objects.filter(pk=hold.pk).update(resumption=make.resumption(hold.scope))


def resume_under_another_gate() -> None:
    hold, other = make.hold(ScopeKind.TOKEN, uuid7()), make.hold(ScopeKind.TOKEN, uuid7())
    end_by_resumption(hold, make.resumption(other.scope))


def resume_a_hold_that_no_reconciliation_followed() -> None:
    hold = make.hold(ScopeKind.TOKEN, uuid7())
    end_by_resumption(hold, make.resumption(hold.scope, reconciled_as_of=hold.placed_at))


def hold_twice_for_one_break() -> None:
    reference = uuid7()
    hold = make.hold(ScopeKind.TOKEN, uuid7(), reference=reference)
    make.hold(ScopeKind.TOKEN, hold.scope.subject_id, reference=reference)


def resume_alone() -> None:
    one = people.person()
    scope = make.hold(ScopeKind.TOKEN, uuid7()).scope
    make.resumption(scope, proposed_by=one, confirmed_by=one)


def resume_without_a_word() -> None:
    make.resumption(make.hold(ScopeKind.TOKEN, uuid7()).scope, explanation="")


def resume_before_it_was_reconciled() -> None:
    make.resumption(make.hold(ScopeKind.TOKEN, uuid7()).scope, resumed_at=make.BEFORE)


def rewrite_a_resumption() -> None:
    row = make.resumption(make.hold(ScopeKind.TOKEN, uuid7()).scope)
    Resumption.objects.filter(pk=row.pk).update(explanation="Nothing was wrong.")


def end_by_resumption(hold: Hold, resumption: Resumption | None = None) -> None:
    resumption = resumption or make.resumption(hold.scope)
    Hold.objects.filter(pk=hold.pk).update(
        resumption=resumption, released_at=resumption.resumed_at, released_by="STAFF:x"
    )


@pytest.mark.parametrize(
    ("violate", "constraint"),
    [
        (invent_a_kind_of_gate, "gate_scope_kind_known"),
        (have_two_gates_for_one_token, "gate_scope_once"),
        (hold_a_gate_open, "hold_shuts_something"),
        (invent_a_cause, "hold_cause_known"),
        (hold_without_a_reason, "hold_says_why"),
        (release_without_a_time, "hold_release_has_time_and_author"),
        (release_without_an_author, "hold_release_has_time_and_author"),
        (change_what_a_hold_does, "hold_is_only_released"),
        (take_a_release_back, "hold_is_only_released"),
        (delete_a_hold, "hold_is_only_released"),
        (release_a_persons_hold_alone, "hold_of_a_person_ends_by_resumption"),
        (resume_past_a_window, "hold_resumed_is_of_a_person_or_a_break_and_over"),
        (resume_past_a_stale_source, "hold_resumed_is_of_a_person_or_a_break_and_over"),
        (resume_a_hold_that_stays_in_force, "hold_resumed_is_of_a_person_or_a_break_and_over"),
        (resume_under_another_gate, "hold_is_resumed_after_it_was_reconciled"),
        (resume_a_hold_that_no_reconciliation_followed, "hold_is_resumed_after_it_was_reconciled"),
        (hold_twice_for_one_break, "hold_in_force_once_per_cause_and_reference"),
        (resume_alone, "resumption_takes_two_persons"),
        (resume_without_a_word, "resumption_says_why"),
        (resume_before_it_was_reconciled, "resumption_follows_what_was_reconciled"),
        (rewrite_a_resumption, "gate_resumption_append_only"),
    ],
)
def test_postgresql_refuses_to(violate: Callable[[], None], constraint: str) -> None:
    with refused_by(constraint):
        violate()


class TestStr:
    def test_tells_people_what_a_row_is(self) -> None:
        hold = make.hold(ScopeKind.TOKEN, uuid7())

        assert str(hold) == "Halted: The books and the chain differ."
        assert str(hold.scope) == f"Token {hold.scope.subject_id}"
        told = str(make.resumption(hold.scope))
        assert told == f"{hold.scope} resumed: The difference was explained."
