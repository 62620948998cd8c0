"""Tokens that come, officers, participants and the clock at once, each with a connection."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from django.db import connection, transaction
from django.db.models import QuerySet, Sum

from issuer.approvals.errors import ProposalNotOpen, ProposalOpen
from issuer.approvals.models import Proposal
from issuer.chain.models import TransactionIntent
from issuer.chain.states import IntentKind
from issuer.foundation.actors import Actor
from issuer.foundation.errors import DomainError, IllegalTransition
from issuer.gate import services as gate
from issuer.gate.errors import GateClosed
from issuer.gate.models import Cause, GateState, Hold, ScopeKind
from issuer.people.roles import Role
from issuer.primary_market import errors, services
from issuer.primary_market.models import Deposit, DepositReturn, RedemptionRequest
from issuer.primary_market.states import DepositCause, DepositState, RedemptionState, ReturnState
from tests.make import people, redemptions
from tests.make.primary_market import AT, PARTNER, Market
from tests.make.redemptions import SYSTEM, deposit, redemption, transfer
from tests.primary_market.test_races import approvers, at_once

pytestmark = pytest.mark.django_db(transaction=True)

Act = Callable[[], object]

_S = RedemptionState
ROUNDS = range(2)
PATIENCE_SECONDS = 30


@pytest.fixture
def market() -> Market:
    """A participant who holds 600 tokens and can return them."""
    return redemptions.market()


def carried_out(act: Act) -> object:
    try:
        return act()
    except DomainError as refusal:
        return refusal
    finally:
        connection.close()


def waiting() -> int:
    """Return how many transactions wait for a lock of another."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(DISTINCT pid) FROM pg_locks WHERE NOT granted")
        (found,) = cursor.fetchone()
    return int(found)


def in_turn(acts: Sequence[Act], *, behind: Act) -> list[object]:
    """Have `acts` wait in their order behind the locks of `behind`, and then all go on.

    So each of them is where the others would have to wait for it; whoever locks in another order
    than the rest is in a deadlock then, every time.
    """
    futures: list[Future[object]] = []
    with ThreadPoolExecutor(len(acts)) as pool:
        with transaction.atomic():
            behind()
            for number, act in enumerate(acts, start=1):
                futures.append(pool.submit(carried_out, act))
                deadline = time.monotonic() + PATIENCE_SECONDS
                while waiting() < number and time.monotonic() < deadline:
                    time.sleep(0.01)
                assert waiting() == number, "an act went past the lock"
        return [future.result(timeout=PATIENCE_SECONDS) for future in futures]


def locking(rows: QuerySet[Any]) -> Act:
    return lambda: list(rows.select_for_update(of=("self",)))


def refusals(outcomes: Sequence[object]) -> list[type[DomainError]]:
    return [type(one) for one in outcomes if isinstance(one, DomainError)]


def assert_counted() -> None:
    """Fail unless each request has received what its deposits are matched with."""
    for request in RedemptionRequest.objects.all():
        counted = request.deposits.aggregate(total=Sum("matched"))["total"] or 0
        assert request.received == counted


def of(request: RedemptionRequest) -> QuerySet[RedemptionRequest]:
    return RedemptionRequest.objects.filter(pk=request.pk)


class TestTwoRequestsOfOneSender:
    @pytest.fixture
    def frozen(self, market: Market) -> tuple[RedemptionRequest, RedemptionRequest]:
        """Two that were stopped, and 70 tokens that came meanwhile."""
        officer = people.staff_actor(Role.COMPLIANCE_OFFICER)
        first, second = (
            redemption(market, state=_S.AWAITING_TOKENS, quantity=Decimal(quantity))
            for quantity in (100, 70)
        )
        for request in (first, second):
            services.freeze_redemption(request.pk, reason="A hit.", actor=officer, at=AT)
        assert deposit(market, Decimal(70)).state == DepositState.QUARANTINED
        return first, second

    def unfreeze(self, request: RedemptionRequest) -> Act:
        officer = people.staff_actor(Role.COMPLIANCE_OFFICER)
        return partial(
            services.unfreeze_redemption, request.pk, reason="A namesake.", actor=officer, at=AT
        )

    @pytest.mark.parametrize("turn", [1, -1])
    def test_one_goes_on_while_more_comes(
        self, market: Market, frozen: tuple[RedemptionRequest, RedemptionRequest], turn: int
    ) -> None:
        first, second = frozen
        came = transfer(market, Decimal(30))
        acts: list[Act] = [
            partial(services.match_deposit, came.pk, actor=SYSTEM, at=AT),
            self.unfreeze(second),
        ]

        outcomes = in_turn(acts[::turn], behind=locking(of(first)))

        assert refusals(outcomes) == []
        second.refresh_from_db()
        assert (second.state, second.received) == (_S.RECEIVED, 70)
        found = Deposit.objects.get(transfer=came)
        assert (found.state, found.matched) == (DepositState.QUARANTINED, 0)
        assert_counted()

    @pytest.mark.parametrize("turn", [1, -1])
    def test_both_go_on(
        self, frozen: tuple[RedemptionRequest, RedemptionRequest], turn: int
    ) -> None:
        first, _ = frozen
        acts = [self.unfreeze(request) for request in frozen]

        outcomes = in_turn(acts[::turn], behind=locking(of(first)))

        assert refusals(outcomes) == []
        assert Deposit.objects.get().state == DepositState.MATCHED
        assert_counted()

    def test_one_goes_on_while_the_other_is_cancelled_and_a_deposit_cleared(
        self, market: Market, frozen: tuple[RedemptionRequest, RedemptionRequest]
    ) -> None:
        first, second = frozen
        officer = people.staff_actor(Role.COMPLIANCE_OFFICER)
        waits = Deposit.objects.get()
        clear = partial(services.clear_deposit, waits.pk, reason="Known.", actor=officer, at=AT)

        outcomes = in_turn([self.unfreeze(second), clear], behind=locking(of(first)))

        assert refusals(outcomes) == [IllegalTransition]
        second.refresh_from_db()
        assert (second.state, second.received) == (_S.RECEIVED, 70)
        assert_counted()


