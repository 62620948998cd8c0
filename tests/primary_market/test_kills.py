"""A worker that dies between any two steps of a mint: one mint, and nothing lost.

The house runs in a process of its own, on a real chain, and is killed just before a certain
statement reaches the database. What it had committed by then stands; what it had not is gone; and
what it had told the chain, the chain remembers.
"""

import os
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from django.db import connection, connections
from pytest_django import Settings

from issuer.chain import registry, selectors
from issuer.chain import tasks as chain_tasks
from issuer.chain.models import ChainEvent, TransactionIntent
from issuer.chain.request_ids import request_id_bytes32
from issuer.chain.states import EventKind, IntentState
from issuer.foundation import clock
from issuer.foundation.actors import system
from issuer.gate import services as gates
from issuer.gate.models import Cause, Hold, ScopeKind
from issuer.instruments import chart
from issuer.ledger import selectors as books
from issuer.primary_market import tasks
from issuer.primary_market.models import IssuanceRequest
from issuer.primary_market.states import IssuanceState
from issuer.reserves import selectors as reserves
from issuer.reserves.cover import CoverStatus
from issuer.sandbox.anvil import CAIP2
from tests.chain.stock import ONE, Stock, request_id
from tests.make import gate, instruments, primary_market
from tests.make.chain import SIGNER_KEYS, signer_account
from tests.make.primary_market import Market
from tests.primary_market.assertions import holds_of

pytestmark = pytest.mark.django_db(transaction=True)

KILLED = 137
#: Enough rounds for one mint; each is what the beat asks for once.
ROUNDS = 4


@pytest.fixture
def minting(stock: Stock, settings: Settings) -> Market:
    """A market on a real chain, which has been scanned."""
    settings.NETWORKS = {CAIP2: {"rpc_urls": [stock.anvil.url]}}
    settings.SIGNER_KEYS = {CAIP2: SIGNER_KEYS}
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
    signer_account(market.deployment.network)
    chain_tasks.scan_networks()
    return market


@pytest.fixture
def approved(minting: Market) -> IssuanceRequest:
    return primary_market.issuance(minting, state=IssuanceState.APPROVED, at=clock.now())


def run(stock: Stock) -> None:
    """Do what the beat asks for, until a mint has had time to be booked."""
    for _ in range(ROUNDS):
        tasks.advance_requests()
        chain_tasks.advance_intents()
        stock.anvil.finalize()
        chain_tasks.scan_networks()
    tasks.advance_requests()


def run_and_die(
    stock: Stock, *, before: Callable[[str], bool], run: Callable[[Stock], None] = run
) -> int:
    """Run in a process that is killed before the first statement of a kind; return its exit."""
    connections.close_all()  # or both processes would talk through one
    child = os.fork()
    if child == 0:
        die_before(stock, before, run)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)


