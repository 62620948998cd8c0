import pytest

from issuer.instruments import chart
from tests.make import instruments as make


@pytest.mark.django_db
class TestChart:
    def test_names_the_accounts_of_a_custody_account_by_its_reference(self) -> None:
        token = make.token(symbol="AAPLx")

        assert chart.shares_settled(token, "ACC-1") == "AAPLx/shares/settled/ACC-1"
        pending = chart.shares_pending_receipt(token, "ACC-1")
        assert pending == "AAPLx/shares/pending-receipt/ACC-1"

    def test_gives_every_account_of_a_token_a_name_of_its_own(self) -> None:
        assert len(chart.accounts_of(make.token())) == 7
