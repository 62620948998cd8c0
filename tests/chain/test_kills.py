"""A worker that dies between any two steps of a burn or a seizure: one of it, and nothing lost.

The house runs in a process of its own, on a real chain, and is killed just before a certain
statement reaches the database. What it had committed by then stands; what it had not is gone; and
what it had told the chain, the chain remembers.
"""

import os
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection, connections, transaction
from pytest_django import Settings

from issuer.chain import calls, registry, selectors, services, tasks
from issuer.chain.models import ChainEvent, ContractAct, TransactionIntent
from issuer.chain.states import ActState, EventKind, IntentKind, IntentState, SignerPurpose
from issuer.foundation import clock
from issuer.foundation.actors import system
from issuer.foundation.identifiers import uuid7
from issuer.instruments.models import Deployment
from issuer.sandbox.anvil import CAIP2
from tests.chain.stock import ONE, Stock, request_id
from tests.make import chain as make
from tests.make import chain_acts, instruments

pytestmark = pytest.mark.django_db(transaction=True)

KILLED = 137
#: Enough rounds for one transaction; each is what the beat asks for once.
ROUNDS = 4
ACTOR = system("tests")


@pytest.fixture
def deployment(stock: Stock, settings: Settings) -> Deployment:
    """A contract on a real chain, where every purpose has its account; a thief holds 5 tokens."""
    settings.NETWORKS = {CAIP2: {"rpc_urls": [stock.anvil.url]}}
    settings.SIGNER_KEYS = {CAIP2: make.SIGNER_KEYS}
    settings.CELERY_TASK_ALWAYS_EAGER = True
    network = instruments.network(caip2=CAIP2)
    for purpose in SignerPurpose:
        make.signer_account(network, purpose)
    deployment = instruments.deployment(network_=network, address=stock.address, deployed_block=1)
    stock.do("minter", "mint", stock.account["bob"], 5 * ONE, request_id(1))
    stock.anvil.finalize()
    tasks.scan_networks()
    return deployment


@pytest.fixture
def seizure(deployment: Deployment, stock: Stock) -> ContractAct:
    """An approved seizure of all that the thief, who is blocked, minted past the books."""
    stock.do("pauser", "blockAddress", stock.account["bob"])
    return chain_acts.act(
        [deployment],
        kind=IntentKind.SEIZE,
        state=ActState.APPROVED,
        at=clock.now(),
        account=stock.account["bob"],
        base_units=5 * ONE,
        remedied_event=selectors.mints_past_the_books().get(),
    )


@pytest.fixture
def burn(deployment: Deployment, stock: Stock) -> TransactionIntent:
    """A burn of all that was sent back, signed and not sent."""
    stock.do("bob", "transfer", stock.account["burner"], 5 * ONE)
    stock.anvil.finalize()
    burn_id = uuid7()
    call = calls.burn(holder=stock.account["burner"], base_units=5 * ONE, request_id=burn_id)
    signer = registry.signer_for(deployment.network, SignerPurpose.BURNER)
    chain = registry.reader_for(deployment.network)
    prepared = services.prepare(deployment=deployment, call=call, signer=signer, reader=chain)
    with transaction.atomic():
        return services.sign(
            deployment=deployment,
            call=call,
            request_id=burn_id,
            signer=signer,
            prepared=prepared,
            actor=ACTOR,
            at=clock.now(),
        )


def run(stock: Stock) -> None:
    """Do what the beat asks for, until a transaction has had time to be final."""
    for _ in range(ROUNDS):
        tasks.advance_acts()
        tasks.advance_intents()
        stock.anvil.finalize()
        tasks.scan_networks()
    tasks.advance_acts()


def run_and_die(stock: Stock, *, before: Callable[[str], bool]) -> int:
    """Run in a process that is killed before the first statement of a kind; return its exit."""
    connections.close_all()  # or both processes would talk through one
    child = os.fork()
    if child == 0:
        die_before(stock, before)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)


def die_before(stock: Stock, before: Callable[[str], bool]) -> None:
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


def assert_destroyed_once(stock: Stock, intent: TransactionIntent, state: IntentState) -> None:
    intent.refresh_from_db()
    assert intent.state == state
    assert intent.event == ChainEvent.objects.get(kind=EventKind.BURN)
    assert TransactionIntent.objects.get() == intent
    assert stock.ask("totalSupply") == 0
    assert (stock.balance("bob"), stock.balance("burner")) == (0, 0)