class TestADepositThatIsAssigned:
    @pytest.mark.parametrize("turn", [1, -1])
    def test_is_proposed_to_go_back_as_its_new_request_is_rejected(
        self, market: Market, turn: int
    ) -> None:
        officer = people.staff_actor(Role.OPERATIONS_OFFICER)
        waits = deposit(market, Decimal(60))
        request = redemption(market, state=_S.AWAITING_TOKENS)
        acts: list[Act] = [
            partial(services.propose_return, waits.pk, reason="Why not.", actor=officer, at=AT),
            partial(services.reject_redemption, request.pk, reason="No.", actor=officer, at=AT),
        ]

        outcomes = in_turn(
            acts[::turn],
            behind=partial(
                services.assign_deposit, waits.pk, request_id=request.pk, actor=officer, at=AT
            ),
        )

        request.refresh_from_db()
        assert (request.state, request.received) == (_S.REJECTED, 60)
        waits.refresh_from_db()
        assert (waits.state, waits.cause) == (DepositState.UNMATCHED, DepositCause.REQUEST_ENDED)
        # Before the rejection it counted for the request; after it, nothing did.
        assert refusals(outcomes) in ([], [IllegalTransition])
        assert DepositReturn.objects.exists() == (refusals(outcomes) == [])

    @pytest.mark.parametrize("turn", [1, -1])
    def test_counts_for_one_of_two(self, market: Market, turn: int) -> None:
        officer = people.staff_actor(Role.OPERATIONS_OFFICER)
        waits = deposit(market, Decimal(60))
        requests = [redemption(market, state=_S.AWAITING_TOKENS) for _ in range(2)]
        acts = [
            partial(services.assign_deposit, waits.pk, request_id=one.pk, actor=officer, at=AT)
            for one in requests
        ]

        outcomes = in_turn(acts[::turn], behind=locking(Deposit.objects.filter(pk=waits.pk)))

        assert refusals(outcomes) == [IllegalTransition]
        received = RedemptionRequest.objects.order_by("received").values_list("received", flat=True)
        assert list(received) == [0, 60]
        assert_counted()


