"""Several officers at once, each with a connection of their own."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from functools import partial
from threading import Barrier

import pytest
from django.db import connection

from issuer.approvals.errors import ProposalNotOpen
from issuer.chain.models import TransactionIntent
from issuer.foundation.actors import Actor
from issuer.foundation.errors import DomainError, IllegalTransition
from issuer.gate import services as gate
from issuer.gate.errors import GateClosed
from issuer.gate.models import Cause, GateState, Hold, ScopeKind
from issuer.people.roles import Role
from issuer.primary_market import errors, services
from issuer.primary_market.models import IssuanceRequest
from issuer.primary_market.states import IssuanceState
from issuer.reserves.errors import SharesNotFree
from issuer.reserves.models import ShareHold
from tests.make import chain, custody, people, primary_market
from tests.make.primary_market import AT, Market

pytestmark = pytest.mark.django_db(transaction=True)

ROUNDS = range(3)


def at_once(acts: Sequence[Callable[[], object]]) -> list[object]:
    """Carry `acts` out at the same moment; return what each returned, or its refusal."""
    barrier = Barrier(len(acts))

    def carry_out(act: Callable[[], object]) -> object:
        try:
            barrier.wait(timeout=30)
            return act()
        except DomainError as refusal:
            return refusal
        finally:
            connection.close()

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(carry_out, acts))


def approvers(count: int) -> list[Actor]:
    return [people.staff_actor(Role.APPROVER) for _ in range(count)]


def proposed(market: Market) -> IssuanceRequest:
    """Return a funded request that waits for a second person."""
    request = primary_market.issuance(market, state=IssuanceState.FUNDED)
    officer = people.staff_actor(Role.OPERATIONS_OFFICER)
    services.propose_approval(request.pk, actor=officer, at=AT)
    return request


def leave_free(market: Market, free: Decimal) -> None:
    """Have others claim all shares of the account but `free` ones."""
    settled = custody.booked(market.account)
    current = market.account.custodian.statements.first()
    assert current is not None
    custody.statement(
        market.account.custodian,
        [custody.line(market.account, settled, blocked=settled - free)],
        at=AT,
        supersedes=current.reference,
    )


class TestTwoApprovals:
    @pytest.mark.parametrize("_round", ROUNDS)
    def test_of_600_with_1000_free_exactly_one_succeeds(self, _round: int) -> None:
        market = primary_market.market()
        first, second = proposed(market), proposed(market)
        leave_free(market, Decimal(1000))

        outcomes = at_once(
            [
                partial(primary_market.confirm, request, actor=actor)
                for request, actor in zip((first, second), approvers(2), strict=True)
            ]
        )

        refusals = [one for one in outcomes if isinstance(one, DomainError)]
        assert [type(refusal) for refusal in refusals] == [SharesNotFree]
        assert refusals[0].facts == {"free": "400", "needed": "600"}
        assert ShareHold.objects.count() == 1
        states = IssuanceRequest.objects.order_by("state").values_list("state", flat=True)
        assert list(states) == ["APPROVED", "FUNDED"]

    def test_of_two_tokens_both_succeed(self) -> None:
        requests = [proposed(primary_market.market()) for _ in range(2)]

        outcomes = at_once(
            [
                partial(primary_market.confirm, request, actor=actor)
                for request, actor in zip(requests, approvers(2), strict=True)
            ]
        )

        assert not [one for one in outcomes if isinstance(one, DomainError)]
        assert ShareHold.objects.count() == 2

    def test_of_one_request_exactly_one_succeeds(self) -> None:
        request = proposed(primary_market.market())

        outcomes = at_once(
            [partial(primary_market.confirm, request, actor=actor) for actor in approvers(2)]
        )

        refusals = [one for one in outcomes if isinstance(one, DomainError)]
        assert len(refusals) == 1
        assert isinstance(refusals[0], IllegalTransition | ProposalNotOpen | errors.NotProposed)
        assert ShareHold.objects.count() == 1


class TestApprovalAgainstHalt:
    @pytest.mark.parametrize("_round", ROUNDS)
    @pytest.mark.parametrize("kind", [ScopeKind.TOKEN, ScopeKind.PROGRAM])
    def test_nothing_is_approved_after_the_halt_is_placed(
        self, kind: ScopeKind, _round: int
    ) -> None:
        market = primary_market.market()
        request = proposed(market)
        [approver] = approvers(1)
        subject = market.token.pk if kind == ScopeKind.TOKEN else market.token.program_id

        def halt() -> Hold:
            return gate.place_hold(
                kind=kind,
                subject_id=subject,
                effect=GateState.HALTED,
                cause=Cause.PERSON,
                reason="Looked into.",
                actor=approver,
                at=AT,
            )

        approved, halted = at_once([lambda: primary_market.confirm(request, actor=approver), halt])

        assert isinstance(halted, Hold)
        request.refresh_from_db()
        # Either the approval was committed before the halt, or the halt refused it.
        if isinstance(approved, DomainError):
            assert isinstance(approved, GateClosed)
            assert request.state == IssuanceState.FUNDED
            assert not ShareHold.objects.exists()
        else:
            assert request.state == IssuanceState.APPROVED
        # In both cases nothing of it is signed from now on.
        with pytest.raises((GateClosed, IllegalTransition)):
            primary_market.sign(request)
        assert not TransactionIntent.objects.exists()


class TestSignatures:
    def test_of_one_request_there_is_one(self) -> None:
        request = primary_market.issuance(primary_market.market(), state=IssuanceState.APPROVED)
        chain.signer_account(request.deployment.network)

        outcomes = at_once([lambda: primary_market.sign(request)] * 4)

        refusals = [type(one) for one in outcomes if isinstance(one, DomainError)]
        assert refusals == [IllegalTransition] * 3
        assert TransactionIntent.objects.count() == 1


class TestDeliveryAgainstRejection:
    @pytest.mark.parametrize("_round", ROUNDS)
    def test_shares_that_came_are_never_turned_away(self, _round: int) -> None:
        request = primary_market.issuance(primary_market.market(), state=IssuanceState.ACCEPTED)
        officer = people.staff_actor(Role.OPERATIONS_OFFICER)

        delivered, rejected = at_once(
            [
                lambda: primary_market.deliver(request),
                lambda: services.reject(request.pk, reason="Too late.", actor=officer, at=AT),
            ]
        )

        assert not isinstance(delivered, DomainError)
        request.refresh_from_db()
        assert request.instruction is not None
        outcome = (request.state, request.instruction.state)
        assert outcome in {("REJECTED", "CANCELLED"), ("ACCEPTED", "SETTLED")}
        assert isinstance(rejected, errors.SharesReceived) == (outcome[0] == "ACCEPTED")
