"""Shares on their way out, at every stage: none is counted twice, and none taken off twice."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from issuer.custody import services
from issuer.custody.models import CustodyAccount, SettlementInstruction
from issuer.custody.selectors import current_statement
from issuer.foundation import actors
from issuer.instruments.models import Deployment, Token
from issuer.reconciliation.legs import FoundItem, FoundToken, reconcile_token
from issuer.reserves import selectors
from issuer.reserves.cover import CoverStatus
from tests.make import chain, custody, reserves

AT = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)
SYSTEM = actors.system("tests")
HUNDRED = Decimal(100)


class World:
    """602 shares in one account; 500 tokens are out, and 100 shares are owed for burned ones."""

    def __init__(self) -> None:
        self.token: Token
        self.deployment: Deployment
        self.account: CustodyAccount
        self.token, self.deployment, self.account = reserves.backed_token(
            Decimal(602), at=AT - timedelta(days=1)
        )
        reserves.issue(self.token, Decimal(600), Decimal(600), at=AT)
        reserves.burn(self.token, HUNDRED, HUNDRED, at=AT)
        reserves.supply(self.deployment, Decimal(500), at=AT)
        self.day = 0

    def deliver(self, quantity: Decimal = HUNDRED, *, days: int = 0) -> SettlementInstruction:
        return custody.delivery(
            self.account, quantity, at=AT, settlement_date=(AT + timedelta(days=days)).date()
        )

    def state(
        self, settled: Decimal | int, *, pending: Decimal | int = 0, at: datetime = AT
    ) -> None:
        custodian = self.account.custodian
        current = current_statement(custodian)
        same_day = current is not None and current.as_of_date == at.date()
        custody.statement(
            custodian,
            [custody.line(self.account, Decimal(settled), pending_delivery=Decimal(pending))],
            supersedes=current.reference if current is not None and same_day else "",
            at=at,
        )

    def found(self, *, at: datetime = AT) -> FoundToken:
        reserves.supply(self.deployment, Decimal(500), at=at)
        return reconcile_token(selectors.figures_of([self.token], at=at)[self.token.pk])

    def amounts(self, *, at: datetime = AT) -> list[Decimal | None]:
        """Return held, owed, B3 and B11."""
        found = self.found(at=at)
        lines = [found.quantity(code) for code in ("B3", "B11")]
        assert found.cover.surplus == 2
        assert found.cover.status == CoverStatus.COVERED
        return [found.cover.held, found.cover.owed, *lines]


@pytest.fixture
def world() -> World:
    return World()


@pytest.mark.django_db
class TestADelivery:
    def test_that_is_instructed_is_off_what_is_held(self, world: World) -> None:
        assert world.amounts() == [602, 600, 0, 0]
        world.deliver()
        assert world.amounts() == [502, 500, -100, 0]

    def test_that_is_pending_at_the_custodian_is_off_once(self, world: World) -> None:
        world.deliver(days=3)
        world.state(602, pending=100)
        assert world.amounts() == [502, 500, -100, 0]

    def test_that_has_left_before_its_date_is_off_once(self, world: World) -> None:
        world.deliver(days=3)
        world.state(502)

        assert world.amounts() == [502, 500, 0, 0]
        told, gone = _items(world.found(), "B3")
        assert (told.kind, told.quantity) == ("DELIVERY", -HUNDRED)
        assert (gone.kind, gone.quantity) == ("DELIVERED", HUNDRED)
        assert gone.reference == world.account.custodian.code

    @pytest.mark.parametrize(("pending", "days"), [(40, 3), (0, 3), (40, 0), (0, 0)])
    def test_that_has_left_in_part_is_off_once(self, pending: int, days: int, world: World) -> None:
        delivery = world.deliver(days=days)
        world.state(542, pending=pending)

        assert world.amounts() == [502, 500, -40, 0]
        delivery.refresh_from_db()
        # The part is in the books if it is due, and the custodian has the rest pending.
        assert delivery.settled_quantity == (60 if pending and not days else 0)

    def test_that_is_settled_is_gone(self, world: World) -> None:
        world.deliver()
        world.state(502)
        assert world.amounts() == [502, 500, 0, 0]

    def test_that_has_failed_stays_off(self, world: World) -> None:
        delivery = world.deliver()
        world.state(602)
        services.fail_instruction(delivery.pk, reason="Not matched.", actor=SYSTEM, at=AT)
        assert world.amounts() == [502, 500, -100, 0]

    def test_that_is_canceled_is_there_and_owed_again(self, world: World) -> None:
        delivery = world.deliver()
        services.cancel_instruction(delivery.pk, actor=SYSTEM, at=AT)
        assert world.amounts() == [602, 600, 0, 0]

    def test_hides_no_share_that_is_missing_beside_it(self, world: World) -> None:
        world.deliver(days=3)
        world.state(592, pending=100)

        found = world.found()
        lines = [found.quantity(code) for code in ("B3", "B9", "B10", "B11", "C5", "C8")]
        assert lines == [-100, 492, 502, -10, 492, -8]
        assert found.cover.status == CoverStatus.SHORT

    def test_hides_none_that_is_missing_once_it_has_left(self, world: World) -> None:
        world.deliver(days=3)
        world.state(492)

        found = world.found()
        assert [found.quantity(code) for code in ("B3", "B11", "C5")] == [0, -10, 492]


def _items(found: FoundToken, code: str) -> tuple[FoundItem, ...]:
    return found.lines[code].items


#: Parts of a share, so that sums show what rounding would hide.
_PARTS = st.decimals(min_value=Decimal("1e-9"), max_value=25, places=9)
_STAGES = st.sampled_from(["ignored", "pending", "part", "part, rest pending", "left"])


class TestAnyOrder(TestCase):
    """Whatever the custodian does with which delivery, and says when, what is held is the same."""

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        chain.signer()  # the first one loads what changes Python's limits, outside of any example

    @settings(max_examples=12, deadline=None)
    @given(
        quantities=st.lists(st.tuples(_PARTS, st.sampled_from([0, 9])), min_size=1, max_size=4),
        days=st.lists(st.lists(_STAGES, min_size=4, max_size=4), min_size=1, max_size=4),
        failing=st.booleans(),
    )
    def test_takes_each_share_off_once(
        self, quantities: list[tuple[Decimal, int]], days: list[list[str]], failing: bool
    ) -> None:
        world = World()
        told = Decimal(0)
        deliveries = []
        for quantity, due in quantities:
            deliveries.append(world.deliver(quantity, days=due))
            told += quantity
            assert world.amounts()[:2] == [602 - told, 600 - told]
        gone = [Decimal(0)] * len(deliveries)
        for day, stages in zip(self.instants(), days, strict=False):
            pending = Decimal(0)
            for index, (delivery, stage) in enumerate(zip(deliveries, stages, strict=False)):
                left = delivery.quantity - gone[index]
                part = (left / 2).quantize(Decimal("1e-9"))
                if stage.startswith("part"):
                    gone[index] += part
                if stage == "left":
                    gone[index] += left
                if stage in {"pending", "part, rest pending"}:
                    pending += delivery.quantity - gone[index]
            world.state(Decimal(602) - sum(gone), pending=pending, at=day)
            if failing:
                services.fail_overdue(actor=SYSTEM, at=day)

            assert world.amounts(at=day)[:2] == [602 - told, 600 - told]
            assert world.amounts(at=day)[3] == 0
            open_shares = sum(
                (
                    one.remaining
                    for one in SettlementInstruction.objects.filter(
                        account=world.account, state__in=["INSTRUCTED", "FAILED"]
                    )
                ),
                Decimal(0),
            )
            assert custody.booked(world.account) - open_shares == 602 - told

    def instants(self) -> Iterator[datetime]:
        yield AT
        for session in (3, 4, 5):  # over the weekend
            yield AT + timedelta(days=session)
