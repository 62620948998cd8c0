"""Grave breaks stay open until two persons close them."""

from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from issuer.approvals import selectors as proposals
from issuer.approvals.errors import PersonRequired, ProposalChanged, ProposalOpen, SamePerson
from issuer.approvals.models import Proposal
from issuer.approvals.states import ProposalState
from issuer.audit.models import AuditEvent
from issuer.foundation.actors import Actor
from issuer.foundation.errors import IllegalTransition
from issuer.foundation.identifiers import uuid7
from issuer.instruments.models import Deployment, Token
from issuer.people.roles import Role
from issuer.reconciliation import errors, selectors, services
from issuer.reconciliation.models import Break
from issuer.reconciliation.states import BreakCode, BreakState, Severity
from tests.make import chain, people, reconciliation, reserves

pytestmark = pytest.mark.django_db

ONE = 10**18
MINUTE = timedelta(minutes=1)
WHY = "Five tokens that were minted by mistake have been burned."


def seen(found: Break) -> str:
    """The hash of what is proposed for a break, as a page shows it."""
    proposal = proposals.open_proposal(found, services.CLOSE)
    return "0" * 64 if proposal is None else proposal.payload_hash


@pytest.fixture
def officer() -> Actor:
    return people.staff_actor(Role.OPERATIONS_OFFICER)


@pytest.fixture
def approver() -> Actor:
    return people.staff_actor(Role.APPROVER)


@pytest.fixture
def world(at: datetime) -> tuple[Token, Deployment]:
    """A token with five tokens too many, as a run at `at` found it."""
    token, deployment, _ = reserves.backed_token(Decimal(1000), at=at)
    reserves.supply(deployment, Decimal(5), at=at)
    reconciliation.run(token.program, at=at)
    return token, deployment


@pytest.fixture
def over(world: tuple[Token, Deployment], at: datetime) -> Break:
    """The break, after a run that no longer finds the difference."""
    token, deployment = world
    reserves.supply(deployment, Decimal(0), at=at)
    reconciliation.run(token.program, at=at + MINUTE)
    return Break.objects.get()


class TestAGraveBreak:
    @pytest.mark.parametrize("code", ["UNA-MINT", "CHN-UNK", "SUP-OVER", "BAK-SHORT", "CUS-SHORT"])
    def test_is_cleared_by_no_run(self, code: str, at: datetime) -> None:
        token, _, _ = reserves.backed_token(at=at)
        found = reconciliation.break_(token, code=BreakCode(code))

        reconciliation.run(token.program, at=at)

        found.refresh_from_db()
        assert (found.state, found.ended_at) == (BreakState.OPEN, None)

    def test_is_open_after_the_difference_is_gone(self, over: Break) -> None:
        assert over.state == BreakState.OPEN
        assert not selectors.still_seen(over)


class TestAMintBeyondMeasure:
    """Whoever has stolen the key chooses the amount; it must not blind us."""

    def test_leaves_cover_unknown_and_is_named(self, at: datetime) -> None:
        token, deployment, _ = reserves.backed_token(Decimal(1000), at=at)
        chain.event(deployment, base_units=2**255, seen_at=at)
        chain.snapshot(deployment, total_supply_base_units=2**255, taken_at=at)

        run = reconciliation.run(token.program, at=at)

        assert run.results.get().status == "UNKNOWN"
        found = Break.objects.order_by("code")
        assert [(row.code, row.quantity) for row in found] == [
            (BreakCode.CHN_SRC, None),
            (BreakCode.UNA_MINT, None),
        ]


