"""The lowest cover of a period, from what the database holds of books, custodians and chains."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import pytest

from issuer.attestation import selectors, services
from issuer.attestation.changes import lows_between
from issuer.attestation.package import verify_offline
from issuer.attestation.period_low import Cause, Low
from issuer.chain.models import ChainEvent, IntentTransition, SupplySnapshot
from issuer.chain.states import EventKind, IntentState
from issuer.custody.models import CustodyAccount
from issuer.foundation import actors
from issuer.instruments import chart
from issuer.instruments import selectors as instrument_selectors
from issuer.instruments.models import Deployment
from issuer.ledger import services as ledger
from issuer.reconciliation.models import Run, TokenResult
from issuer.reserves.cover import CoverStatus
from tests.make import attestation as make
from tests.make import chain, custody, instruments, reconciliation

pytestmark = pytest.mark.django_db

SYSTEM = actors.system("tests")
MINUTE = timedelta(minutes=1)
ONE = 10**18
#: When blocks are mined that nothing here is about.
SOME_DAY = datetime(2030, 1, 1, tzinfo=UTC)


@pytest.fixture
def world(at: datetime) -> make.World:
    """Return 600 tokens on one chain, as its events tell, and 602 shares."""
    world = make.world(at=at)
    chain.event(world.deployment, base_units=600 * ONE, seen_at=at - timedelta(hours=1))
    return world


@pytest.fixture
def second(world: make.World) -> Deployment:
    """Return the same token on a second chain."""
    return instruments.deployment(token_=world.deployment.token)


def low(
    world: make.World,
    *,
    start: datetime,
    until: datetime,
    known: dict[UUID, SupplySnapshot] | None = None,
) -> Low | None:
    """Return the lowest cover of the world's token, with everything read that there is."""
    token = world.deployment.token
    results = list(
        reconciliation.run(world.program, at=until).results.select_related("run", "token")
    )
    found = lows_between(
        results,
        list(Deployment.objects.filter(token=token).select_related("network")),
        list(CustodyAccount.objects.filter(token=token).select_related("token")),
        instrument_selectors.splits_of([token]),
        start=start,
        read=read_so_far(world),
        known=known,
    )
    return found.get(token.pk)


def read_so_far(world: make.World) -> dict[UUID, SupplySnapshot]:
    """Return a snapshot of each deployment, of a block above all of them until now."""
    return {
        one.pk: chain.snapshot(one, taken_at=SOME_DAY)
        for one in Deployment.objects.filter(token=world.deployment.token)
    }


def minted(
    deployment: Deployment, tokens: int, *, at: datetime, seen_at: datetime | None = None
) -> ChainEvent:
    """Record a mint, or a burn of fewer than no tokens, in a block of `at`."""
    return chain.event(
        deployment,
        kind=EventKind.MINT if tokens > 0 else EventKind.BURN,
        base_units=abs(tokens) * ONE,
        block_mined_at=at,
        seen_at=seen_at or at + MINUTE,
    )


