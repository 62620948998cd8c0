"""Cover while tokens come back: at every stage the surplus is what it was."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import transaction
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from issuer.chain.models import TransactionIntent
from issuer.chain.states import IntentKind, IntentState
from issuer.custody import selectors as custody_selectors
from issuer.custody import services as custody_services
from issuer.custody.errors import AccountSharesNotFree
from issuer.custody.models import CustodyAccount, SettlementInstruction
from issuer.custody.states import InstructionState
from issuer.foundation import actors
from issuer.foundation.identifiers import uuid7
from issuer.instruments.models import ControlledRole, Deployment, Token
from issuer.reserves import selectors
from issuer.reserves.cover import Cover, CoverStatus
from issuer.reserves.figures import TokenFigures
from tests.histories import tried
from tests.make import chain, custody, instruments, reserves
from tests.make.reserves import amounts

ONE = 10**18
DAY = timedelta(days=1)
AT = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)
SYSTEM = actors.system("tests")


@dataclass
class World:
    """A token on two chains, with shares behind it, whose redemptions are taken step by step."""

    token: Token
    deployments: tuple[Deployment, Deployment]
    account: CustodyAccount
    supplies: list[Decimal]

    @classmethod
    def of(cls, held: Decimal, supplies: list[Decimal], *, at: datetime) -> "World":
        token, first, account = reserves.backed_token(held, at=at)
        second = instruments.deployment(token_=token)
        world = cls(token, (first, second), account, supplies)
        issued = sum(supplies, Decimal(0))
        if issued:
            reserves.issue(token, issued, issued, at=at)
        world.read_chains(at=at)
        return world

    def figures(self, *, at: datetime) -> TokenFigures:
        return selectors.figures_of([self.token], at=at)[self.token.pk]

    def cover(self, *, at: datetime) -> Cover:
        return self.figures(at=at).cover

    def read_chains(self, *, at: datetime) -> None:
        for deployment, tokens in zip(self.deployments, self.supplies, strict=True):
            reserves.supply(deployment, tokens, at=at)

    def burn(self, number: int, tokens: Decimal, *, at: datetime) -> TransactionIntent:
        """Let a burn on chain `number` become final, and read the chain after it."""
        intent = reserves.final_burn(self.deployments[number], tokens)
        self.supplies[number] -= tokens
        self.read_chains(at=at)
        return intent

    def book(self, intent: TransactionIntent, tokens: Decimal, *, at: datetime) -> None:
        reserves.burn(self.token, tokens, tokens, at=at)
        reserves.mark_booked(intent)

    def instruct(self, tokens: Decimal, *, at: datetime) -> SettlementInstruction:
        return custody_services.instruct_delivery(
            account=self.account,
            request_id=uuid7(),
            quantity=tokens,
            trade_date=at.date(),
            settlement_date=at.date(),
            receiving_party="A broker",
            actor=SYSTEM,
            at=at,
        )

    def state(self, settled: Decimal, pending: Decimal = Decimal(0), *, at: datetime) -> None:
        """Have the custodian state what is there, and what it is about to deliver."""
        current = custody_selectors.current_statement(self.account.custodian)
        same_day = current is not None and current.as_of_date == at.date()
        custody.statement(
            self.account.custodian,
            [custody.line(self.account, settled, pending_delivery=pending)],
            at=at,
            supersedes=current.reference if current is not None and same_day else "",
        )


def figures_of(cover: Cover) -> tuple[Decimal | None, ...]:
    """Return owed on tokens, burned and not delivered, held and surplus."""
    return cover.owed_on_tokens, cover.burned_not_delivered, cover.held, cover.surplus


@pytest.fixture
def world(at: datetime) -> World:
    """600 tokens on the first chain and none on the second; 602 shares."""
    return World.of(Decimal(602), [Decimal(600), Decimal(0)], at=at)


@pytest.mark.django_db
class TestARedemptionOfAHundred:
    def test_is_owed_in_another_form_until_it_is_delivered(
        self, world: World, at: datetime
    ) -> None:
        hundred = Decimal(100)
        assert figures_of(world.cover(at=at)) == amounts(600, 0, 602, 2)

        intent = world.burn(0, hundred, at=at)
        assert figures_of(world.cover(at=at)) == amounts(600, 0, 602, 2)

        world.book(intent, hundred, at=at)
        assert figures_of(world.cover(at=at)) == amounts(500, 100, 602, 2)
        assert world.cover(at=at).owed == 600

        instruction = world.instruct(hundred, at=at)
        assert figures_of(world.cover(at=at)) == amounts(500, 0, 502, 2)

        world.state(Decimal(602), pending=hundred, at=at)
        assert figures_of(world.cover(at=at)) == amounts(500, 0, 502, 2)

        world.state(Decimal(502), at=at)
        assert figures_of(world.cover(at=at)) == amounts(500, 0, 502, 2)
        instruction.refresh_from_db()
        assert instruction.state == InstructionState.SETTLED
        assert world.cover(at=at).ratio_bps == 10040

    def test_is_known_by_its_burn_until_that_is_booked(self, world: World, at: datetime) -> None:
        intent = world.burn(0, Decimal(100), at=at)

        (burn,) = world.figures(at=at).deployments[0].unbooked_burns
        assert (burn.request_id, burn.quantity) == (intent.request_id, Decimal(100))
        assert intent.event is not None
        assert burn.transaction_hash == intent.event.transaction_hash
        assert world.figures(at=at).deployments[0].redeemable == 600

        world.book(intent, Decimal(100), at=at)
        assert world.figures(at=at).deployments[0].unbooked_burns == ()

    def test_is_not_taken_off_a_supply_that_is_of_before_its_burn(
        self, world: World, at: datetime
    ) -> None:
        reserves.final_burn(world.deployments[0], Decimal(100))

        assert world.figures(at=at).deployments[0].unbooked_burns == ()
        assert figures_of(world.cover(at=at)) == amounts(600, 0, 602, 2)

    def test_stays_owed_at_the_deposit_address_until_it_is_burned(
        self, world: World, at: datetime
    ) -> None:
        deposits = instruments.controlled_address(
            network_=world.deployments[0].network, role=ControlledRole.REDEMPTION
        )
        chain.snapshot(
            world.deployments[0],
            total_supply_base_units=600 * ONE,
            controlled={deposits.address: 100 * ONE},
            taken_at=at,
        )

        assert world.figures(at=at).deployments[0].excluded == ()
        assert figures_of(world.cover(at=at)) == amounts(600, 0, 602, 2)

    def test_does_not_leave_an_account_that_is_too_young_for_a_statement(
        self, world: World, at: datetime
    ) -> None:
        young = custody.account(token_=world.token, opened_at=at)
        world.book(world.burn(0, Decimal(100), at=at), Decimal(100), at=at)

        with pytest.raises(AccountSharesNotFree), transaction.atomic():
            World(world.token, world.deployments, young, []).instruct(Decimal(100), at=at)

        assert figures_of(world.cover(at=at)) == amounts(500, 100, 602, 2)

    def test_takes_what_the_custodian_says_if_that_is_more(
        self, world: World, at: datetime
    ) -> None:
        world.book(world.burn(0, Decimal(100), at=at), Decimal(100), at=at)
        world.instruct(Decimal(100), at=at)

        world.state(Decimal(602), pending=Decimal(130), at=at)

        assert world.cover(at=at).held == 472


@pytest.mark.django_db
class TestAThief:
    def test_makes_a_token_short_by_what_the_surplus_does_not_bear(
        self, world: World, at: datetime
    ) -> None:
        self.steal(world, at=at)

        cover = world.cover(at=at)

        assert (cover.owed, cover.held, cover.surplus) == amounts(605, 602, -3)
        assert (cover.status, cover.ratio_bps) == (CoverStatus.SHORT, 9950)

    def test_cannot_hide_behind_a_burn_that_is_not_booked(self, world: World, at: datetime) -> None:
        self.steal(world, at=at)
        world.burn(0, Decimal(100), at=at)

        assert figures_of(world.cover(at=at)) == amounts(605, 0, 602, -3)

    @pytest.mark.parametrize("state", [IntentState.FINAL, IntentState.BOOKED])
    def test_is_undone_by_a_seizure_that_is_in_neither_books_nor_supply(
        self, state: IntentState, world: World, at: datetime
    ) -> None:
        self.steal(world, at=at)
        second = world.deployments[1]
        chain.intent(second, kind=IntentKind.SEIZE, state=state, base_units=5 * ONE)
        world.supplies[1] = Decimal(0)
        world.read_chains(at=at)

        assert world.figures(at=at).deployments[1].unbooked_burns == ()
        assert figures_of(world.cover(at=at)) == amounts(600, 0, 602, 2)

    def steal(self, world: World, *, at: datetime) -> None:
        chain.event(world.deployments[1], base_units=5 * ONE)
        world.supplies[1] = Decimal(5)
        world.read_chains(at=at)


parts = st.decimals(min_value=Decimal("1e-9"), max_value=1000, places=9)
#: Which redemption goes a step on; each has five.
orders = st.lists(st.integers(0, 3), max_size=24)


def redeem(world: World, tokens: Decimal, number: int, queue: list[Decimal]) -> Iterator[None]:
    """Take a redemption on chain `number` through its stages, one at a time.

    The custodian delivers in the order in which it was told to, and states what is still to go.
    """
    intent = world.burn(number, tokens, at=AT)
    yield
    world.book(intent, tokens, at=AT)
    yield
    world.instruct(tokens, at=AT)
    queue.append(tokens)
    yield
    world.state(custody.booked(world.account), pending=sum(queue, Decimal(0)), at=AT)
    yield
    gone = queue.pop(0)
    world.state(custody.booked(world.account) - gone, pending=sum(queue, Decimal(0)), at=AT)
    yield


class TestAnyOrderOfRedemptions(TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        chain.signer()  # the first one loads what changes Python's limits, outside of any example

    @tried(8)
    @given(
        own=parts,
        left=parts,
        quantities=st.lists(st.tuples(parts, st.integers(0, 1)), min_size=1, max_size=4),
        order=orders,
    )
    def test_leaves_the_surplus_what_it_was(
        self,
        own: Decimal,
        left: Decimal,
        quantities: list[tuple[Decimal, int]],
        order: list[int],
    ) -> None:
        supplies = [
            left + sum((tokens for tokens, on in quantities if on == number), Decimal(0))
            for number in (0, 1)
        ]
        world = World.of(sum(supplies, own), supplies, at=AT)
        before = world.cover(at=AT)
        assert before.surplus == own
        queue: list[Decimal] = []
        steps = [redeem(world, tokens, number, queue) for tokens, number in quantities]

        for number in order:
            if number < len(steps):
                next(steps[number], None)
                assert world.cover(at=AT).surplus == own
        for rest in steps:
            for _ in rest:
                assert world.cover(at=AT).surplus == own

        assert world.cover(at=AT).owed == world.cover(at=AT).owed_on_tokens == 2 * left
