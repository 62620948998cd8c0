"""Postings at the same moment, and a server that dies in one."""

import random
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from itertools import pairwise
from threading import Barrier, Thread

import pytest
from django.db import OperationalError, connection, connections, transaction

from issuer.foundation import actors
from issuer.foundation.errors import DomainError
from issuer.ledger import errors, selectors, services
from issuer.ledger.models import Account, Entry, Side, Transfer
from issuer.ledger.services import Line, Posting, PostingRequest
from tests.make.ledger import account

pytestmark = pytest.mark.django_db(transaction=True)

AT = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)


def post(reference: str, debit: str, credit: str, quantity: int) -> Posting:
    return services.post(
        reference,
        [Line(debit, credit, Decimal(quantity))],
        effective_at=AT,
        actor=actors.system("tests"),
        at=AT,
    )


def at_once(*works: Callable[[], object]) -> list[object]:
    """Run every work in a thread and connection of its own; return results and refusals."""
    start = Barrier(len(works))
    outcomes: list[object] = [None] * len(works)

    def run(number: int, work: Callable[[], object]) -> None:
        start.wait(timeout=10)
        try:
            outcomes[number] = work()
        except DomainError as refusal:
            outcomes[number] = refusal
        finally:
            connections.close_all()

    threads = [Thread(target=run, args=numbered) for numbered in enumerate(works)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
        assert not thread.is_alive()
    return outcomes


class TestPostAtOnce:
    def test_opposite_transfers_do_not_wait_for_each_other_for_ever(self) -> None:
        account("a", balance="100")
        account("b", balance="100")

        def one_way(name: str, debit: str, credit: str) -> Callable[[], object]:
            return lambda: [post(f"{name}/{n}", debit, credit, 1) for n in range(25)]

        at_once(
            one_way("there", "a", "b"),
            one_way("back", "b", "a"),
            one_way("there again", "a", "b"),
            one_way("back again", "b", "a"),
        )

        assert selectors.balance("a") == Decimal(100)
        assert selectors.balance("b") == Decimal(100)
        for code in ("a", "b"):
            entries = Entry.objects.filter(account__code=code).order_by("version")
            assert [entry.version for entry in entries] == list(range(1, 102))
            assert all(one.booked_at <= other.booked_at for one, other in pairwise(entries))

    def test_two_cannot_take_the_same_shares(self) -> None:
        account("held", balance="1000")
        account("one")
        account("two")

        outcomes = at_once(
            lambda: post("first", "one", "held", 600), lambda: post("second", "two", "held", 600)
        )

        assert sum(isinstance(outcome, Posting) for outcome in outcomes) == 1
        assert sum(isinstance(outcome, errors.Overdrawn) for outcome in outcomes) == 1
        assert selectors.balance("held") == Decimal(400)

    def test_one_reference_is_posted_once(self) -> None:
        account("held")
        account("owed", side=Side.CREDIT)

        outcomes = at_once(*[lambda: post("issuance/1", "held", "owed", 5)] * 8)

        first = outcomes[0]
        assert isinstance(first, Posting)
        assert outcomes == [first] * 8
        assert Transfer.objects.count() == 1
        assert selectors.balances("") == {"held": 5, "owed": 5}

    def test_one_reference_over_other_accounts_is_refused_to_the_second(self) -> None:
        account("held")
        account("owed", side=Side.CREDIT)
        account("other held")
        account("other owed", side=Side.CREDIT)

        def both() -> list[object]:
            with transaction.atomic():  # keeps the reference for as long as the other waits
                posted = post("issuance/1", "held", "owed", 5)
                with connection.cursor() as cursor:
                    cursor.execute("SELECT pg_sleep(0.3)")
                return [posted]

        outcomes = at_once(both, lambda: post("issuance/1", "other held", "other owed", 5))

        assert sum(isinstance(outcome, errors.ReferenceReused) for outcome in outcomes) == 1
        assert Transfer.objects.count() == 1
        assert sum(selectors.balances("").values()) == Decimal(10)

    def test_many_clients_leave_a_gapless_chain_of_balances(self) -> None:
        codes = [account(f"account-of-many/{n}", balance="10").code for n in range(4)]

        def client(seed: int) -> Callable[[], object]:
            def work() -> object:
                dice = random.Random(seed)
                for n in range(30):
                    debit, credit = dice.sample(codes, 2)
                    try:
                        post(f"{seed}/{n}", debit, credit, dice.randint(1, 5))
                    except errors.Overdrawn:
                        continue
                return None

            return work

        assert at_once(*(client(seed) for seed in range(4))) == [None] * 4

        assert selectors.trial_balance() == {"US0378331005": Decimal(0)}
        assert sum(selectors.balances("account-of-many/").values()) == Decimal(40)
        for held in Account.objects.filter(code__in=codes):
            entries = list(held.entries.order_by("version"))
            assert [entry.version for entry in entries] == list(range(1, held.version + 1))
            assert entries[-1].balance == held.balance


class TestPostInterrupted:
    def test_nothing_is_half_posted_and_a_retry_posts_once(self) -> None:
        held, owed = account("held"), account("owed", side=Side.CREDIT)
        backend, outcome = Barrier(2), list[object]()
        pids = list[int]()
        requests = [
            PostingRequest(f"event/{n}", [Line(held.code, owed.code, Decimal(1))], AT)
            for n in range(50)
        ]

        def post_and_die() -> None:
            try:
                with transaction.atomic():
                    with connection.cursor() as cursor:
                        cursor.execute("SELECT pg_backend_pid()")
                        pids.append(cursor.fetchone()[0])
                    services.post_batch(requests, actor=actors.system("tests"), at=AT)
                    backend.wait(timeout=10)  # posted, not committed
                    backend.wait(timeout=10)  # dead by now
            except OperationalError as failure:
                outcome.append(failure)
            finally:
                connections.close_all()

        thread = Thread(target=post_and_die)
        thread.start()
        backend.wait(timeout=10)
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [pids[0]])
        backend.wait(timeout=10)
        thread.join(timeout=10)

        assert len(outcome) == 1
        assert not Transfer.objects.exists()
        assert not Entry.objects.exists()
        assert selectors.balances("") == {"held": 0, "owed": 0}

        for _ in range(2):  # who does not know whether it was posted may ask again
            services.post_batch(requests, actor=actors.system("tests"), at=AT)
        assert Transfer.objects.count() == 50
        assert selectors.balances("") == {"held": 50, "owed": 50}

    def test_a_server_that_dies_while_it_waits_for_a_lock_posts_nothing(self) -> None:
        account("held")
        account("owed", side=Side.CREDIT)
        pids, outcome = list[int](), list[object]()
        asked = Barrier(2)

        def post_and_die() -> None:
            try:
                with connection.cursor() as cursor:
                    cursor.execute("SELECT pg_backend_pid()")
                    pids.append(cursor.fetchone()[0])
                asked.wait(timeout=10)
                post("issuance/1", "held", "owed", 5)
            except OperationalError as failure:
                outcome.append(failure)
            finally:
                connections.close_all()

        thread = Thread(target=post_and_die)
        with transaction.atomic():
            list(Account.objects.select_for_update().order_by("pk"))
            thread.start()
            asked.wait(timeout=10)
            with connection.cursor() as cursor:
                while not _waits_for_a_lock(pids[0]):
                    cursor.execute("SELECT pg_sleep(0.02)")
                cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [pids[0]])
        thread.join(timeout=10)

        assert len(outcome) == 1
        assert not Transfer.objects.exists()
        post("issuance/1", "held", "owed", 5)
        assert selectors.balances("") == {"held": 5, "owed": 5}


def _waits_for_a_lock(pid: int) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE pid = %s AND wait_event_type = 'Lock'",
            [pid],
        )
        return bool(cursor.fetchone()[0])