class TestLowsBetween:
    def test_is_that_of_the_beginning_if_nothing_happens(
        self, world: make.World, at: datetime
    ) -> None:
        assert low(world, start=at, until=at + MINUTE) == Low(10_033, at, Cause.OPENING, "")

    def test_adds_up_what_is_on_two_chains(
        self, world: make.World, second: Deployment, at: datetime
    ) -> None:
        theft = minted(second, 5, at=at + MINUTE)
        minted(second, -5, at=at + 3 * MINUTE)

        found = low(world, start=at, until=at + 10 * MINUTE)

        # 602 shares for 600 + 5 tokens.
        assert found == Low(9_950, at + MINUTE, Cause.CHAIN, theft.transaction_hash)

    def test_counts_a_mint_of_ours_from_when_it_is_booked(
        self, world: make.World, second: Deployment, at: datetime
    ) -> None:
        booked_at = at + 5 * MINUTE
        intent = chain.intent(second, state=IntentState.BOOKED, base_units=2 * ONE, signed_at=at)
        IntentTransition.objects.create(
            intent=intent,
            serial=1,
            step="BOOK",
            origin=IntentState.FINAL,
            destination=IntentState.BOOKED,
            actor=str(SYSTEM),
            occurred_at=booked_at,
        )
        token = world.deployment.token
        lines = [
            ledger.Line(chart.shares_own(token), chart.shares_owed_on_tokens(token), Decimal(2))
        ]
        ledger.post("mint-2", lines, effective_at=booked_at, actor=SYSTEM, at=booked_at)

        assert low(world, start=at, until=at + 4 * MINUTE) == Low(10_033, at, Cause.OPENING, "")
        # 602 shares for 602 tokens.
        assert low(world, start=at, until=at + 9 * MINUTE) == Low(
            10_000, booked_at, Cause.BOOKS, "mint-2"
        )

    def test_sees_what_a_custodian_stated_in_between(self, world: make.World, at: datetime) -> None:
        day = timedelta(days=1)
        custodian, account = world.account.custodian, world.account
        fewer = custody.statement(custodian, [custody.line(account, Decimal(590))], at=at + day)
        custody.statement(custodian, [custody.line(account, Decimal(602))], at=at + 2 * day)

        found = low(world, start=at, until=at + 3 * day)

        # 590 shares for 600 tokens.
        assert found == Low(9_833, at + day, Cause.STATEMENT, fewer.reference)

    def test_counts_a_split_on_both_sides_from_the_instant_that_it_takes_effect(
        self, world: make.World, second: Deployment, at: datetime
    ) -> None:
        instruments.split(world.deployment.token, effective_at=at + MINUTE, at=at)
        theft = minted(second, 5, at=at + 2 * MINUTE)

        # 602 × 4 shares for 600 × 4 tokens, then for 605 × 4.
        assert low(world, start=at, until=at + MINUTE) == Low(10_033, at, Cause.OPENING, "")
        assert low(world, start=at, until=at + 3 * MINUTE) == Low(
            9_950, at + 2 * MINUTE, Cause.CHAIN, theft.transaction_hash
        )

    def test_sees_tokens_leave_the_issuer_s_own_addresses(
        self, world: make.World, at: datetime
    ) -> None:
        network = world.deployment.network
        treasury = instruments.controlled_address(network_=network).address
        minted(world.deployment, 100, at=at - 30 * MINUTE)
        for held, taken_at in ((100, at - MINUTE), (40, at + 2 * MINUTE), (100, at + 4 * MINUTE)):
            chain.snapshot(world.deployment, controlled={treasury: held * ONE}, taken_at=taken_at)

        found = low(world, start=at, until=at + 10 * MINUTE)

        # 602 shares for 600 + 60 tokens.
        assert found == Low(9_121, at + 2 * MINUTE, Cause.OWN_ADDRESS, network.caip2)

    def test_counts_a_reconciliation_that_found_less(self, world: make.World, at: datetime) -> None:
        run = Run.objects.create(
            program=world.program, as_of=at + MINUTE, started_by=str(SYSTEM), recorded_at=at
        )
        TokenResult.objects.create(
            run=run,
            token=world.deployment.token,
            status=CoverStatus.SHORT,
            owed_shares=Decimal(600),
            held_shares=Decimal(540),
            surplus_shares=Decimal(-60),
            headroom=Decimal(0),
            cover_bps=9_000,
        )

        found = low(world, start=at, until=at + 10 * MINUTE)

        assert found == Low(9_000, at + MINUTE, Cause.RECONCILIATION, str(run.pk))

    def test_is_none_where_nothing_is_owed(self, at: datetime) -> None:
        empty = make.world(at=at, tokens=Decimal(0))

        assert low(empty, start=at, until=at + MINUTE) is None


class TestFoundLate:
    """The statement before was of `at`, and rests on the blocks that had been read by then."""

    def test_is_a_dip_that_was_mined_before_the_cut_off_and_read_after_it(
        self, world: make.World, second: Deployment, at: datetime
    ) -> None:
        known = read_so_far(world)
        theft = minted(second, 5, at=at - 9 * MINUTE)
        minted(second, -5, at=at - 4 * MINUTE)

        found = low(world, start=at, until=at + 10 * MINUTE, known=known)

        expected = Low(9_950, at - 9 * MINUTE, Cause.LATE_FOUND, theft.transaction_hash)
        assert found == expected

    def test_is_named_for_when_it_began_if_it_lasts(
        self, world: make.World, second: Deployment, at: datetime
    ) -> None:
        known = read_so_far(world)
        theft = minted(second, 5, at=at - MINUTE)

        found = low(world, start=at, until=at + 10 * MINUTE, known=known)

        assert found == Low(9_950, at - MINUTE, Cause.LATE_FOUND, theft.transaction_hash)

    def test_is_nothing_that_the_statement_before_could_say(
        self, world: make.World, second: Deployment, at: datetime
    ) -> None:
        minted(second, 5, at=at - 9 * MINUTE)
        minted(second, -5, at=at - 4 * MINUTE)

        found = low(world, start=at, until=at + 10 * MINUTE, known=read_so_far(world))

        assert found == Low(10_033, at, Cause.OPENING, "")

    def test_is_only_what_was_lower_than_stated(
        self, world: make.World, second: Deployment, at: datetime
    ) -> None:
        # What was known: 10 tokens too many for five minutes.
        minted(second, 10, at=at - 30 * MINUTE)
        minted(second, -10, at=at - 25 * MINUTE)
        known = read_so_far(world)
        late = minted(second, 1, at=at - 28 * MINUTE)

        found = low(world, start=at, until=at + 10 * MINUTE, known=known)

        # 602 shares for 611 tokens, where it was known to be for 610.
        assert found == Low(9_852, at - 28 * MINUTE, Cause.LATE_FOUND, late.transaction_hash)

    def test_is_not_named_where_the_period_has_a_lower_one(
        self, world: make.World, second: Deployment, at: datetime
    ) -> None:
        known = read_so_far(world)
        minted(second, 5, at=at - 9 * MINUTE)
        minted(second, -5, at=at - 4 * MINUTE)
        worse = minted(second, 20, at=at + MINUTE)

        found = low(world, start=at, until=at + 10 * MINUTE, known=known)

        # 602 shares for 620 tokens.
        assert found == Low(9_709, at + MINUTE, Cause.CHAIN, worse.transaction_hash)

    def test_is_told_of_the_issuer_s_own_addresses_too(
        self, world: make.World, at: datetime
    ) -> None:
        network = world.deployment.network
        treasury = instruments.controlled_address(network_=network).address
        minted(world.deployment, 100, at=at - 30 * MINUTE)
        known = {
            world.deployment.pk: chain.snapshot(
                world.deployment, controlled={treasury: 100 * ONE}, taken_at=at - 20 * MINUTE
            )
        }
        chain.snapshot(world.deployment, controlled={treasury: 40 * ONE}, taken_at=at - 3 * MINUTE)

        found = low(world, start=at, until=at + 10 * MINUTE, known=known)

        assert found == Low(9_121, at - 3 * MINUTE, Cause.LATE_FOUND, network.caip2)

    def test_leaves_a_mint_of_ours_to_its_booking(
        self, world: make.World, second: Deployment, at: datetime
    ) -> None:
        intent = chain.intent(second, state=IntentState.FINAL, base_units=5 * ONE, signed_at=at)
        assert intent.event is not None

        found = low(world, start=at, until=at + 10 * MINUTE, known={})

        assert found == Low(10_033, at, Cause.OPENING, "")


