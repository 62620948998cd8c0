from datetime import datetime

import pytest

from issuer.foundation.actors import system
from issuer.foundation.identifiers import uuid7
from issuer.gate import selectors, services
from issuer.gate.models import GateState, ScopeKind
from tests.make import gate as make

pytestmark = pytest.mark.django_db


class TestStateOf:
    def test_is_open_where_nothing_is_held(self) -> None:
        assert selectors.state_of([(ScopeKind.TOKEN, uuid7())]) == GateState.OPEN

    def test_is_that_of_the_tightest_hold(self) -> None:
        token, program = uuid7(), uuid7()
        make.hold(ScopeKind.TOKEN, token, effect=GateState.REDEEM_ONLY)
        scopes = [(ScopeKind.TOKEN, token), (ScopeKind.PROGRAM, program)]
        assert selectors.state_of(scopes) == GateState.REDEEM_ONLY

        make.hold(ScopeKind.PROGRAM, program, effect=GateState.HALTED)

        assert selectors.state_of(scopes) == GateState.HALTED

    def test_forgets_a_hold_that_was_released(self, at: datetime) -> None:
        token = uuid7()
        hold = make.hold(ScopeKind.TOKEN, token)

        services.release_hold(hold.pk, actor=system("tests"), at=at)

        assert selectors.state_of([(ScopeKind.TOKEN, token)]) == GateState.OPEN


class TestHoldsInForce:
    def test_are_those_of_the_scopes_oldest_first(self) -> None:
        token = uuid7()
        first = make.hold(ScopeKind.TOKEN, token)
        second = make.hold(ScopeKind.TOKEN, token)
        make.hold(ScopeKind.TOKEN, uuid7())

        assert list(selectors.holds_in_force([(ScopeKind.TOKEN, token)])) == [first, second]

    def test_are_never_asked_of_nothing(self) -> None:
        with pytest.raises(AssertionError):
            selectors.holds_in_force([])