class TestProposeCloseBreak:
    def test_binds_the_proposal_to_what_the_break_is(
        self, over: Break, officer: Actor, at: datetime
    ) -> None:
        proposal = services.propose_close_break(over.pk, explanation=WHY, actor=officer, at=at)

        assert proposal.payload == {
            "break": str(over.pk),
            "token": over.token.symbol,
            "code": "SUP-OVER",
            "subject": "",
            "quantity": "5",
            "unit": "tokens",
            "opened_at": "2026-11-20T15:00:00.000000Z",
            "explanation": WHY,
        }

    def test_refuses_while_the_newest_run_still_finds_it(
        self, world: tuple[Token, Deployment], officer: Actor, at: datetime
    ) -> None:
        found = Break.objects.get(token=world[0])

        with pytest.raises(errors.BreakStillSeen):
            services.propose_close_break(found.pk, explanation=WHY, actor=officer, at=at)

        assert not Proposal.objects.exists()

    def test_refuses_while_the_newest_run_could_not_look(
        self, world: tuple[Token, Deployment], over: Break, officer: Actor, at: datetime
    ) -> None:
        token, deployment = world
        chain.trouble(deployment.network)
        reconciliation.run(token.program, at=at + 2 * MINUTE)

        with pytest.raises(errors.BreakStillSeen):
            services.propose_close_break(over.pk, explanation=WHY, actor=officer, at=at)

        assert not Proposal.objects.exists()

    def test_refuses_the_system_a_second_proposal_and_what_is_not_there(
        self, over: Break, officer: Actor, system: Actor, at: datetime
    ) -> None:
        with pytest.raises(PersonRequired):
            services.propose_close_break(over.pk, explanation=WHY, actor=system, at=at)
        with pytest.raises(errors.BreakMissing):
            services.propose_close_break(uuid7(), explanation=WHY, actor=officer, at=at)
        services.propose_close_break(over.pk, explanation=WHY, actor=officer, at=at)
        with pytest.raises(ProposalOpen):
            services.propose_close_break(over.pk, explanation="Again.", actor=officer, at=at)

        assert Proposal.objects.count() == 1


class TestConfirmCloseBreak:
    def test_closes_it_with_the_explanation(
        self, over: Break, officer: Actor, approver: Actor, at: datetime
    ) -> None:
        services.propose_close_break(over.pk, explanation=WHY, actor=officer, at=at)

        services.confirm_close_break(
            over.pk, payload_hash=seen(over), actor=approver, at=at + 2 * MINUTE
        )

        over.refresh_from_db()
        assert (over.state, over.explanation) == (BreakState.CLOSED, WHY)
        assert (over.ended_at, over.ended_run) == (at + 2 * MINUTE, None)
        assert AuditEvent.objects.get(action="break.close").actor == str(approver)
        with pytest.raises(IllegalTransition):
            services.propose_close_break(over.pk, explanation=WHY, actor=officer, at=at)

    def test_refuses_the_person_who_proposed_it(
        self, over: Break, officer: Actor, at: datetime
    ) -> None:
        services.propose_close_break(over.pk, explanation=WHY, actor=officer, at=at)

        with pytest.raises(SamePerson):
            services.confirm_close_break(over.pk, payload_hash=seen(over), actor=officer, at=at)

        self.assert_open(over)

    def test_refuses_who_saw_something_else(
        self, over: Break, officer: Actor, approver: Actor, at: datetime
    ) -> None:
        services.propose_close_break(over.pk, explanation=WHY, actor=officer, at=at)

        with pytest.raises(ProposalChanged) as refusal:
            services.confirm_close_break(over.pk, payload_hash="f" * 64, actor=approver, at=at)

        assert refusal.value.facts == {"proposed": seen(over), "found": "f" * 64}
        self.assert_open(over)

    def test_refuses_what_nobody_proposed(self, over: Break, approver: Actor, at: datetime) -> None:
        with pytest.raises(errors.CloseNotProposed):
            services.confirm_close_break(over.pk, payload_hash=seen(over), actor=approver, at=at)

        self.assert_open(over)

    def test_refuses_when_a_run_finds_it_again(
        self,
        over: Break,
        world: tuple[Token, Deployment],
        officer: Actor,
        approver: Actor,
        at: datetime,
    ) -> None:
        services.propose_close_break(over.pk, explanation=WHY, actor=officer, at=at)
        reserves.supply(world[1], Decimal(6), at=at)
        reconciliation.run(world[0].program, at=at + 2 * MINUTE)

        with pytest.raises(errors.BreakStillSeen):
            services.confirm_close_break(
                over.pk, payload_hash=seen(over), actor=approver, at=at + 2 * MINUTE
            )

        reserves.supply(world[1], Decimal(0), at=at)
        reconciliation.run(world[0].program, at=at + 3 * MINUTE)
        with pytest.raises(ProposalChanged):
            services.confirm_close_break(
                over.pk, payload_hash=seen(over), actor=approver, at=at + 3 * MINUTE
            )

        self.assert_open(over)

    def test_closes_a_mint_for_good(self, officer: Actor, approver: Actor, at: datetime) -> None:
        token, deployment, _ = reserves.backed_token(Decimal(1000), at=at)
        chain.event(deployment, base_units=5 * ONE)
        reconciliation.run(token.program, at=at)
        mint = Break.objects.get(code=BreakCode.UNA_MINT)

        services.propose_close_break(mint.pk, explanation=WHY, actor=officer, at=at)
        services.confirm_close_break(mint.pk, payload_hash=seen(mint), actor=approver, at=at)
        reconciliation.run(token.program, at=at + MINUTE)

        assert Break.objects.get(code=BreakCode.UNA_MINT).state == BreakState.CLOSED

    def assert_open(self, found: Break) -> None:
        found.refresh_from_db()
        assert (found.state, found.explanation) == (BreakState.OPEN, "")


