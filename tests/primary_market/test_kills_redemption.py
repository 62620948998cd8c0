"""A worker that dies between any two steps of a burn, or of a return: one of it, and nothing lost.

As for mints: the house runs in a process of its own, on a real chain, and is killed just before a
certain statement reaches the database.
"""

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

import pytest
from pytest_django import Settings

from issuer.chain import tasks as chain_tasks
from issuer.chain.models import ChainEvent, TransactionIntent
from issuer.chain.states import EventKind, IntentKind, IntentState, SignerPurpose
from issuer.foundation import clock
from issuer.instruments import chart
from issuer.ledger import selectors as books
from issuer.primary_market import tasks
from issuer.primary_market.models import Deposit, RedemptionRequest
from issuer.primary_market.states import DepositState, IssuanceState, RedemptionState, ReturnState
from issuer.sandbox.anvil import CAIP2
from tests.chain.stock import ONE, Stock
from tests.make import chain, instruments, primary_market, redemptions
from tests.make.primary_market import Market
from tests.primary_market.test_kills import KILLED, run_and_die

pytestmark = pytest.mark.django_db(transaction=True)

#: Enough rounds for a mint, and then a burn; each is what the beat asks for once.
ROUNDS = 5


def run(stock: Stock) -> None:
    """Do what the beat asks for, until a burn has had time to be booked."""
    for _ in range(ROUNDS):
        beat()
        chain_tasks.advance_intents()
        stock.anvil.finalize()
        chain_tasks.scan_networks()
    beat()


def beat() -> None:
    tasks.advance_requests()
    tasks.advance_redemptions()


@pytest.fixture
def market(stock: Stock, settings: Settings) -> Market:
    """Alice holds 600 tokens on a real chain, which takes them back at the burner's address."""
    settings.NETWORKS = {CAIP2: {"rpc_urls": [stock.anvil.url]}}
    settings.SIGNER_KEYS = {CAIP2: chain.SIGNER_KEYS}
    settings.CELERY_TASK_ALWAYS_EAGER = True
    # The newest final block is one of this test: anvil forgets how it was at old ones in the end.
    stock.anvil.mine()
    stock.anvil.finalize()
    market = primary_market.market(
        network_=instruments.network(caip2=CAIP2),
        address=stock.address,
        wallet_address=stock.account["alice"],
        at=clock.now(),
    )
    chain.signer_account(market.deployment.network, SignerPurpose.MINTER)
    redemptions.redeemable(market.deployment)
    chain_tasks.scan_networks()
    primary_market.issuance(market, state=IssuanceState.APPROVED, at=clock.now())
    run(stock)
    assert stock.balance("alice") == 600 * ONE
    return market


def deaths_before(stock: Stock, moments: Sequence[Callable[[str], bool]]) -> int:
    """Run as often, each time until a moment comes; return how often it did."""
    return sum(run_and_die(stock, before=moment, run=run) == KILLED for moment in moments)


def send_back(stock: Stock, quantity: int) -> None:
    """Have Alice send tokens to the deposit address, in a block that is final."""
    stock.do("alice", "transfer", redemptions.BURNER.address, quantity * ONE)
    stock.anvil.finalize()
    chain_tasks.scan_networks()


@pytest.fixture
def approved(market: Market, stock: Stock) -> RedemptionRequest:
    """A redemption of 100, which came as 60 and 40 and which two persons approved."""
    request = redemptions.redemption(market, state=RedemptionState.AWAITING_TOKENS, at=clock.now())
    send_back(stock, 60)
    tasks.advance_redemptions()
    send_back(stock, 40)
    tasks.advance_redemptions()
    request.refresh_from_db()
    assert (request.state, request.received) == (RedemptionState.RECEIVED, 100)
    redemptions.propose(request, at=clock.now())
    redemptions.confirm(request, at=clock.now())
    return request


def assert_burned_once(request: RedemptionRequest, stock: Stock) -> None:
    request.refresh_from_db()
    assert request.state == RedemptionState.DELIVERING
    assert stock.ask("totalSupply") == 500 * ONE
    assert stock.ask("balanceOf", redemptions.BURNER.address) == 0
    [event] = ChainEvent.objects.filter(kind=EventKind.BURN)
    assert event.base_units == 100 * ONE
    [intent] = TransactionIntent.objects.filter(kind=IntentKind.BURN)
    assert (intent.state, intent.event) == (IntentState.BOOKED, event)
    token = request.token
    assert books.balance(chart.tokens_outstanding(token)) == 500
    assert books.balance(chart.shares_owed_on_tokens(token)) == 500
    assert books.balance(chart.shares_burned_not_delivered(token)) == 0
    assert set(books.trial_balance().values()) == {Decimal(0)}


