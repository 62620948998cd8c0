"""Runs at the same time, and bookings between two reads."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from threading import Barrier, Event
from uuid import UUID

import pytest
from django.db import connection, transaction

from issuer.approvals.models import Proposal
from issuer.foundation import actors
from issuer.foundation.actors import Actor
from issuer.foundation.errors import DomainError
from issuer.gate import services as gate
from issuer.gate.errors import GateClosed
from issuer.gate.models import Cause, GateState, Hold, Resumption, ScopeKind
from issuer.instruments.models import Token
from issuer.parties.models import Program
from issuer.people.roles import Role
from issuer.primary_market import services as primary_market_services
from issuer.primary_market.models import IssuanceRequest
from issuer.primary_market.states import IssuanceState
from issuer.reconciliation import services
from issuer.reconciliation.errors import ResumeNotProposed, RunUnderWay
from issuer.reconciliation.models import Break, Run
from issuer.reserves import selectors as reserves_selectors
from issuer.reserves.figures import TokenFigures
from tests.make import chain, parties, people, primary_market, reserves

pytestmark = pytest.mark.django_db(transaction=True)

PATIENCE_SECONDS = 20
MINUTE = timedelta(minutes=1)


def reconcile(program: Program, at: datetime) -> Run:
    return services.reconcile(program, actor=actors.system("tests"), at=at)


class TestReconcile:
    def test_twice_at_once_opens_a_break_once(self, at: datetime) -> None:
        token, deployment, _ = reserves.backed_token(Decimal(1000), at=at)
        reserves.supply(deployment, Decimal(5), at=at)
        start = Barrier(3, timeout=PATIENCE_SECONDS)

        def run() -> None:
            try:
                start.wait()
                reconcile(token.program, at)
            finally:
                connection.close()

        with ThreadPoolExecutor(3) as pool:
            futures = [pool.submit(run) for _ in range(3)]
            refusals = [future.exception(PATIENCE_SECONDS) for future in futures]

        refused = [type(one) for one in refusals if one is not None]
        assert refused == [RunUnderWay] * (3 - Run.objects.count())
        assert Run.objects.exists()
        assert Break.objects.get().quantity == 5

    def test_reads_everything_as_of_one_instant(
        self, at: datetime, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        market = primary_market.market(own_shares=Decimal(2), at=at)
        request = primary_market.issuance(market, state=IssuanceState.MINTING, at=at)
        primary_market.finalize(request, at=at)
        reading, booked = Event(), Event()
        figures_of = reserves_selectors.figures_of

        def figures_after_the_booking(
            tokens: Sequence[Token], *, at: datetime
        ) -> dict[UUID, TokenFigures]:
            reading.set()
            assert booked.wait(PATIENCE_SECONDS)
            return figures_of(tokens, at=at)

        monkeypatch.setattr(reserves_selectors, "figures_of", figures_after_the_booking)

        def book() -> None:
            try:
                assert reading.wait(PATIENCE_SECONDS)
                primary_market_services.complete(request.pk, actor=actors.system("tests"), at=at)
            finally:
                booked.set()
                connection.close()

        with ThreadPoolExecutor(1) as pool:
            booking = pool.submit(book)
            run = reconcile(market.token.program, at)
            booking.result(PATIENCE_SECONDS)

        assert IssuanceRequest.objects.get().state == IssuanceState.COMPLETED
        found = {line.code: line.quantity for line in run.results.get().lines.all()}
        assert (found["A6"], found["A9"], found["A10"]) == (Decimal(-600), Decimal(0), Decimal(0))
        assert not Break.objects.exists()

    def test_leaves_no_lock_behind(self, at: datetime) -> None:
        token, _, _ = reserves.backed_token(at=at)

        reconcile(token.program, at)
        reconcile(token.program, at)

        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'")
            assert cursor.fetchone() == (0,)


class TestGoingOn:
    """Two persons resume while others resume, halt, approve and reconcile."""

    def shut(self, at: datetime) -> tuple[Token, Proposal, Actor]:
        """A halted program, reconciled since, and what one person proposes to another."""
        token, deployment, _ = reserves.backed_token(Decimal(1000), at=at)
        self.halt(token, at)
        reserves.supply(deployment, Decimal(0), at=at + MINUTE)
        reconcile(token.program, at + MINUTE)
        proposal = services.propose_resume(
            kind=ScopeKind.PROGRAM,
            subject_id=token.program_id,
            explanation="The key was found.",
            actor=people.staff_actor(Role.OPERATIONS_OFFICER),
            at=at + MINUTE,
        )
        return token, proposal, people.staff_actor(Role.APPROVER)

    def halt(self, token: Token, at: datetime) -> Hold:
        return gate.place_hold(
            kind=ScopeKind.PROGRAM,
            subject_id=token.program_id,
            effect=GateState.HALTED,
            cause=Cause.PERSON,
            reason="A key was lost.",
            actor=actors.system("tests"),
            at=at,
        )

    def resume(self, proposal: Proposal, approver: Actor, at: datetime) -> Resumption:
        return services.confirm_resume(
            proposal.pk, payload_hash=proposal.payload_hash, actor=approver, at=at
        )

    @pytest.mark.parametrize("_round", range(3))
    def test_of_two_at_once_one_resumes(self, _round: int, at: datetime) -> None:
        _, proposal, approver = self.shut(at)
        other = people.staff_actor(Role.APPROVER)

        outcomes = at_once(
            *(partial(self.resume, proposal, actor, at + MINUTE) for actor in (approver, other))
        )

        refusals = [type(one) for one in outcomes if isinstance(one, DomainError)]
        assert refusals == [ResumeNotProposed]
        assert Resumption.objects.count() == 1

    @pytest.mark.parametrize("asked_before", [timedelta(0), MINUTE / 2])
    @pytest.mark.parametrize("_round", range(3))
    def test_a_new_halt_is_never_resumed_with_the_old(
        self, _round: int, asked_before: timedelta, at: datetime
    ) -> None:
        """Not even one whose door asked for the time before the run, and then waited."""
        token, proposal, approver = self.shut(at)

        at_once(
            partial(self.resume, proposal, approver, at + MINUTE),
            partial(self.halt, token, at + MINUTE - asked_before),
        )

        newest = Hold.objects.order_by("placed_at", "id").last()
        assert newest is not None
        assert newest.released_at is None
        with pytest.raises(GateClosed), transaction.atomic():
            gate.require_open(scopes=[(ScopeKind.PROGRAM, token.program_id)])

    @pytest.mark.parametrize("_round", range(3))
    def test_a_run_that_opens_a_hold_and_an_approval_never_both(
        self, _round: int, at: datetime
    ) -> None:
        token, deployment, _ = reserves.backed_token(Decimal(1000), at=at)
        chain.event(deployment, sender=parties.evm_address(), seen_at=at)
        scopes = [(ScopeKind.PROGRAM, token.program_id), (ScopeKind.TOKEN, token.pk)]
        order: list[str] = []

        def approve() -> None:
            with transaction.atomic():
                gate.require_open(scopes=scopes)
                order.append("approved")

        def run() -> None:
            reconcile(token.program, at)
            order.append("shut")

        refusals = at_once(approve, run)

        if isinstance(refusals[0], DomainError):
            assert isinstance(refusals[0], GateClosed)
        else:
            assert order == ["approved", "shut"]
        with pytest.raises(GateClosed):
            approve()


def at_once(*works: Callable[[], object]) -> list[object]:
    """Do all of `works` at the same time; return what each returned, or how it was refused."""
    start = Barrier(len(works), timeout=PATIENCE_SECONDS)

    def outcome(work: Callable[[], object]) -> object:
        try:
            start.wait()
            return work()
        except DomainError as refusal:
            return refusal
        finally:
            connection.close()

    with ThreadPoolExecutor(len(works)) as pool:
        futures = [pool.submit(outcome, work) for work in works]
        return [future.result(PATIENCE_SECONDS) for future in futures]