class TestDeclineCloseBreak:
    def test_leaves_it_open(
        self, over: Break, officer: Actor, approver: Actor, at: datetime
    ) -> None:
        services.propose_close_break(over.pk, explanation=WHY, actor=officer, at=at)

        proposal = services.decline_close_break(
            over.pk, reason="Which tokens?", actor=approver, at=at
        )

        assert (proposal.state, proposal.reason) == (ProposalState.DECLINED, "Which tokens?")
        over.refresh_from_db()
        assert over.state == BreakState.OPEN
        with pytest.raises(errors.CloseNotProposed):
            services.decline_close_break(over.pk, reason="Again.", actor=approver, at=at)


class TestAClearedBreak:
    def test_voids_what_was_proposed_for_it(self, officer: Actor, at: datetime) -> None:
        token, _, _ = reserves.backed_token(at=at)
        run = reconciliation.run(token.program, at=at)
        found = reconciliation.break_(
            token, code=BreakCode.CUS_LONG, severity=Severity.MEDIUM, run_=run
        )
        Break.objects.update(last_seen_run=reconciliation.run())
        services.propose_close_break(found.pk, explanation=WHY, actor=officer, at=at)

        reconciliation.run(token.program, at=at + MINUTE)

        found.refresh_from_db()
        assert found.state == BreakState.CLEARED
        assert Proposal.objects.get().state == ProposalState.VOIDED


class TestOpenBreaks:
    def test_come_gravest_first_and_of_those_the_oldest(self, at: datetime) -> None:
        token, _, _ = reserves.backed_token(at=at)
        later, earlier = (
            reconciliation.run(token.program, at=at + MINUTE * minutes) for minutes in (0, 1)
        )
        later, earlier = earlier, later
        info = reconciliation.break_(
            token, code=BreakCode.BAK_SETTLED, severity=Severity.INFO, run_=earlier
        )
        high = reconciliation.break_(
            token, code=BreakCode.SRC_STALE, severity=Severity.HIGH, run_=earlier
        )
        critical = reconciliation.break_(token, run_=later)
        medium = reconciliation.break_(
            token, code=BreakCode.CUS_LONG, severity=Severity.MEDIUM, run_=earlier
        )
        second = reconciliation.break_(
            token, code=BreakCode.CHN_SRC, severity=Severity.HIGH, run_=later
        )
        other = reconciliation.break_()

        assert list(selectors.open_breaks(token.program)) == [
            critical,
            high,
            second,
            medium,
            info,
        ]
        assert other in selectors.open_breaks()
