from datetime import datetime
from typing import Final

import pytest

from issuer.audit.models import AuditEvent
from issuer.events.models import Event
from issuer.foundation.actors import system
from issuer.foundation.identifiers import uuid7
from issuer.gate import errors, services
from issuer.gate.models import Cause, GateState, Hold, Scope, ScopeKind
from issuer.gate.selectors import ScopeKey
from issuer.people.roles import Role
from tests.make import gate as make
from tests.make import people

pytestmark = pytest.mark.django_db

ACTOR: Final = system("tests")
TOKEN: Final = uuid7()
PROGRAM: Final = uuid7()
SCOPES: Final[list[ScopeKey]] = [(ScopeKind.PROGRAM, PROGRAM), (ScopeKind.TOKEN, TOKEN)]


class TestPlaceHold:
    def test_shuts_the_gate_and_says_why(self, at: datetime) -> None:
        reference = uuid7()

        hold = services.place_hold(
            kind=ScopeKind.TOKEN,
            subject_id=TOKEN,
            effect=GateState.REDEEM_ONLY,
            cause=Cause.STALE_SOURCE,
            reason="The statement is 30 hours old.",
            reference=reference,
            actor=ACTOR,
            at=at,
        )

        hold.refresh_from_db()
        assert (hold.scope.kind, hold.scope.subject_id) == ("TOKEN", TOKEN)
        assert (hold.effect, hold.cause, hold.reference) == (
            "REDEEM_ONLY",
            "STALE_SOURCE",
            reference,
        )
        assert (hold.placed_by, hold.placed_at, hold.released_at) == ("SYSTEM:tests", at, None)
        facts = {"scope": "TOKEN", "scope_id": str(TOKEN), "effect": "REDEEM_ONLY"}
        event = AuditEvent.objects.get()
        assert event.action == "gate.place_hold"
        assert event.facts == {
            **facts,
            "cause": "STALE_SOURCE",
            "reason": "The statement is 30 hours old.",
        }
        told = Event.objects.get()
        assert (told.type, told.data) == ("gate.hold_placed", facts)

    def test_uses_the_gate_that_is_there(self, at: datetime) -> None:
        earlier = make.hold(ScopeKind.TOKEN, TOKEN)

        hold = services.place_hold(
            kind=ScopeKind.TOKEN,
            subject_id=TOKEN,
            effect=GateState.HALTED,
            cause=Cause.PERSON,
            reason="A key was lost.",
            actor=ACTOR,
            at=at,
        )

        assert hold.scope == earlier.scope
        assert Scope.objects.count() == 1


class TestReleaseHold:
    def test_opens_the_gate(self, at: datetime) -> None:
        hold = make.hold(ScopeKind.TOKEN, TOKEN)

        services.release_hold(hold.pk, actor=ACTOR, at=at)

        hold.refresh_from_db()
        assert (hold.released_by, hold.released_at) == ("SYSTEM:tests", at)
        assert AuditEvent.objects.get().action == "gate.release_hold"
        assert Event.objects.get().type == "gate.hold_released"
        services.require_open(scopes=SCOPES)

    def test_leaves_the_holds_of_other_causes_in_force(self, at: datetime) -> None:
        stale = make.hold(ScopeKind.TOKEN, TOKEN, cause=Cause.STALE_SOURCE)
        kept = make.hold(ScopeKind.TOKEN, TOKEN, cause=Cause.BREAK)

        services.release_hold(stale.pk, actor=ACTOR, at=at)

        assert Hold.objects.get(released_at=None) == kept
        with pytest.raises(errors.GateClosed):
            services.require_open(scopes=SCOPES)

    def test_leaves_the_other_hold_of_the_same_cause_in_force(self, at: datetime) -> None:
        one = make.hold(ScopeKind.TOKEN, TOKEN, cause=Cause.BREAK, reference=uuid7())
        kept = make.hold(ScopeKind.TOKEN, TOKEN, cause=Cause.BREAK, reference=uuid7())

        services.release_hold(one.pk, actor=ACTOR, at=at)

        assert Hold.objects.get(released_at=None) == kept

    def test_refuses_the_hold_of_a_person(self, at: datetime) -> None:
        hold = make.hold(ScopeKind.TOKEN, TOKEN, cause=Cause.PERSON)

        with pytest.raises(errors.ReleaseTakesTwo):
            services.release_hold(hold.pk, actor=people.staff_actor(Role.APPROVER), at=at)

        hold.refresh_from_db()
        assert hold.released_at is None
        assert not AuditEvent.objects.filter(action__startswith="gate.").exists()

    def test_refuses_a_second_time(self, at: datetime) -> None:
        hold = make.hold(ScopeKind.TOKEN, TOKEN)
        services.release_hold(hold.pk, actor=ACTOR, at=at)

        with pytest.raises(errors.HoldReleased) as refusal:
            services.release_hold(hold.pk, actor=ACTOR, at=at)

        assert refusal.value.facts == {"released_at": "2026-11-20T15:00:00.000000Z"}
        assert AuditEvent.objects.count() == 1


class TestRequireOpen:
    def test_passes_where_nothing_was_ever_held(self) -> None:
        services.require_open(scopes=SCOPES)

        assert Scope.objects.count() == 2

    def test_refuses_by_the_tightest_hold_and_tells_it(self, at: datetime) -> None:
        make.hold(ScopeKind.PROGRAM, PROGRAM, effect=GateState.REDEEM_ONLY)
        make.hold(ScopeKind.TOKEN, TOKEN, effect=GateState.HALTED)

        with pytest.raises(errors.GateClosed) as refusal:
            services.require_open(scopes=SCOPES)

        assert refusal.value.facts == {
            "scope": f"TOKEN:{TOKEN}",
            "state": "HALTED",
            "since": "2026-11-01T00:00:00.000000Z",
            "reason": "The books and the chain differ.",
        }

    def test_does_not_mind_the_gates_of_others(self) -> None:
        make.hold(ScopeKind.TOKEN, uuid7())
        make.hold(ScopeKind.NETWORK, TOKEN)  # the same id, but of another kind

        services.require_open(scopes=SCOPES)


@pytest.mark.django_db(transaction=True)
class TestRequireOpenOutsideATransaction:
    def test_is_a_mistake_of_the_programmer(self) -> None:
        with pytest.raises(RuntimeError):
            services.require_open(scopes=SCOPES)