class TestWorkerKilledOverASeizure:
    def test_nobody_dies(self, seizure: ContractAct, stock: Stock) -> None:
        run(stock)

        seizure.refresh_from_db()
        assert seizure.state == ActState.DONE
        assert_destroyed_once(stock, TransactionIntent.objects.get(), IntentState.BOOKED)

    @pytest.mark.parametrize(
        "words",
        [
            pytest.param(
                'INSERT INTO "chain_transactionintent"', id="before it commits to the seizure"
            ),
            pytest.param('INSERT INTO "chain_transactionattempt"', id="before it keeps the bytes"),
            pytest.param('FROM "chain_signeraccount" WHERE', id="while it takes the nonce"),
            pytest.param('UPDATE "chain_contractcall"', id="after it signed, before it commits"),
            pytest.param(
                'INSERT INTO "chain_intenttransition"', id="after it sent, before it says so"
            ),
            pytest.param('INSERT INTO "chain_chainevent"', id="before it records the event"),
            pytest.param('UPDATE "chain_scancursor"', id="before it moves the cursor"),
        ],
    )
    def test_seizes_once_all_the_same(self, seizure: ContractAct, stock: Stock, words: str) -> None:
        assert run_and_die(stock, before=lambda sql: words in sql) == KILLED

        run(stock)

        seizure.refresh_from_db()
        assert seizure.state == ActState.DONE
        assert_destroyed_once(stock, TransactionIntent.objects.get(), IntentState.BOOKED)

    def test_dies_again_and_again_at_each_step_it_commits(
        self, seizure: ContractAct, stock: Stock
    ) -> None:
        deaths = 0
        for number in range(1, 7):
            seen = iter(range(number))

            def at_the_next_step(sql: str, seen: Any = seen) -> bool:
                if "_contractacttransition" in sql or "_intenttransition" in sql:
                    return next(seen, None) is None
                return False

            deaths += run_and_die(stock, before=at_the_next_step) == KILLED

        run(stock)

        assert deaths >= 2
        seizure.refresh_from_db()
        assert seizure.state == ActState.DONE
        assert_destroyed_once(stock, TransactionIntent.objects.get(), IntentState.BOOKED)


class TestWorkerKilledOverABurn:
    @pytest.mark.parametrize(
        "words",
        [
            pytest.param(
                'INSERT INTO "chain_intenttransition"', id="after it sent, before it says so"
            ),
            pytest.param('UPDATE "chain_transactionintent"', id="while it says so"),
            pytest.param('INSERT INTO "chain_chainevent"', id="before it records the event"),
            pytest.param('UPDATE "chain_scancursor"', id="before it moves the cursor"),
        ],
    )
    def test_burns_once_all_the_same(
        self, burn: TransactionIntent, stock: Stock, words: str
    ) -> None:
        assert run_and_die(stock, before=lambda sql: words in sql) == KILLED

        run(stock)

        assert_destroyed_once(stock, burn, IntentState.FINAL)


class TestRefused:
    def test_a_seizure_from_somebody_not_blocked_waits_and_says_why(
        self, seizure: ContractAct, stock: Stock
    ) -> None:
        stock.do("pauser", "unblockAddress", stock.account["bob"])

        run(stock)

        seizure.refresh_from_db()
        assert seizure.state == ActState.APPROVED
        assert "AddressIsNotBlocked" in seizure.calls.get().refusal
        assert not TransactionIntent.objects.exists()

        stock.do("pauser", "blockAddress", stock.account["bob"])
        run(stock)

        seizure.refresh_from_db()
        assert seizure.state == ActState.DONE
        assert seizure.calls.get().refusal == ""

    def test_a_seizure_that_the_contract_reverts_fails(
        self, seizure: ContractAct, stock: Stock
    ) -> None:
        tasks.advance_acts()
        stock.do("pauser", "unblockAddress", stock.account["bob"])

        run(stock)

        seizure.refresh_from_db()
        assert seizure.state == ActState.FAILED
        assert seizure.stopped_reason.startswith("The contract reverted 0x")
        assert TransactionIntent.objects.get().state == IntentState.REVERTED
        assert stock.balance("bob") == 5 * ONE