class TestTokensThatCome:
    @pytest.mark.parametrize("_round", ROUNDS)
    def test_at_once_never_count_for_more_than_was_asked(self, market: Market, _round: int) -> None:
        request = redemption(market, state=_S.AWAITING_TOKENS)
        came = [transfer(market, Decimal(60)) for _ in range(2)]

        outcomes = at_once(
            [partial(services.match_deposit, one.pk, actor=SYSTEM, at=AT) for one in came]
        )

        assert refusals(outcomes) == []
        request.refresh_from_db()
        assert (request.state, request.received) == (_S.RECEIVED, 100)
        found = Deposit.objects.order_by("matched").values_list("matched", "state", "cause")
        assert list(found) == [
            (Decimal(40), "UNMATCHED", "SURPLUS"),
            (Decimal(60), "MATCHED", ""),
        ]

    def test_twice_told_count_once(self, market: Market) -> None:
        request = redemption(market, state=_S.AWAITING_TOKENS)
        came = transfer(market, Decimal(60))

        outcomes = at_once([partial(services.match_deposit, came.pk, actor=SYSTEM, at=AT)] * 3)

        assert refusals(outcomes) == []
        assert Deposit.objects.count() == 1
        request.refresh_from_db()
        assert request.received == 60

    @pytest.mark.parametrize("quantity", [60, 100])
    @pytest.mark.parametrize("turn", [1, -1])
    def test_as_the_request_is_cancelled(self, market: Market, turn: int, quantity: int) -> None:
        request = redemption(market, state=_S.AWAITING_TOKENS)
        came = transfer(market, Decimal(quantity))
        acts: list[Act] = [
            partial(services.match_deposit, came.pk, actor=SYSTEM, at=AT),
            partial(
                services.cancel_redemption,
                request.pk,
                participant=market.participant,
                actor=PARTNER,
                at=AT,
            ),
        ]

        outcomes = in_turn(acts[::turn], behind=locking(of(request)))

        request.refresh_from_db()
        found = Deposit.objects.get()
        if turn == 1 and quantity == 100:
            assert refusals(outcomes) == [IllegalTransition]
            assert (request.state, found.state) == (_S.RECEIVED, DepositState.MATCHED)
        else:
            assert refusals(outcomes) == []
            # Counted before the end, or not at all: in both cases it waits to go back.
            counted, cause = (
                (quantity, DepositCause.REQUEST_ENDED)
                if turn == 1
                else (0, DepositCause.NOTHING_OPEN)
            )
            assert (request.state, request.received) == (_S.CANCELLED, counted)
            assert (found.state, found.cause) == (DepositState.UNMATCHED, cause)
            assert found.to_return == quantity
        assert_counted()

    @pytest.mark.parametrize("turn", [1, -1])
    def test_in_time_count_as_the_request_expires(self, market: Market, turn: int) -> None:
        request = redemption(market, state=_S.AWAITING_TOKENS)
        end = request.expires_at
        came = transfer(market, Decimal(60), at=end)
        redemptions.read_until(market.deployment, end + timedelta(seconds=1))
        acts: list[Act] = [
            partial(services.match_deposit, came.pk, actor=SYSTEM, at=end),
            partial(services.expire_redemption, request.pk, actor=SYSTEM, at=end),
        ]

        outcomes = in_turn(acts[::turn], behind=locking(of(request)))

        request.refresh_from_db()
        assert request.received == 60
        if turn == 1:
            assert (refusals(outcomes), request.state) == ([], _S.EXPIRED)
        else:
            assert refusals(outcomes) == [errors.TokensMayStillCome]
            assert request.state == _S.AWAITING_TOKENS
        assert_counted()


class TestTwoOfficers:
    def test_who_propose_one_redemption(self, market: Market) -> None:
        request = redemption(market, state=_S.RECEIVED)
        officers = [people.staff_actor(Role.OPERATIONS_OFFICER) for _ in range(2)]

        outcomes = at_once(
            [partial(services.propose_redemption, request.pk, actor=one, at=AT) for one in officers]
        )

        assert refusals(outcomes) == [ProposalOpen]
        assert Proposal.objects.filter(action="redemption.approve").count() == 1

    def test_who_confirm_one_redemption(self, market: Market) -> None:
        request = redemption(market, state=_S.RECEIVED)
        redemptions.propose(request)

        outcomes = at_once(
            [partial(redemptions.confirm, request, actor=actor) for actor in approvers(2)]
        )

        (refusal,) = refusals(outcomes)
        assert issubclass(refusal, IllegalTransition | ProposalNotOpen | errors.NotProposed)
        assert request.transitions.filter(step="APPROVE").count() == 1

    def test_who_propose_and_confirm_one_return(self, market: Market) -> None:
        waits = deposit(market, Decimal(7))
        officers = [people.staff_actor(Role.OPERATIONS_OFFICER) for _ in range(2)]

        outcomes = at_once(
            [
                partial(services.propose_return, waits.pk, reason="Unknown.", actor=one, at=AT)
                for one in officers
            ]
        )

        assert refusals(outcomes) == [errors.DepositReturning]
        found = DepositReturn.objects.get()
        outcomes = at_once(
            [partial(redemptions.confirm_return, found, actor=actor) for actor in approvers(2)]
        )
        (refusal,) = refusals(outcomes)
        assert issubclass(refusal, IllegalTransition | ProposalNotOpen | errors.NotProposed)
        waits.refresh_from_db()
        assert waits.returned == 7

    def test_of_whom_one_assigns_and_one_returns(self, market: Market) -> None:
        waits = deposit(market, Decimal(60))
        request = redemption(market, state=_S.AWAITING_TOKENS)
        found = redemptions.a_return(waits)
        one, other = people.staff_actor(Role.OPERATIONS_OFFICER), people.staff_actor(Role.APPROVER)

        outcomes = at_once(
            [
                partial(services.assign_deposit, waits.pk, request_id=request.pk, actor=one, at=AT),
                partial(redemptions.confirm_return, found, actor=other),
            ]
        )

        assert len(refusals(outcomes)) == 1
        request.refresh_from_db()
        found.refresh_from_db()
        assert (request.received, found.state) == (0, ReturnState.APPROVED)


