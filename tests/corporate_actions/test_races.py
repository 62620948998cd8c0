"""A split's booking against whoever else moves the token's shares, each on a connection."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from threading import Barrier

import pytest
from django.db import connection

from issuer.approvals.errors import ProposalNotOpen
from issuer.chain.models import ContractAct
from issuer.corporate_actions import errors, selectors, services
from issuer.corporate_actions.models import StockSplit, StockSplitTransition
from issuer.corporate_actions.states import SplitState
from issuer.foundation.errors import DomainError, IllegalTransition
from issuer.instruments.errors import SharesCountedOtherwise
from issuer.instruments.models import Split
from issuer.ledger import selectors as books
from issuer.ledger.models import Transfer
from issuer.people.roles import Role
from issuer.primary_market import selectors as requests_of
from issuer.primary_market import services as primary
from issuer.primary_market.states import IssuanceState
from issuer.reserves.models import ShareHold
from tests.corporate_actions.backed import Backed
from tests.make import chain, custody, people, primary_market
from tests.make import corporate_actions as make
from tests.make.redemptions import SYSTEM

pytestmark = pytest.mark.django_db(transaction=True)

ROUNDS = range(3)
HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)


def at_once(acts: Sequence[Callable[[], object]]) -> list[object]:
    """Carry `acts` out at the same moment; return what each returned, or its refusal."""
    barrier = Barrier(len(acts))

    def carry_out(act: Callable[[], object]) -> object:
        try:
            barrier.wait(timeout=30)
            return act()
        except DomainError as refusal:
            return refusal
        finally:
            connection.close()

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(carry_out, acts))


def refusals(outcomes: Sequence[object]) -> list[type[DomainError]]:
    return [type(one) for one in outcomes if isinstance(one, DomainError)]


@pytest.fixture
def stock_split(backed: Backed, at: datetime) -> StockSplit:
    return make.scheduled(make.stock_split(token_=backed.token, at=at), at=at)


def booking(stock_split: StockSplit, at: datetime) -> Callable[[], StockSplit]:
    return partial(services.book, stock_split.pk, actor=SYSTEM, at=at + HOUR)


class TestTwoBookings:
    def test_are_one(self, stock_split: StockSplit, backed: Backed, at: datetime) -> None:
        outcomes = at_once([booking(stock_split, at)] * 4)

        assert refusals(outcomes) == [IllegalTransition] * 3
        assert backed.shares() == {"settled": "2408", "owed-on-tokens": "2400", "own": "8"}
        transfers = Transfer.objects.filter(reference=f"split/{stock_split.split_id}")
        assert sum(one.quantity for one in transfers) == 1806
        assert StockSplitTransition.objects.filter(step="BOOK").count() == 1


class TestBookingAgainstAStatement:
    @pytest.mark.parametrize("_round", ROUNDS)
    def test_settles_what_it_shows_whichever_comes_first(
        self, _round: int, stock_split: StockSplit, backed: Backed, at: datetime
    ) -> None:
        coming = custody.instruction(backed.account, Decimal(10), at=at)

        outcomes = at_once(
            [
                booking(stock_split, at),
                partial(make.stated, backed.account, Decimal(2448), at=at + HOUR),
            ]
        )

        assert refusals(outcomes) == []
        coming.refresh_from_db()
        assert (coming.state, coming.quantity) == ("SETTLED", 40)
        assert backed.shares() == {"settled": "2448", "owed-on-tokens": "2400", "own": "48"}
        assert set(books.trial_balance().values()) == {Decimal(0)}


class TestBookingAgainstAnInstruction:
    @pytest.mark.parametrize("_round", ROUNDS)
    def test_multiplies_it_or_it_is_refused(
        self, _round: int, stock_split: StockSplit, backed: Backed, at: datetime
    ) -> None:
        _, instructed = at_once(
            [
                booking(stock_split, at),
                partial(custody.instruction, backed.account, Decimal(10), at=at + HOUR - SECOND),
            ]
        )

        if isinstance(instructed, DomainError):
            assert isinstance(instructed, SharesCountedOtherwise)
            assert "pending-receipt" not in backed.shares()
        else:
            assert backed.shares()["pending-receipt"] == "40"
        assert backed.shares()["settled"] == "2408"


class TestBookingAgainstARequest:
    """The gate is left open, as it is where the worker that shuts it has died."""

    @pytest.mark.parametrize("_round", ROUNDS)
    def test_that_is_being_approved_leaves_no_shares_held_on_old_terms(self, _round: int) -> None:
        at = primary_market.AT
        market = primary_market.market()
        request = primary_market.issuance(market, state=IssuanceState.FUNDED)
        officer = people.staff_actor(Role.OPERATIONS_OFFICER)
        primary.propose_approval(request.pk, actor=officer, at=at)
        stock_split = make.scheduled(make.stock_split(token_=market.token, at=at), at=at)
        approver = people.staff_actor(Role.APPROVER)
        chain.snapshot(market.deployment, taken_at=at + HOUR - SECOND)

        outcomes = at_once(
            [
                booking(stock_split, at),
                partial(primary_market.confirm, request, actor=approver, at=at + HOUR - SECOND),
            ]
        )

        assert refusals(outcomes) in ([], [SharesCountedOtherwise])
        if not refusals(outcomes):
            assert ShareHold.objects.get().quantity == 2400
        for request_id in requests_of.issuances_to_requote(at + HOUR):
            primary.requote_issuance(request_id, actor=SYSTEM, at=at + HOUR)
        request.refresh_from_db()
        assert (request.state, request.shares) == (IssuanceState.FUNDED, 2400)
        assert not ShareHold.objects.filter(state="ACTIVE").exists()

    @pytest.mark.parametrize("_round", ROUNDS)
    def test_that_is_being_signed_holds_the_new_shares_or_is_stopped(self, _round: int) -> None:
        at = primary_market.AT
        market = primary_market.market()
        request = primary_market.issuance(market, state=IssuanceState.APPROVED)
        chain.signer_account(market.deployment.network)
        stock_split = make.scheduled(make.stock_split(token_=market.token, at=at), at=at)
        chain.snapshot(market.deployment, taken_at=at + HOUR - SECOND)

        outcomes = at_once(
            [
                booking(stock_split, at),
                partial(primary_market.sign, request, at=at + HOUR - SECOND),
            ]
        )

        assert refusals(outcomes) in ([], [SharesCountedOtherwise])
        for request_id in requests_of.issuances_to_requote(at + HOUR):
            primary.requote_issuance(request_id, actor=SYSTEM, at=at + HOUR)
        request.refresh_from_db()
        hold = ShareHold.objects.get()
        assert (request.shares, hold.quantity) == (2400, 2400)
        if refusals(outcomes):
            assert (request.state, hold.state) == (IssuanceState.FUNDED, "RELEASED")
            assert request.mint_intent is None
        else:
            assert (request.state, hold.state) == (IssuanceState.MINTING, "ACTIVE")
            assert request.mint_intent is not None
            assert request.mint_intent.base_units == 600 * 10**18


class TestConfirmationAgainstWithdrawal:
    @pytest.mark.parametrize("_round", ROUNDS)
    def test_one_of_them_stands_for_books_and_chains(
        self, _round: int, backed: Backed, at: datetime
    ) -> None:
        stock_split = make.stock_split(token_=backed.token, at=at)
        officer, approver = make.officer(), people.staff_actor(Role.APPROVER)
        proposal = services.propose_confirmation(stock_split.pk, actor=officer, at=at)

        outcomes = at_once(
            [
                partial(
                    services.confirm,
                    stock_split.pk,
                    payload_hash=proposal.payload_hash,
                    actor=approver,
                    at=at,
                ),
                partial(services.withdraw, stock_split.pk, reason="A rumor.", actor=officer, at=at),
            ]
        )

        [refused] = refusals(outcomes)
        assert refused in {IllegalTransition, errors.StockSplitNotProposed, ProposalNotOpen}
        stock_split.refresh_from_db()
        acts = {act.state for act in selectors.acts(stock_split)}
        assert ContractAct.objects.count() == 2
        if stock_split.state == SplitState.CONFIRMED:
            assert (acts, Split.objects.count()) == ({"APPROVED"}, 1)
        else:
            assert stock_split.state == SplitState.CANCELLED
            assert (acts, Split.objects.count()) == ({"DECLINED"}, 0)
