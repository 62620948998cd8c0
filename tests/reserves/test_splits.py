"""Cover over a split: books, custodian and chains come to it at different times, cover at one."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from issuer.custody import selectors as custody_selectors
from issuer.custody import services as custody_services
from issuer.foundation import actors, quantities
from issuer.foundation.identifiers import uuid7
from issuer.instruments import services
from issuer.reserves import selectors
from issuer.reserves.cover import Cover, CoverStatus
from issuer.reserves.figures import TokenFigures
from tests.histories import tried
from tests.make import chain, custody, instruments, reserves
from tests.make.reserves import amounts

AT = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)
ONE = 10**18
SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
SYSTEM = actors.system("tests")


class World:
    """A token on two chains, 602 shares behind 600 tokens, and a split a minute ahead."""

    def __init__(
        self,
        *,
        own: Decimal = Decimal(2),
        supplies: tuple[Decimal, Decimal] = (Decimal(500), Decimal(100)),
        shares_after: int = 4,
        shares_before: int = 1,
        at: datetime = AT,
    ) -> None:
        issued = sum(supplies, Decimal(0))
        self.supplies = supplies
        self.token, first, self.account = reserves.backed_token(issued + own, at=at)
        self.deployments = (first, instruments.deployment(token_=self.token))
        reserves.issue(self.token, issued, issued, at=at)
        self.read_chains(at=at)
        self.effective_at = at + MINUTE
        self.split = instruments.split(
            self.token,
            effective_at=self.effective_at,
            shares_after=shares_after,
            shares_before=shares_before,
            at=at,
        )

    def read_chains(self, *, at: datetime) -> None:
        for deployment, tokens in zip(self.deployments, self.supplies, strict=True):
            reserves.supply(deployment, tokens, at=at)

    def state(self, settled: Decimal, pending: Decimal = Decimal(0), *, at: datetime) -> None:
        """Have the custodian state what is there at `at`, in place of what it stated that day."""
        current = custody_selectors.current_statement(self.account.custodian)
        assert current is not None
        custody.statement(
            self.account.custodian,
            [custody.line(self.account, settled, pending_delivery=pending)],
            at=at,
            supersedes=current.reference,
        )

    def figures(self, *, at: datetime) -> TokenFigures:
        return selectors.figures_of([self.token], at=at)[self.token.pk]

    def cover(self, *, at: datetime) -> Cover:
        return self.figures(at=at).cover


def figures_of(cover: Cover) -> tuple[Decimal | int | None, ...]:
    """Return owed, held, surplus and the ratio in basis points."""
    return cover.owed, cover.held, cover.surplus, cover.ratio_bps


BEFORE_THE_SPLIT = amounts(600, 602, 2, 10033)
AFTER_THE_SPLIT = amounts(2400, 2408, 8, 10033)


@pytest.mark.django_db
class TestASplitOfFourForOne:
    def test_moves_owed_and_held_together(self, at: datetime) -> None:
        world = World(at=at)
        effective_at = world.effective_at
        assert figures_of(world.cover(at=effective_at - SECOND)) == BEFORE_THE_SPLIT

        assert figures_of(world.cover(at=effective_at)) == AFTER_THE_SPLIT

        world.read_chains(at=effective_at)
        assert figures_of(world.cover(at=effective_at)) == AFTER_THE_SPLIT

        reserves.split_books(world.split, at=effective_at)
        assert figures_of(world.cover(at=effective_at)) == AFTER_THE_SPLIT

        world.state(Decimal(2408), at=effective_at)
        assert figures_of(world.cover(at=effective_at)) == AFTER_THE_SPLIT
        assert world.figures(at=effective_at).books_factor == 1

    def test_may_reach_the_statement_before_the_books(self, at: datetime) -> None:
        world = World(at=at)
        world.state(Decimal(2408), at=world.effective_at)

        assert figures_of(world.cover(at=world.effective_at)) == AFTER_THE_SPLIT
        (account,) = world.figures(at=world.effective_at).accounts
        assert (account.settled, account.entitled, account.booked) == amounts(2408, 0, 2408)
        assert account.stated_factor == 1

    def test_counts_for_a_statement_that_came_before_it(self, at: datetime) -> None:
        world = World(at=at)

        (account,) = world.figures(at=world.effective_at).accounts

        assert account.stated_factor == Fraction(4)
        assert (account.settled, account.entitled, account.booked) == amounts(2408, 1806, 2408)

    def test_does_not_make_a_custodian_right_that_states_the_old_shares_after_it(
        self, at: datetime
    ) -> None:
        world = World(at=at)
        world.state(Decimal(602), at=world.effective_at)

        cover = world.cover(at=world.effective_at)

        assert (cover.status, cover.held) == (CoverStatus.SHORT, Decimal(602))

    def test_multiplies_what_is_owed_reserved_and_on_its_way(self, at: datetime) -> None:
        world = World(at=at)
        custody.instruction(
            world.account, Decimal(10), at=at, settlement_date=at.date() + timedelta(days=3)
        )
        reserves.share_hold(world.token, Decimal(1), at=at)
        reserves.burn(world.token, Decimal(100), Decimal(100), at=at)
        custody_services.instruct_delivery(
            account=world.account,
            request_id=uuid7(),
            quantity=Decimal(30),
            trade_date=at.date(),
            settlement_date=at.date(),
            receiving_party="A broker",
            actor=SYSTEM,
            at=at,
        )
        world.supplies = (Decimal(400), Decimal(100))
        world.read_chains(at=at)

        def found(at: datetime) -> tuple[Decimal | None, ...]:
            cover = world.cover(at=at)
            return (
                cover.owed_on_tokens,
                cover.burned_not_delivered,
                cover.held,
                cover.disclosed,
                cover.reserved,
                cover.surplus,
            )

        assert found(at) == amounts(500, 70, 572, 10, 1, 2)
        assert found(world.effective_at) == amounts(2000, 280, 2288, 40, 4, 8)
        reserves.split_books(world.split, at=world.effective_at)
        assert found(world.effective_at) == amounts(2000, 280, 2288, 40, 4, 8)

    def test_takes_a_custodians_claims_with_its_shares(self, at: datetime) -> None:
        world = World(at=at)
        current = custody_selectors.current_statement(world.account.custodian)
        assert current is not None
        encumbered = custody.line(
            world.account,
            Decimal(602),
            pending_receipt=Decimal(7),
            pending_delivery=Decimal(1),
            lent=Decimal(2),
            blocked=Decimal(3),
        )
        custody.statement(
            world.account.custodian, [encumbered], at=at, supersedes=current.reference
        )

        (account,) = world.figures(at=world.effective_at).accounts

        assert (account.leaving, account.lent, account.blocked) == amounts(4, 8, 12)
        assert (account.encumbered, account.awaited, account.free) == amounts(20, 28, 2384)

    def test_is_nothing_once_it_is_called_off(self, at: datetime) -> None:
        world = World(at=at)
        services.cancel_split(world.split.pk, reason="The vote failed.", actor=SYSTEM, at=at)

        assert figures_of(world.cover(at=world.effective_at)) == BEFORE_THE_SPLIT


@pytest.mark.django_db
class TestTheMultiplierOfAChain:
    def test_is_compared_at_the_time_of_its_block(self, at: datetime) -> None:
        """An activation between the block and now is none of a difference."""
        world = World(at=at)
        world.read_chains(at=world.effective_at - SECOND)

        figures = world.figures(at=world.effective_at + SECOND)

        assert [one.multiplier for one in figures.deployments] == [4, 4]
        assert [one.reason for one in figures.deployments] == [None, None]

    @pytest.mark.parametrize(("multiplier", "after"), [(1, True), (4, False)])
    def test_has_to_change_exactly_then_on_every_chain(
        self, multiplier: int, after: bool, at: datetime
    ) -> None:
        world = World(at=at)
        mined_at = world.effective_at if after else world.effective_at - SECOND
        world.read_chains(at=mined_at)
        chain.snapshot(
            world.deployments[1],
            total_supply_base_units=100 * ONE,
            ui_multiplier_base_units=multiplier * ONE,
            taken_at=mined_at,
        )

        cover = world.cover(at=world.effective_at)

        assert cover.status == CoverStatus.UNKNOWN
        booked = 4 if after else 1
        where = world.deployments[1]
        assert cover.reasons == (
            f"The multiplier of {where} is {multiplier} on chain and {booked} in the books.",
        )

    def test_is_that_of_now_for_a_block_of_before_the_books_knew_the_chain(
        self, at: datetime
    ) -> None:
        token, _, _ = reserves.backed_token(at=at)
        young = instruments.deployment(token_=token, multiplier_=None)
        instruments.multiplier(young, Decimal(2), start=at)
        chain.snapshot(
            young, ui_multiplier_base_units=2 * ONE, taken_at=at, block_mined_at=at - MINUTE
        )

        assert selectors.cover_of(token, at=at).status == CoverStatus.COVERED


Event = Callable[[World], None]


def read_chains(world: World) -> None:
    world.read_chains(at=world.effective_at)


def book(world: World) -> None:
    reserves.split_books(world.split, at=world.effective_at)


def state(world: World) -> None:
    stated = custody.booked(world.account)
    if world.figures(at=world.effective_at).books_factor != 1:
        scaled = quantities.scaled(stated, world.split.factor)
        assert scaled is not None
        stated = scaled
    world.state(stated, at=world.effective_at)


#: Thousandths, so that a custodian can count what any ratio below makes of them.
thousandths = st.integers(1, 10**9).map(lambda number: Decimal(number) / 1000)
ratios = st.sampled_from([(4, 1), (2, 1), (3, 2), (20, 1), (1, 2), (1, 20), (7, 4)])


class TestAnySplit(TestCase):
    @tried(10)
    @given(
        own=thousandths,
        supplies=st.tuples(thousandths, thousandths),
        ratio=ratios,
        order=st.permutations([read_chains, book, state]),
    )
    def test_changes_no_answer_whatever_comes_first(
        self,
        own: Decimal,
        supplies: tuple[Decimal, Decimal],
        ratio: tuple[int, int],
        order: list[Event],
    ) -> None:
        after, before = ratio
        world = World(own=own, supplies=supplies, shares_after=after, shares_before=before)
        at = world.effective_at
        first = world.cover(at=at - SECOND)
        assert first.surplus == own
        new = quantities.scaled(own, Fraction(after, before))

        assert world.cover(at=at).surplus == new
        for event in order:
            event(world)
            cover = world.cover(at=at)
            assert cover.surplus == new
            assert (cover.status, cover.ratio_bps) == (first.status, first.ratio_bps)
