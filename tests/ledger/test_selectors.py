from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from pytest_django import DjangoAssertNumQueries

from issuer.foundation.actors import Actor
from issuer.ledger import errors, selectors, services
from issuer.ledger.models import Side
from issuer.ledger.services import Line
from tests.make.ledger import account

pytestmark = pytest.mark.django_db


@pytest.fixture
def hour() -> timedelta:
    return timedelta(hours=1)


@pytest.fixture
def books(system: Actor, at: datetime, hour: timedelta) -> None:
    """Two accounts, moved by 5 at once, by 3 after one hour and by -1 after two."""
    account("AAPLx/held")
    account("AAPLx/owed", side=Side.CREDIT)
    for number, line in enumerate(
        [
            Line("AAPLx/held", "AAPLx/owed", Decimal(5)),
            Line("AAPLx/held", "AAPLx/owed", Decimal(3)),
            Line("AAPLx/owed", "AAPLx/held", Decimal(1)),
        ]
    ):
        booked_at = at + number * hour
        services.post(str(number), [line], effective_at=booked_at, actor=system, at=booked_at)


@pytest.mark.usefixtures("books")
class TestBalance:
    def test_is_what_the_account_holds(self) -> None:
        assert selectors.balance("AAPLx/held") == Decimal(7)

    def test_of_no_account_is_not_zero(self) -> None:
        with pytest.raises(errors.AccountMissing):
            selectors.balance("AAPLx/hold")


@pytest.mark.usefixtures("books")
class TestBalances:
    def test_are_read_at_once(self, django_assert_num_queries: DjangoAssertNumQueries) -> None:
        account("AAPLxx/held")

        with django_assert_num_queries(1):
            assert selectors.balances("AAPLx/") == {"AAPLx/held": 7, "AAPLx/owed": 7}


@pytest.mark.usefixtures("books")
class TestBalanceAsOf:
    @pytest.mark.parametrize(
        ("hours", "balance"), [(-1, 0), (0, 5), (0.5, 5), (1, 8), (2, 7), (100, 7)]
    )
    def test_is_what_the_books_knew_then(
        self, hours: int, balance: int, at: datetime, hour: timedelta
    ) -> None:
        assert selectors.balance_as_of("AAPLx/held", at + hours * hour) == Decimal(balance)

    def test_of_no_account_is_not_zero(self, at: datetime) -> None:
        with pytest.raises(errors.AccountMissing):
            selectors.balance_as_of("AAPLx/hold", at)


@pytest.mark.usefixtures("books")
class TestTrialBalance:
    def test_is_zero_per_unit(self) -> None:
        account("tokens", unit="AAPLx", balance="12.5")

        assert selectors.trial_balance() == {"AAPLx": Decimal(0), "US0378331005": Decimal(0)}


@pytest.mark.usefixtures("books")
class TestStatementOf:
    def test_leads_from_the_opening_to_the_closing_balance(
        self, at: datetime, hour: timedelta
    ) -> None:
        statement = selectors.statement_of("AAPLx/held", since=at + hour, until=at + 3 * hour)

        assert statement.opening_balance == Decimal(5)
        assert statement.closing_balance == Decimal(7)
        moves = [(e.transfer.reference, e.side, e.quantity) for e in statement.entries]
        assert moves == [("1", "DEBIT", 3), ("2", "CREDIT", 1)]

    def test_leaves_out_what_is_booked_at_its_end(self, at: datetime, hour: timedelta) -> None:
        statement = selectors.statement_of("AAPLx/held", since=at, until=at + hour)

        assert statement.opening_balance == Decimal(0)
        assert statement.closing_balance == Decimal(5)
        assert [entry.version for entry in statement.entries] == [1]

    def test_of_a_quiet_time_closes_as_it_opened(self, at: datetime, hour: timedelta) -> None:
        statement = selectors.statement_of("AAPLx/held", since=at + 5 * hour, until=at + 6 * hour)

        assert statement.opening_balance == Decimal(7)
        assert statement.closing_balance == Decimal(7)
        assert list(statement.entries) == []