def die_before(stock: Stock, before: Callable[[str], bool], run: Callable[[Stock], None]) -> None:
    """Be the process that dies; nothing of it outlives this function."""

    def watch(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if before(sql):
            os._exit(KILLED)
        return execute(sql, params, many, context)

    try:
        registry._chain.cache_clear()  # its connections are the parent's
        stock.anvil.rpc = type(stock.anvil.rpc)(stock.anvil.url)
        with connection.execute_wrapper(watch):
            run(stock)
    finally:
        os._exit(0)


def assert_minted_once(request: IssuanceRequest, stock: Stock, *, at: datetime) -> None:
    request.refresh_from_db()
    assert request.state == IssuanceState.COMPLETED
    assert stock.balance("alice") == 600 * ONE
    assert stock.ask("totalSupply") == 600 * ONE
    assert ChainEvent.objects.get(kind=EventKind.MINT).base_units == 600 * ONE
    assert TransactionIntent.objects.get().state == IntentState.BOOKED
    assert books.balance(chart.tokens_outstanding(request.token)) == 600
    assert books.balance(chart.shares_owed_on_tokens(request.token)) == 600
    assert books.balance(chart.shares_paid_not_minted(request.token)) == 0
    assert holds_of(request) == ["CONSUMED"]
    assert reserves.cover_of(request.token, at=at).status == CoverStatus.COVERED


class TestWorkerKilled:
    def test_nobody_dies(self, approved: IssuanceRequest, stock: Stock) -> None:
        run(stock)

        assert_minted_once(approved, stock, at=clock.now())

    @pytest.mark.parametrize(
        "words",
        [
            pytest.param(
                'INSERT INTO "chain_transactionintent"', id="before it commits to the mint"
            ),
            pytest.param('INSERT INTO "chain_transactionattempt"', id="before it keeps the bytes"),
            pytest.param('FROM "chain_signeraccount" WHERE', id="while it takes the nonce"),
            pytest.param(
                'INSERT INTO "chain_intenttransition"', id="after it sent, before it says so"
            ),
            pytest.param('INSERT INTO "chain_chainevent"', id="before it records the event"),
            pytest.param('UPDATE "chain_scancursor"', id="before it moves the cursor"),
            pytest.param("ledger_post", id="before it books"),
            pytest.param('UPDATE "reserves_sharehold"', id="after it booked, before it commits"),
        ],
    )
    def test_mints_once_all_the_same(
        self, approved: IssuanceRequest, stock: Stock, words: str
    ) -> None:
        assert run_and_die(stock, before=lambda sql: words in sql) == KILLED

        run(stock)

        assert_minted_once(approved, stock, at=clock.now())

    def test_dies_again_and_again_at_each_step_it_commits(
        self, approved: IssuanceRequest, stock: Stock
    ) -> None:
        deaths = 0
        for number in range(1, 9):
            seen = iter(range(number))

            def at_the_next_step(sql: str, seen: Any = seen) -> bool:
                if "_issuancetransition" in sql or "_intenttransition" in sql:
                    return next(seen, None) is None
                return False

            deaths += run_and_die(stock, before=at_the_next_step) == KILLED

        run(stock)

        assert deaths >= 2
        assert_minted_once(approved, stock, at=clock.now())


def at_the(number: int, words: str) -> Callable[[str], bool]:
    """Return what is true of the statement with `words` in it that is the `number`th such."""
    seen = iter(range(number - 1))
    return lambda sql: words in sql and next(seen, None) is None


def after_it_is_committed() -> Callable[[str], bool]:
    """Return what is true of the first statement of the transaction after the cancellation's."""
    seen: list[str] = []

    def before(sql: str) -> bool:
        seen.append(sql)
        signed = any('INSERT INTO "chain_transactionattempt"' in one for one in seen[:-1])
        return signed and "FOR UPDATE" in sql

    return before


class TestWorkerKilledOverACancellation:
    @pytest.fixture
    def shut_out(self, approved: IssuanceRequest, stock: Stock) -> IssuanceRequest:
        """A request whose mint is sent, and in no block, when its token is halted."""
        stock.anvil.rpc.call("evm_setAutomine", [False], result=object)
        tasks.advance_requests()
        chain_tasks.advance_intents()
        assert TransactionIntent.objects.get().state == IntentState.BROADCAST
        gate.hold(ScopeKind.TOKEN, approved.token_id, cause=Cause.STALE_SOURCE)
        return approved

    @pytest.mark.parametrize(
        "before",
        [
            pytest.param(at_the(1, '"cancel_reason" = '), id="before it commits to it"),
            pytest.param(
                at_the(1, 'INSERT INTO "chain_transactionattempt"'), id="before it keeps its bytes"
            ),
            pytest.param(after_it_is_committed(), id="after it committed, before it sends"),
            pytest.param(
                at_the(2, 'INSERT INTO "chain_intenttransition"'),
                id="after it sent, before it says so",
            ),
            pytest.param(
                at_the(3, 'INSERT INTO "chain_intenttransition"'),
                id="after it is final, before it says so",
            ),
            pytest.param(
                at_the(1, 'INSERT INTO "primary_market_issuancetransition"'),
                id="before the request goes back",
            ),
        ],
    )
    def test_cancels_all_the_same_and_mints_once_after_the_halt(
        self, shut_out: IssuanceRequest, stock: Stock, before: Callable[[str], bool]
    ) -> None:
        assert run_and_die(stock, before=before) == KILLED

        run(stock)

        shut_out.refresh_from_db()
        assert shut_out.state == IssuanceState.APPROVED
        assert shut_out.mint_intent is None
        intent = TransactionIntent.objects.get()
        assert intent.state == IntentState.CANCELLED
        assert list(intent.attempts.values_list("cancels", flat=True)) == [False, True]
        assert stock.ask("totalSupply") == 0
        assert holds_of(shut_out) == ["ACTIVE"]

        gates.release_hold(Hold.objects.get().pk, actor=system("tests"), at=clock.now())
        run(stock)

        shut_out.refresh_from_db()
        assert shut_out.state == IssuanceState.COMPLETED
        assert stock.balance("alice") == stock.ask("totalSupply") == 600 * ONE
        intents = TransactionIntent.objects.order_by("nonce")
        assert [one.state for one in intents] == [IntentState.CANCELLED, IntentState.BOOKED]
        assert [one.nonce for one in intents] == [intent.nonce, intent.nonce + 1]
        assert holds_of(shut_out) == ["CONSUMED"]


class TestMintRefused:
    def test_a_mint_that_the_contract_would_refuse_is_not_signed(
        self, approved: IssuanceRequest, stock: Stock
    ) -> None:
        stock.do("pauser", "pause")

        run(stock)

        approved.refresh_from_db()
        assert approved.state == IssuanceState.APPROVED
        assert not TransactionIntent.objects.exists()
        assert holds_of(approved) == ["ACTIVE"]

    def test_a_reverted_mint_goes_back_and_is_minted_once_the_way_is_free(
        self, approved: IssuanceRequest, stock: Stock
    ) -> None:
        tasks.advance_requests()
        stock.do("pauser", "pause")  # after the bytes were signed, before they are sent
        for _ in range(2):
            chain_tasks.advance_intents()
            stock.anvil.finalize()
        tasks.advance_requests()

        approved.refresh_from_db()
        assert approved.state == IssuanceState.APPROVED
        assert approved.reason != ""
        assert TransactionIntent.objects.get().state == IntentState.REVERTED
        assert holds_of(approved) == ["ACTIVE"]
        assert stock.ask("totalSupply") == 0

        stock.do("pauser", "unpause")
        run(stock)

        approved.refresh_from_db()
        assert approved.state == IssuanceState.COMPLETED
        assert stock.balance("alice") == 600 * ONE
        states = TransactionIntent.objects.order_by("nonce").values_list("state", flat=True)
        assert list(states) == [IntentState.REVERTED, IntentState.BOOKED]

    def test_a_mint_whose_nonce_went_to_another_transaction_is_signed_again(
        self, approved: IssuanceRequest, stock: Stock
    ) -> None:
        tasks.advance_requests()
        minter, bob = stock.account["minter"], stock.account["bob"]
        stock.anvil.send(b"", sender=minter, to=bob)  # takes the nonce
        stock.anvil.finalize()
        chain_tasks.advance_intents()

        run(stock)

        approved.refresh_from_db()
        assert approved.state == IssuanceState.COMPLETED
        assert stock.balance("alice") == 600 * ONE
        states = TransactionIntent.objects.order_by("nonce").values_list("state", flat=True)
        assert list(states) == [IntentState.DROPPED, IntentState.BOOKED]

    def test_a_mint_whose_request_id_and_nonce_a_thief_took_is_signed_again_under_another(
        self, approved: IssuanceRequest, stock: Stock
    ) -> None:
        tasks.advance_requests()
        copied = bytes.fromhex(request_id_bytes32(approved.pk)[2:])
        stock.do("minter", "mint", stock.account["bob"], ONE, copied)
        stock.anvil.finalize()
        chain_tasks.scan_networks()
        chain_tasks.advance_intents()
        tasks.advance_requests()

        approved.refresh_from_db()
        assert approved.state == IssuanceState.APPROVED  # what the thief made takes its shares
        [thefts] = selectors.unmatched_mints(approved.token)
        assert approved.reason == (
            f"Its request id was used up by {thefts.transaction_hash}, which is not ours."
        )
        assert holds_of(approved) == ["ACTIVE"]

        stock.do("pauser", "blockAddress", stock.account["bob"])
        stock.do("seizer", "seize", stock.account["bob"], ONE, request_id(1))
        stock.anvil.finalize()
        chain_tasks.scan_networks()
        run(stock)

        approved.refresh_from_db()
        assert approved.state == IssuanceState.COMPLETED
        assert stock.balance("alice") == stock.ask("totalSupply") == 600 * ONE
        states = TransactionIntent.objects.order_by("nonce").values_list("state", "request_serial")
        assert list(states) == [(IntentState.DROPPED, 0), (IntentState.BOOKED, 1)]
