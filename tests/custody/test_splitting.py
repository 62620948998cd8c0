"""Shares on their way that a split would leave a fraction of."""

from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from issuer.corporate_actions import services as corporate_actions
from issuer.corporate_actions.models import StockSplit
from issuer.custody import services
from issuer.custody.models import CustodyAccount, SettlementInstruction
from issuer.foundation.actors import Actor
from issuer.instruments.errors import SplitInexact
from issuer.ledger.models import Transfer
from tests.make import corporate_actions as make
from tests.make import custody, reserves

pytestmark = pytest.mark.django_db

FINE = Decimal("0.000000001")
DAYS = timedelta(days=3)


@pytest.fixture
def account(at: datetime) -> CustodyAccount:
    """Six hundred shares; the tokens on them are on one chain."""
    _token, _deployment, account = reserves.backed_token(Decimal(600), at=at)
    return account


def halved(account: CustodyAccount, at: datetime) -> StockSplit:
    return make.stock_split(
        token_=account.token, at=at, effective_at=at + DAYS, shares_after=1, shares_before=2
    )


class TestASplit:
    def test_is_not_announced_over_what_it_cannot_multiply(
        self, account: CustodyAccount, at: datetime
    ) -> None:
        coming = custody.instruction(account, FINE, at=at, settlement_date=(at + DAYS).date())

        with pytest.raises(SplitInexact) as refusal:
            halved(account, at)

        assert refusal.value.facts == {"instruction": str(coming.pk), "quantity": "0.000000001"}
        assert not StockSplit.objects.exists()

    def test_is_not_confirmed_over_it_either(
        self, account: CustodyAccount, staff: Actor, at: datetime
    ) -> None:
        split = halved(account, at)
        custody.instruction(account, FINE, at=at, settlement_date=(at + DAYS).date())

        with pytest.raises(SplitInexact):
            corporate_actions.propose_confirmation(split.pk, actor=staff, at=at)

        split.refresh_from_db()
        assert split.state == "ANNOUNCED"

    def test_does_not_meet_what_settles_before_it(
        self, account: CustodyAccount, at: datetime
    ) -> None:
        custody.instruction(account, FINE, at=at)

        assert halved(account, at).state == "ANNOUNCED"

    def test_meets_what_has_failed_to_settle(
        self, account: CustodyAccount, system: Actor, at: datetime
    ) -> None:
        late = custody.instruction(account, FINE, at=at)
        services.fail_instruction(late.pk, reason="Nothing came.", actor=system, at=at)

        with pytest.raises(SplitInexact):
            halved(account, at)


class TestAnInstruction:
    def test_is_not_given_if_the_split_that_it_meets_leaves_a_fraction(
        self, account: CustodyAccount, at: datetime
    ) -> None:
        make.scheduled(halved(account, at), at=at)
        posted = Transfer.objects.count()

        with pytest.raises(SplitInexact):
            custody.instruction(account, FINE, at=at, settlement_date=(at + DAYS).date())

        assert not SettlementInstruction.objects.filter(quantity=FINE).exists()
        assert Transfer.objects.count() == posted

    def test_is_given_if_it_settles_before_the_split(
        self, account: CustodyAccount, at: datetime
    ) -> None:
        make.scheduled(halved(account, at), at=at)

        assert custody.instruction(account, FINE, at=at).state == "INSTRUCTED"
