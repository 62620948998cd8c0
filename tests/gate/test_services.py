from datetime import datetime
from itertools import product
from typing import Final

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from issuer.audit.models import AuditEvent
from issuer.events.models import Event
from issuer.foundation.actors import system
from issuer.foundation.identifiers import uuid7
from issuer.gate import errors, services
from issuer.gate.models import Cause, GateState, Hold, Resumption, Scope, ScopeKind
from issuer.gate.selectors import ScopeKey
from issuer.people.roles import Role
from tests.make import gate as make
from tests.make import instruments, people

pytestmark = pytest.mark.django_db

ACTOR: Final = system("tests")
TOKEN: Final = uuid7()
PROGRAM: Final = uuid7()
RUN: Final = uuid7()
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
        facts = {
            "scope": "TOKEN",
            "scope_id": str(TOKEN),
            "scope_name": str(TOKEN),
            "effect": "REDEEM_ONLY",
            "reason": "The statement is 30 hours old.",
        }
        event = AuditEvent.objects.get()
        assert event.action == "gate.place_hold"
        assert event.facts == {**facts, "cause": "STALE_SOURCE"}
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
            "scope": "TOKEN",
            "scope_id": str(TOKEN),
            "scope_name": str(TOKEN),
            "state": "HALTED",
            "since": "2026-11-01T00:00:00.000000Z",
            "reason": "The books and the chain differ.",
        }

    def test_calls_the_gate_by_its_name(self) -> None:
        token = instruments.token()
        make.hold(ScopeKind.TOKEN, token.pk)

        with pytest.raises(errors.GateClosed) as refusal:
            services.require_open(scopes=[(ScopeKind.TOKEN, token.pk)])

        assert refusal.value.facts["scope_name"] == token.symbol
        assert refusal.value.detail == (
            f"Token {token.symbol}: halted since 2026-11-01T00:00:00.000000Z. "
            "The books and the chain differ."
        )

    def test_does_not_mind_the_gates_of_others(self) -> None:
        make.hold(ScopeKind.TOKEN, uuid7())
        make.hold(ScopeKind.NETWORK, TOKEN)  # the same id, but of another kind

        services.require_open(scopes=SCOPES)


class TestRequireRedeemable:
    def test_passes_where_only_minting_stands_still(self) -> None:
        make.hold(ScopeKind.TOKEN, TOKEN, effect=GateState.REDEEM_ONLY)

        services.require_redeemable(scopes=SCOPES)

    def test_refuses_what_is_halted_and_names_the_hold_that_halts(self) -> None:
        make.hold(ScopeKind.TOKEN, TOKEN, effect=GateState.REDEEM_ONLY)
        make.hold(ScopeKind.PROGRAM, PROGRAM, effect=GateState.HALTED)

        with pytest.raises(errors.GateClosed) as refusal:
            services.require_redeemable(scopes=SCOPES)

        assert (refusal.value.facts["scope"], refusal.value.facts["state"]) == ("PROGRAM", "HALTED")


class TestPlaceHolds:
    def test_takes_as_many_statements_for_many_as_for_two(self, at: datetime) -> None:
        counts = []
        for number in (2, 40):
            new = [
                services.NewHold(
                    ScopeKind.TOKEN, uuid7(), GateState.HALTED, Cause.BREAK, "A break.", uuid7()
                )
                for _ in range(number)
            ]
            with CaptureQueriesContext(connection) as queries:
                holds = services.place_holds(new, actor=ACTOR, at=at)
            assert len(holds) == number
            with CaptureQueriesContext(connection) as more:
                references = [one.reference for one in new if one.reference]
                services.release_holds(references, cause=Cause.BREAK, actor=ACTOR, at=at)
            counts.append((len(queries), len(more)))

        assert counts[0] == counts[1]
        assert Event.objects.filter(type="gate.hold_placed").count() == 42
        assert AuditEvent.objects.filter(action="gate.release_hold").count() == 42


AUTOMATIC: Final = [Cause.BREAK, Cause.STALE_SOURCE, Cause.WINDOW]


