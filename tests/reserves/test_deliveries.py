"""Shares on their way out, at every stage: none is counted twice, and none taken off twice."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from issuer.custody import services
from issuer.custody.models import CustodyAccount, SettlementInstruction
from issuer.custody.selectors import current_statement
from issuer.foundation import actors
from issuer.instruments.models import Deployment, Token
from issuer.reconciliation.findings import findings_of
from issuer.reconciliation.legs import FoundItem, FoundToken, reconcile_token
from issuer.reconciliation.states import BreakCode
from issuer.reconciliation.trust import trust_now
from issuer.reserves import selectors
from issuer.reserves.cover import CoverStatus
from tests.histories import tried
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
        self,
        settled: Decimal | int,
        *,
        pending: Decimal | int = 0,
        named: Mapping[SettlementInstruction, Decimal | int] | None = None,
        at: datetime = AT,
    ) -> None:
        custodian = self.account.custodian
        current = current_statement(custodian)
        same_day = current is not None and current.as_of_date == at.date()
        custody.statement(
            custodian,
            [custody.line(self.account, Decimal(settled), pending_delivery=Decimal(pending))],
            instructions=[
                custody.instruction_line(one, Decimal(so_far))
                for one, so_far in (named or {}).items()
            ],
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

    def test_that_has_left_in_part_is_off_once(self, world: World) -> None:
        delivery = world.deliver()
        world.state(542, pending=40)

        assert world.amounts() == [502, 500, -40, 0]
        delivery.refresh_from_db()
        assert delivery.settled_quantity == 60

    @pytest.mark.parametrize("days", [0, 3])
    def test_that_is_named_to_have_left_in_part_is_off_once(self, days: int, world: World) -> None:
        world.state(542, named={world.deliver(days=days): 60})

        assert world.amounts() == [502, 500, -40, 0]

    @pytest.mark.parametrize(("pending", "days"), [(40, 3), (0, 3), (0, 0), (100, 3)])
    def test_that_may_have_left_in_part_covers_for_none_that_is_missing(
        self, pending: int, days: int, world: World
    ) -> None:
        world.deliver(days=days)
        world.state(552, pending=pending)

        found = world.found()
        lines = [found.quantity(code) for code in ("B3", "B9", "B10", "B11", "C5", "C8")]
        assert lines == [-100, 452, 502, -50, 452, -48]
        assert found.cover.status == CoverStatus.SHORT
        codes = {one.code for one in findings_of(found, trust=trust_now())}
        assert {BreakCode.CUS_SHORT, BreakCode.BAK_SHORT} <= codes

    def test_that_is_one_of_two_of_a_size_is_off_once_it_has_left(self, world: World) -> None:
        for _ in range(2):
            world.deliver(Decimal(50), days=3)
        world.state(552)

        assert world.amounts() == [502, 500, -50, 0]

    def test_that_has_left_as_a_receipt_came_is_off_once(self, world: World) -> None:
        custody.instruction(
            world.account, Decimal(30), at=AT, settlement_date=(AT + timedelta(days=3)).date()
        )
        world.deliver(days=3)
        world.state(532)

        assert world.amounts()[:2] == [502, 500]

    def test_is_not_taken_to_have_left_while_a_receipt_may_not_have_come(
        self, world: World
    ) -> None:
        """Either 30 came and both left, or one left; the other is then still to leave."""
        ahead = (AT + timedelta(days=3)).date()
        custody.instruction(world.account, Decimal(30), at=AT, settlement_date=ahead)
        for quantity in (30, 70):
            world.deliver(Decimal(quantity), days=3)
        world.state(532)

        assert world.amounts()[:2] == [502, 500]
        [account] = selectors.figures_of([world.token], at=AT)[world.token.pk].accounts
        assert account.departed == 70
        assert account.left_by_custodian == 502

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

    def test_is_not_taken_to_have_left_by_more_than_its_shares(self, world: World) -> None:
        world.deliver(days=3)
        world.state(492)

        found = world.found()
        assert [found.quantity(code) for code in ("B3", "B11", "C5")] == [-100, -110, 392]


def _items(found: FoundToken, code: str) -> tuple[FoundItem, ...]:
    return found.lines[code].items


#: Parts of a share, so that sums show what rounding would hide.
_PARTS = st.decimals(min_value=Decimal("1e-9"), max_value=25, places=9)
_STAGES = st.sampled_from(["ignored", "pending", "part", "part, rest pending", "left"])


class TestAnyOrder(TestCase):
    """Whatever the custodian does with which delivery, and names, what is held is the same."""

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        chain.signer()  # the first one loads what changes Python's limits, outside of any example

    @tried(8)
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
            named = {one: so_far for one, so_far in zip(deliveries, gone, strict=True) if so_far}
            world.state(Decimal(602) - sum(gone), pending=pending, named=named, at=day)
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