class TestStatement:
    def read(self, world: make.World, second: Deployment, *, at: datetime) -> None:
        """Read 600 tokens on the first chain, and none on the second."""
        for deployment, tokens in ((world.deployment, 600), (second, 0)):
            chain.snapshot(deployment, total_supply_base_units=tokens * ONE, taken_at=at)

    def test_says_what_was_found_late_and_verifies(
        self, world: make.World, second: Deployment, at: datetime
    ) -> None:
        self.read(world, second, at=at - MINUTE)
        # The scan looks at the clock, then the statement is frozen, and then the scan commits.
        scan_began = at
        first = make.published(world, at=at)
        theft = minted(second, 5, at=at - 9 * MINUTE, seen_at=scan_began)
        minted(second, -5, at=at - 4 * MINUTE, seen_at=scan_began)
        later = at + 10 * MINUTE
        self.read(world, second, at=later - MINUTE)

        second_one = make.published(world, at=later)

        (token,) = selectors.content_of(second_one)["tokens"]
        assert token["periodLow"] == {
            "coverageBp": 9_950,
            "at": "2026-11-20T14:51:00Z",
            "cause": "LATE_FOUND",
            "ref": theft.transaction_hash,
        }
        report, _ = verify_offline.verify(
            selectors.package_files(second_one),
            keys=selectors.published_keys(),
            previous=selectors.package_files(first),
        )
        assert not report.failed, list(report.lines())

    def test_leaves_what_it_did_not_read_to_the_next_one(
        self, world: make.World, second: Deployment, at: datetime
    ) -> None:
        self.read(world, second, at=at - MINUTE)
        # Recorded before the statement is made, in blocks above those that it rests on.
        frozen_from = reconciliation.run(world.program, at=at)
        theft = minted(second, 5, at=at - 30 * MINUTE)
        minted(second, -5, at=at - 20 * MINUTE)
        frozen = services.propose(
            world.program, run=frozen_from, actor=world.officer, at=at + MINUTE
        )
        services.confirm(frozen.pk, actor=world.approver, at=at + MINUTE)
        first = make.signed_and_published(frozen, at=at + MINUTE)
        self.read(world, second, at=at + 9 * MINUTE)

        next_one = make.published(world, at=at + 10 * MINUTE)

        (before,), (token,) = (selectors.content_of(one)["tokens"] for one in (first, next_one))
        assert before["periodLow"]["coverageBp"] == 10_033
        assert token["periodLow"] == {
            "coverageBp": 9_950,
            "at": "2026-11-20T14:30:00Z",
            "cause": "LATE_FOUND",
            "ref": theft.transaction_hash,
        }

    def test_tells_what_began_before_the_period_before_as_of_its_beginning(
        self, world: make.World, second: Deployment, at: datetime
    ) -> None:
        make.published(world, at=at)
        self.read(world, second, at=at + 9 * MINUTE)
        before = make.published(world, at=at + 10 * MINUTE)
        minted(second, 5, at=at - 9 * MINUTE)
        minted(second, -5, at=at - 4 * MINUTE)
        self.read(world, second, at=at + 19 * MINUTE)

        last = make.published(world, at=at + 20 * MINUTE)

        (token,) = selectors.content_of(last)["tokens"]
        low = token["periodLow"]
        assert (low["coverageBp"], low["cause"]) == (9_950, "LATE_FOUND")
        assert low["at"] == selectors.content_of(before)["period"]["from"]
        report, _ = verify_offline.verify(
            selectors.package_files(last),
            keys=selectors.published_keys(),
            previous=selectors.package_files(before),
        )
        assert not report.failed, list(report.lines())
