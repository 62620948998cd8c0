"""Between a split's time and its booking: who may not instruct, hold or post shares, and who may.

The gate is not shut in these tests, as it is not where the worker that shuts it has died.
"""

from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest

from issuer.corporate_actions import services
from issuer.corporate_actions.models import StockSplit
from issuer.custody import services as custody_services
from issuer.custody.models import SettlementInstruction
from issuer.foundation.actors import Actor
from issuer.foundation.identifiers import uuid7
from issuer.gate.models import ScopeKind
from issuer.instruments.errors import SharesCountedOtherwise
from issuer.ledger import selectors as books
from issuer.ledger.models import Transfer
from issuer.reserves import selectors as reserves_of
from issuer.reserves import services as reserves_services
from issuer.reserves.models import ShareHold
from tests.corporate_actions.backed import Backed
from tests.make import corporate_actions as make
from tests.make import custody, reserves

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def stock_split(backed: Backed, at: datetime) -> StockSplit:
    return make.scheduled(make.stock_split(token_=backed.token, at=at), at=at)


class TestSharesOfOurOwn:
    @pytest.mark.parametrize("late", [timedelta(0), MINUTE])
    def test_are_not_instructed_until_the_split_is_booked(
        self, stock_split: StockSplit, backed: Backed, system: Actor, at: datetime, late: timedelta
    ) -> None:
        posted = Transfer.objects.count()

        with pytest.raises(SharesCountedOtherwise) as refusal:
            custody.instruction(backed.account, Decimal(40), at=at + HOUR + late)

        assert refusal.value.facts == {"split": str(stock_split.split_id)}
        assert SettlementInstruction.objects.filter(quantity=40).count() == 0
        assert Transfer.objects.count() == posted
        services.book(stock_split.pk, actor=system, at=at + HOUR + MINUTE)
        coming = custody.instruction(backed.account, Decimal(40), at=at + HOUR + MINUTE)
        assert coming.quantity == 40
        assert backed.shares()["pending-receipt"] == "40"

    def test_that_were_instructed_before_it_are_multiplied(
        self, stock_split: StockSplit, backed: Backed, system: Actor, at: datetime
    ) -> None:
        coming = custody.instruction(backed.account, Decimal(10), at=at + HOUR - SECOND)

        services.book(stock_split.pk, actor=system, at=at + HOUR)

        coming.refresh_from_db()
        assert coming.quantity == 40

    def test_that_were_counted_before_it_are_not_instructed_after_its_booking(
        self, stock_split: StockSplit, backed: Backed, system: Actor, at: datetime
    ) -> None:
        """Who waited for the account while the split was booked counts the shares of before it."""
        services.book(stock_split.pk, actor=system, at=at + HOUR)

        with pytest.raises(SharesCountedOtherwise, match="booked in the meantime"):
            custody.instruction(backed.account, Decimal(10), at=at + HOUR - SECOND)

        assert "pending-receipt" not in backed.shares()

    def test_of_a_split_that_was_called_off_are_instructed(
        self, stock_split: StockSplit, backed: Backed, at: datetime
    ) -> None:
        make.canceled(stock_split, at=at)

        assert custody.instruction(backed.account, Decimal(10), at=at + HOUR).quantity == 10


class TestSharesOfRequests:
    def test_are_not_delivered_until_the_split_is_booked(
        self, stock_split: StockSplit, backed: Backed, system: Actor, at: datetime
    ) -> None:
        reserves.burn(backed.token, Decimal(100), Decimal(100), at=at)

        with pytest.raises(SharesCountedOtherwise):
            custody.delivery(backed.account, Decimal(100), at=at + HOUR)

        assert backed.shares()["burned-not-delivered"] == "100"
        assert "pending-delivery" not in backed.shares()

    def test_are_not_received_until_the_split_is_booked(
        self, stock_split: StockSplit, backed: Backed, at: datetime
    ) -> None:
        with pytest.raises(SharesCountedOtherwise):
            custody.instruction(backed.account, Decimal(10), at=at + HOUR, request_id=uuid7())

        assert "pending-receipt" not in backed.shares()

    def test_that_did_not_come_are_not_instructed_again_until_the_split_is_booked(
        self, stock_split: StockSplit, backed: Backed, system: Actor, at: datetime
    ) -> None:
        late = custody.instruction(backed.account, Decimal(10), at=at)
        custody_services.fail_instruction(late.pk, reason="Not here.", actor=system, at=at)

        with pytest.raises(SharesCountedOtherwise):
            custody_services.reinstruct(
                late.pk,
                trade_date=at.date(),
                settlement_date=at.date() + timedelta(days=3),
                counterparty="A broker",
                actor=system,
                at=at + HOUR,
            )

        late.refresh_from_db()
        assert (late.state, late.settlement_date) == ("FAILED", at.date())

    def test_are_not_held_until_the_split_is_booked(
        self, stock_split: StockSplit, backed: Backed, system: Actor, at: datetime
    ) -> None:
        with pytest.raises(SharesCountedOtherwise):
            reserves_services.hold_shares(
                token_id=backed.token.pk,
                request_id=uuid7(),
                quantity=Decimal(1),
                scopes=[(ScopeKind.TOKEN, backed.token.pk)],
                actor=system,
                at=at + HOUR,
            )

        assert not ShareHold.objects.exists()