class TestSignatures:
    def test_of_one_burn_there_is_one(self, market: Market) -> None:
        request = redemption(market, state=_S.APPROVED)

        outcomes = at_once([lambda: redemptions.sign(request)] * 4)

        assert refusals(outcomes) == [IllegalTransition] * 3
        assert TransactionIntent.objects.filter(kind=IntentKind.BURN).count() == 1

    def test_of_one_return_there_is_one(self, market: Market) -> None:
        found = redemptions.a_return(deposit(market, Decimal(7)), state=ReturnState.APPROVED)

        outcomes = at_once([lambda: redemptions.sign_return(found)] * 4)

        assert refusals(outcomes) == [IllegalTransition] * 3
        assert TransactionIntent.objects.filter(kind=IntentKind.RETURN).count() == 1

    def test_of_a_burn_and_a_return_take_two_nonces(self, market: Market) -> None:
        request = redemption(market, state=_S.APPROVED)
        found = redemptions.a_return(deposit(market, Decimal(7)), state=ReturnState.APPROVED)

        outcomes = at_once(
            [lambda: redemptions.sign(request), lambda: redemptions.sign_return(found)]
        )

        assert refusals(outcomes) == []
        kinds = [IntentKind.BURN, IntentKind.RETURN]
        nonces = TransactionIntent.objects.filter(kind__in=kinds).values_list("nonce", flat=True)
        assert sorted(nonces) == [0, 1]

    def test_and_a_withdrawal_are_one_of_the_two(self, market: Market) -> None:
        request = redemption(market, state=_S.APPROVED)
        approver = people.staff_actor(Role.APPROVER)

        outcomes = at_once(
            [
                lambda: redemptions.sign(request),
                lambda: services.withdraw_redemption(
                    request.pk, reason="Not now.", actor=approver, at=AT
                ),
            ]
        )

        assert refusals(outcomes) == [IllegalTransition]
        request.refresh_from_db()
        signed = TransactionIntent.objects.filter(kind=IntentKind.BURN).count()
        assert (request.state, signed) in {(_S.BURNING, 1), (_S.RECEIVED, 0)}


class TestAHalt:
    def halt(self, market: Market, actor: Actor) -> Hold:
        return gate.place_hold(
            kind=ScopeKind.TOKEN,
            subject_id=market.token.pk,
            effect=GateState.HALTED,
            cause=Cause.PERSON,
            reason="Looked into.",
            actor=actor,
            at=AT,
        )

    @pytest.mark.parametrize("_round", ROUNDS)
    def test_comes_before_a_burn_is_approved_or_after(self, market: Market, _round: int) -> None:
        request = redemption(market, state=_S.RECEIVED)
        redemptions.propose(request)
        [approver] = approvers(1)

        confirmed, halted = at_once(
            [
                lambda: redemptions.confirm(request, actor=approver),
                lambda: self.halt(market, approver),
            ]
        )

        assert isinstance(halted, Hold)
        request.refresh_from_db()
        if isinstance(confirmed, DomainError):
            assert isinstance(confirmed, GateClosed)
            assert request.state == _S.RECEIVED
        else:
            assert request.state == _S.APPROVED
        with pytest.raises((GateClosed, IllegalTransition)):
            redemptions.sign(request)

    @pytest.mark.parametrize("_round", ROUNDS)
    def test_comes_before_a_return_is_signed_or_after(self, market: Market, _round: int) -> None:
        found = redemptions.a_return(deposit(market, Decimal(7)), state=ReturnState.APPROVED)
        [approver] = approvers(1)

        signed, halted = at_once(
            [lambda: redemptions.sign_return(found), lambda: self.halt(market, approver)]
        )

        assert isinstance(halted, Hold)
        found.refresh_from_db()
        refused = isinstance(signed, GateClosed)
        assert found.state == (ReturnState.APPROVED if refused else ReturnState.SIGNED)

    def test_waits_for_nobody_who_waits_for_it(self, market: Market) -> None:
        received = redemption(market, state=_S.RECEIVED, quantity=Decimal(10))
        redemptions.propose(received)
        approver, other = approvers(2)
        asked = partial(
            services.request_redemption,
            participant=market.participant,
            token=market.token,
            network=market.deployment.network.caip2,
            wallet_address=market.wallet.address,
            quantity=Decimal(10),
            client_reference="asked at once",
            actor=PARTNER,
            at=AT,
        )

        outcomes = at_once(
            [
                lambda: redemptions.confirm(received, actor=approver),
                lambda: self.halt(market, other),
                asked,
            ]
        )

        assert isinstance(outcomes[1], Hold)
        assert set(refusals(outcomes)) <= {GateClosed}
