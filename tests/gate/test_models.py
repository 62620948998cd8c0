"""What PostgreSQL refuses, past all Python."""

from collections.abc import Callable

import pytest

from issuer.foundation.identifiers import uuid7
from issuer.gate.models import Hold, Scope, ScopeKind
from tests.make import gate as make
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