class TestReleaseHolds:
    @pytest.mark.parametrize(
        ("released", "kept"), [pair for pair in product(AUTOMATIC, Cause) if pair[0] != pair[1]]
    )
    def test_of_one_cause_never_lifts_anothers(
        self, released: Cause, kept: Cause, at: datetime
    ) -> None:
        reference = uuid7()
        make.hold(ScopeKind.TOKEN, TOKEN, cause=released, reference=reference)
        other = make.hold(ScopeKind.TOKEN, TOKEN, cause=kept, reference=reference)

        ended = services.release_holds([reference], cause=released, actor=ACTOR, at=at)

        assert [hold.cause for hold in ended] == [released]
        assert Hold.objects.get(released_at=None) == other
        with pytest.raises(errors.GateClosed):
            services.require_open(scopes=SCOPES)

    def test_leaves_what_refers_to_something_else(self, at: datetime) -> None:
        kept = make.hold(ScopeKind.TOKEN, TOKEN, reference=uuid7())

        assert services.release_holds([uuid7()], cause=Cause.BREAK, actor=ACTOR, at=at) == []
        assert services.release_holds([], cause=Cause.BREAK, actor=ACTOR, at=at) == []

        assert Hold.objects.get(released_at=None) == kept


class TestResume:
    def resume(self, scope: Scope, at: datetime, reconciled: datetime | None = None) -> Resumption:
        return services.resume(
            scope,
            run_id=RUN,
            reconciled_as_of=reconciled or at,
            explanation="The difference was explained.",
            proposal=make.agreed(scope),
            actor=ACTOR,
            at=at,
        )

    @pytest.mark.parametrize("ended", [Cause.PERSON, Cause.BREAK])
    @pytest.mark.parametrize("kept", [Cause.STALE_SOURCE, Cause.WINDOW])
    def test_ends_persons_and_breaks_holds_and_no_others(
        self, ended: Cause, kept: Cause, at: datetime
    ) -> None:
        hold = make.hold(ScopeKind.TOKEN, TOKEN, cause=ended)
        other = make.hold(ScopeKind.TOKEN, TOKEN, cause=kept)
        elsewhere = make.hold(ScopeKind.PROGRAM, PROGRAM, cause=ended)

        resumption = self.resume(hold.scope, at)

        hold.refresh_from_db()
        assert (hold.resumption, hold.released_at) == (resumption, at)
        assert list(Hold.objects.filter(released_at=None).order_by("pk")) == [other, elsewhere]
        assert resumption.proposed_by != resumption.confirmed_by
        told = Event.objects.get(type="gate.resumed")
        assert told.data == {
            "scope": "TOKEN",
            "scope_id": str(TOKEN),
            "scope_name": str(TOKEN),
            "state": "HALTED",
            "explanation": "The difference was explained.",
        }
        assert AuditEvent.objects.get(action="gate.resume").facts["run"] == str(RUN)

    def test_refuses_what_only_its_own_cause_ends(self, at: datetime) -> None:
        hold = make.hold(ScopeKind.TOKEN, TOKEN, cause=Cause.WINDOW)

        with pytest.raises(errors.NothingToResume):
            self.resume(hold.scope, at)

        assert not Resumption.objects.exists()

    def test_refuses_when_a_hold_is_not_older_than_the_reconciliation(self, at: datetime) -> None:
        hold = make.hold(ScopeKind.TOKEN, TOKEN)

        with pytest.raises(errors.HoldPlacedSince) as refusal:
            self.resume(hold.scope, at, reconciled=hold.placed_at)

        assert refusal.value.facts == {"placed_at": "2026-11-01T00:00:00.000000Z"}
        assert not Resumption.objects.exists()


@pytest.mark.django_db(transaction=True)
class TestRequireOpenOutsideATransaction:
    def test_is_a_mistake_of_the_programmer(self) -> None:
        with pytest.raises(RuntimeError):
            services.require_open(scopes=SCOPES)