class TestWorkerKilledAtABurn:
    def test_nobody_dies(self, approved: RedemptionRequest, stock: Stock) -> None:
        run(stock)

        assert_burned_once(approved, stock)

    @pytest.mark.parametrize(
        "words",
        [
            pytest.param(
                'INSERT INTO "chain_transactionintent"', id="before it commits to the burn"
            ),
            pytest.param('INSERT INTO "chain_transactionattempt"', id="before it keeps the bytes"),
            pytest.param(
                'INSERT INTO "chain_intenttransition"', id="after it sent, before it says so"
            ),
            pytest.param('INSERT INTO "chain_chainevent"', id="before it records the event"),
            pytest.param("ledger_post", id="before it books"),
            pytest.param('INSERT INTO "custody_settlementinstruction"', id="before it instructs"),
        ],
    )
    def test_burns_once_all_the_same(
        self, approved: RedemptionRequest, stock: Stock, words: str
    ) -> None:
        deaths = deaths_before(stock, [lambda sql: words in sql])

        run(stock)

        assert deaths == 1
        assert_burned_once(approved, stock)

    def test_dies_again_and_again_at_each_step_it_commits(
        self, approved: RedemptionRequest, stock: Stock
    ) -> None:
        def at_step(number: int) -> Any:
            seen = iter(range(number))

            def now(sql: str) -> bool:
                if "_redemptiontransition" in sql or "_intenttransition" in sql:
                    return next(seen, None) is None
                return False

            return now

        deaths = deaths_before(stock, [at_step(number) for number in range(1, 7)])

        run(stock)

        assert deaths >= 2
        assert_burned_once(approved, stock)


class TestBurnFails:
    def test_a_reverted_burn_goes_back_and_is_burned_once_the_way_is_free(
        self, approved: RedemptionRequest, stock: Stock
    ) -> None:
        tasks.advance_redemptions()
        stock.do("pauser", "pause")  # after the bytes were signed, before they are sent
        for _ in range(2):
            chain_tasks.advance_intents()
            stock.anvil.finalize()
        tasks.advance_redemptions()

        approved.refresh_from_db()
        assert approved.state == RedemptionState.APPROVED
        assert approved.reason != ""
        assert stock.ask("totalSupply") == 600 * ONE

        stock.do("pauser", "unpause")
        run(stock)

        approved.refresh_from_db()
        assert approved.state == RedemptionState.DELIVERING
        assert stock.ask("totalSupply") == 500 * ONE

    def test_a_burn_whose_nonce_went_to_another_transaction_is_signed_again(
        self, approved: RedemptionRequest, stock: Stock
    ) -> None:
        tasks.advance_redemptions()
        stock.anvil.send(b"", sender=redemptions.BURNER.address, to=stock.account["bob"])
        stock.anvil.finalize()
        chain_tasks.advance_intents()

        run(stock)

        approved.refresh_from_db()
        assert approved.state == RedemptionState.DELIVERING
        assert stock.ask("totalSupply") == 500 * ONE
        states = TransactionIntent.objects.filter(kind=IntentKind.BURN).order_by("nonce")
        assert [intent.state for intent in states] == [IntentState.DROPPED, IntentState.BOOKED]


class TestWorkerKilledAtAReturn:
    @pytest.mark.parametrize(
        "words",
        [
            pytest.param("nothing", id="nobody dies"),
            pytest.param('INSERT INTO "chain_transactionattempt"', id="before it keeps the bytes"),
            pytest.param(
                'INSERT INTO "chain_intenttransition"', id="after it sent, before it says so"
            ),
            pytest.param('UPDATE "primary_market_depositreturn"', id="before it says so here"),
        ],
    )
    def test_sends_back_once_all_the_same(self, market: Market, stock: Stock, words: str) -> None:
        send_back(stock, 7)
        tasks.advance_redemptions()
        waiting = Deposit.objects.get()
        assert waiting.state == DepositState.UNMATCHED
        redemptions.a_return(waiting, state=ReturnState.APPROVED, at=clock.now())

        deaths = deaths_before(stock, [lambda sql: words in sql])
        run(stock)

        assert deaths == (words != "nothing")
        waiting.refresh_from_db()
        assert waiting.state == DepositState.RETURNED
        assert stock.balance("alice") == 600 * ONE
        assert stock.ask("balanceOf", redemptions.BURNER.address) == 0
        assert stock.ask("totalSupply") == 600 * ONE
