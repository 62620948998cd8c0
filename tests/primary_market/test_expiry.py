"""When a redemption expires: once its chain is final beyond its time, and never by silence."""

from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from pytest_django import Settings

from issuer.chain.models import ScanCursor
from issuer.foundation import clock
from issuer.foundation.errors import IllegalTransition
from issuer.primary_market import errors, selectors, services, tasks
from issuer.primary_market.models import RedemptionRequest
from issuer.primary_market.states import DepositCause, DepositState, RedemptionState
from tests.make import chain, redemptions
from tests.make.primary_market import Market
from tests.make.redemptions import SYSTEM, deposit, redemption, transfer

pytestmark = pytest.mark.django_db

_S = RedemptionState
SECOND = timedelta(seconds=1)


@pytest.fixture
def market() -> Market:
    """A participant who holds 600 tokens and can return them."""
    return redemptions.market()


@pytest.fixture
def request_(market: Market) -> RedemptionRequest:
    """An accepted redemption of 100 tokens, of which nothing has come."""
    return redemption(market, state=_S.AWAITING_TOKENS)


def expire(request: RedemptionRequest, at: datetime) -> RedemptionState:
    services.expire_redemption(request.pk, actor=SYSTEM, at=at)
    request.refresh_from_db()
    return RedemptionState(request.state)


def assert_waits(request: RedemptionRequest, at: datetime) -> None:
    assert selectors.redemptions_expiring(at) == []
    with pytest.raises(errors.TokensMayStillCome):
        services.expire_redemption(request.pk, actor=SYSTEM, at=at)
    steps = request.transitions.count()
    request.refresh_from_db()
    assert (request.state, steps) == (_S.AWAITING_TOKENS, 1)


class TestExpireRedemption:
    def test_ends_once_a_later_block_is_final(self, request_: RedemptionRequest) -> None:
        end = request_.expires_at
        redemptions.read_until(request_.deployment, end + SECOND)

        assert selectors.redemptions_expiring(end - SECOND) == []
        assert selectors.redemptions_expiring(end) == [request_]
        assert expire(request_, end) == _S.EXPIRED

    def test_waits_while_the_last_final_block_is_of_its_last_moment(
        self, request_: RedemptionRequest
    ) -> None:
        end = request_.expires_at
        redemptions.read_until(request_.deployment, end)

        assert_waits(request_, end)

    @pytest.mark.parametrize("late", [timedelta(0), timedelta(days=1), timedelta(days=3650)])
    def test_waits_however_late_it_is_here_while_the_chain_is_behind(
        self, request_: RedemptionRequest, late: timedelta
    ) -> None:
        end = request_.expires_at
        redemptions.read_until(request_.deployment, end - SECOND)

        assert_waits(request_, end + late)

    def test_waits_while_nothing_was_ever_read(self, request_: RedemptionRequest) -> None:
        assert_waits(request_, request_.expires_at + timedelta(days=3650))

    def test_waits_while_the_past_of_its_address_is_not_read_that_far(
        self, request_: RedemptionRequest
    ) -> None:
        end = request_.expires_at
        redemptions.read_until(request_.deployment, end - SECOND)
        cursor = ScanCursor.objects.get()
        trailing = cursor.recipients
        redemptions.read_until(request_.deployment, end + SECOND)
        ScanCursor.objects.update(recipients=trailing)
        assert_waits(request_, end)

        ScanCursor.objects.update(recipients={})
        assert_waits(request_, end)

    def test_waits_where_another_token_of_the_network_is_read_further(
        self, market: Market, request_: RedemptionRequest
    ) -> None:
        other = redemptions.market()
        redemptions.read_until(other.deployment, request_.expires_at + SECOND)

        assert_waits(request_, request_.expires_at)


class TestTokensOfTheLastMoment:
    def test_count_though_they_are_final_long_after_it(
        self, market: Market, request_: RedemptionRequest
    ) -> None:
        end = request_.expires_at
        came = transfer(market, Decimal(100), at=end)
        redemptions.read_until(request_.deployment, end + SECOND)
        assert_waits(request_, end + timedelta(days=2))

        services.match_deposit(came.pk, actor=SYSTEM, at=end + timedelta(days=2))

        request_.refresh_from_db()
        assert (request_.state, request_.received) == (_S.RECEIVED, 100)
        with pytest.raises(IllegalTransition):
            expire(request_, end + timedelta(days=2))

    def test_that_are_too_few_count_first_and_go_back_then(
        self, market: Market, request_: RedemptionRequest
    ) -> None:
        end = request_.expires_at
        came = deposit(market, Decimal(60), at=end)
        assert came.redemption == request_
        redemptions.read_until(request_.deployment, end + SECOND)

        assert expire(request_, end) == _S.EXPIRED

        came.refresh_from_db()
        assert (came.state, came.cause) == (DepositState.UNMATCHED, DepositCause.REQUEST_ENDED)
        assert (request_.received, came.to_return) == (Decimal(60), Decimal(60))

    def test_of_a_block_after_it_do_not_count(
        self, market: Market, request_: RedemptionRequest
    ) -> None:
        end = request_.expires_at
        transfer(market, Decimal(100), at=end + SECOND)
        redemptions.read_until(request_.deployment, end + SECOND)

        assert expire(request_, end) == _S.EXPIRED

    def test_of_others_keep_nothing_open(self, market: Market, request_: RedemptionRequest) -> None:
        transfer(market, Decimal(100), sender=redemptions.stranger())
        redemptions.read_until(request_.deployment, request_.expires_at + SECOND)

        assert expire(request_, request_.expires_at) == _S.EXPIRED


class TestARound:
    @pytest.fixture(autouse=True)
    def at_once(self, settings: Settings) -> None:
        settings.CELERY_TASK_ALWAYS_EAGER = True

    def test_counts_what_came_in_time_before_anything_expires(self) -> None:
        begun = clock.now() - timedelta(days=11)
        market = redemptions.market(at=begun)
        whole = redemption(market, state=_S.AWAITING_TOKENS, at=begun)
        part = redemption(market, quantity=Decimal(50), at=begun)
        transfer(market, Decimal(100), at=whole.expires_at)
        redemptions.read_until(market.deployment, whole.expires_at + SECOND)

        tasks.advance_redemptions()

        states = RedemptionRequest.objects.order_by("id").values_list("state", flat=True)
        assert list(states) == [_S.RECEIVED, _S.EXPIRED]
        assert part.state == _S.REQUESTED

    def test_expires_nothing_while_the_node_is_silent(self) -> None:
        begun = clock.now() - timedelta(days=11)
        market = redemptions.market(at=begun)
        request = redemption(market, state=_S.AWAITING_TOKENS, at=begun)
        redemptions.read_until(market.deployment, begun + timedelta(days=9))
        chain.trouble(market.deployment.network)

        tasks.advance_redemptions()

        request.refresh_from_db()
        assert request.state == _S.AWAITING_TOKENS