class TestStatements:
    """One of the new shares may be here before the books have them."""

    def test_settle_a_receipt_with_the_booking(
        self, stock_split: StockSplit, backed: Backed, system: Actor, at: datetime
    ) -> None:
        coming = custody.instruction(backed.account, Decimal(10), at=at)
        make.stated(backed.account, Decimal(2448), at=at + HOUR + SECOND)
        coming.refresh_from_db()
        assert (coming.state, backed.shares()["settled"]) == ("INSTRUCTED", "602")

        services.book(stock_split.pk, actor=system, at=at + HOUR + MINUTE)

        coming.refresh_from_db()
        assert (coming.state, coming.quantity) == ("SETTLED", 40)
        assert backed.shares() == {"settled": "2448", "owed-on-tokens": "2400", "own": "48"}
        assert set(books.trial_balance().values()) == {Decimal(0)}

    def test_settle_a_delivery_with_the_booking(
        self, stock_split: StockSplit, backed: Backed, system: Actor, at: datetime
    ) -> None:
        reserves.burn(backed.token, Decimal(30), Decimal(30), at=at)
        leaving = custody.delivery(backed.account, Decimal(30), at=at)
        make.stated(backed.account, Decimal(2288), at=at + HOUR + SECOND)
        leaving.refresh_from_db()
        assert (leaving.state, backed.shares()["settled"]) == ("INSTRUCTED", "602")

        services.book(stock_split.pk, actor=system, at=at + HOUR + MINUTE)

        leaving.refresh_from_db()
        assert (leaving.state, leaving.quantity) == ("SETTLED", 120)
        assert backed.shares() == {"settled": "2288", "owed-on-tokens": "2280", "own": "8"}
        assert set(books.trial_balance().values()) == {Decimal(0)}

    def test_of_the_old_shares_settle_nothing_with_the_booking(
        self, stock_split: StockSplit, backed: Backed, system: Actor, at: datetime
    ) -> None:
        coming = custody.instruction(backed.account, Decimal(10), at=at)

        services.book(stock_split.pk, actor=system, at=at + HOUR)

        coming.refresh_from_db()
        assert (coming.state, coming.quantity) == ("INSTRUCTED", 40)
        assert backed.shares()["settled"] == "2408"


class TestCover:
    @pytest.mark.parametrize(
        ("after", "before"), [(4, 1), (3, 2), (7, 5), (1, 20), (1, 8), (13, 1)]
    )
    def test_is_the_same_before_and_after(
        self, after: int, before: int, backed: Backed, system: Actor, at: datetime
    ) -> None:
        stock_split = make.scheduled(
            make.stock_split(token_=backed.token, at=at, shares_after=after, shares_before=before),
            at=at,
        )

        first = reserves_of.cover_of(backed.token, at=at)
        assert (first.held, first.owed) == (Decimal(602), Decimal(600))
        assert first.ratio_bps == 10033

        services.book(stock_split.pk, actor=system, at=at + HOUR)

        backed.read_chains(at=at + HOUR)
        cover = reserves_of.cover_of(backed.token, at=at + HOUR + SECOND)
        factor = Fraction(after, before)
        assert cover.held is not None
        assert cover.owed is not None
        assert (Fraction(cover.held), Fraction(cover.owed)) == (602 * factor, 600 * factor)
        assert cover.ratio_bps == 10033
        assert set(books.trial_balance().values()) == {Decimal(0)}
        references = set(
            Transfer.objects.filter(reference__startswith="split/").values_list(
                "reference", flat=True
            )
        )
        assert references == {f"split/{stock_split.split_id}"}
