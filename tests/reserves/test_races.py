"""Requests that want the same shares at the same time, and a halt that comes between."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from decimal import Decimal
from threading import Barrier, Event
from typing import Any

import pytest
from django.db import connection, transaction

from issuer.chain.models import TransactionIntent
from issuer.chain.states import IntentKind, SignerPurpose
from issuer.foundation import actors
from issuer.foundation.identifiers import uuid7
from issuer.gate import services as gate
from issuer.gate.errors import GateClosed
from issuer.gate.models import Cause, GateState, Hold, ScopeKind
from issuer.instruments.models import Deployment, Token
from issuer.reserves import errors, selectors, services
from issuer.reserves.models import ShareHold
from tests.make import chain, instruments, reserves

pytestmark = pytest.mark.django_db(transaction=True)

PATIENCE_SECONDS = 10


def hold_600(token: Token, deployment: Deployment, at: datetime) -> ShareHold:
    with transaction.atomic():
        return services.hold_shares(
            token_id=token.pk,
            request_id=uuid7(),
            quantity=Decimal(600),
            scopes=selectors.scopes_of(token, deployment.network),
            actor=actors.system("tests"),
            at=at,
        )


def at_once(*acts: Callable[[], object]) -> list[type[BaseException] | None]:
    """Do all acts at the same time; return what each of them was refused with."""
    start = Barrier(len(acts), timeout=PATIENCE_SECONDS)

    def run(act: Callable[[], object]) -> None:
        try:
            start.wait()
            act()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(acts)) as pool:
        futures = [pool.submit(run, act) for act in acts]
        raised = [future.exception(PATIENCE_SECONDS) for future in futures]
    return [None if one is None else type(one) for one in raised]


class TestTwoRequests:
    @pytest.mark.parametrize("_round", range(3))
    def test_for_600_of_1000_shares_get_them_once(self, _round: int, at: datetime) -> None:
        token, deployment, _ = reserves.backed_token(Decimal(1000), at=at)

        refusals = at_once(*[lambda: hold_600(token, deployment, at)] * 2)

        assert sorted(refusals, key=str) == [errors.SharesNotFree, None]
        assert ShareHold.objects.get().quantity == 600

    def test_for_two_tokens_both_get_them(self, at: datetime) -> None:
        first, second = (reserves.backed_token(Decimal(1000), at=at) for _ in range(2))

        refusals = at_once(
            lambda: hold_600(*first[:2], at),
            lambda: hold_600(*second[:2], at),
        )

        assert refusals == [None, None]
        assert ShareHold.objects.count() == 2


class TestAHold:
    def test_and_a_halt_are_never_both_there_unseen(self, at: datetime) -> None:
        token, deployment, _ = reserves.backed_token(Decimal(1000), at=at)
        order: list[str] = []

        def halt() -> None:
            with transaction.atomic():
                gate.place_hold(
                    kind=ScopeKind.TOKEN,
                    subject_id=token.pk,
                    effect=GateState.HALTED,
                    cause=Cause.PERSON,
                    reason="Somebody saw something.",
                    actor=actors.system("tests"),
                    at=at,
                )
                order.append("halt")

        def hold() -> None:
            hold_600(token, deployment, at)
            order.append("hold")

        refusals = at_once(halt, hold)

        assert Hold.objects.count() == 1
        if order[0] == "halt":
            assert (refusals, ShareHold.objects.count()) == ([None, GateClosed], 0)
        else:
            assert (refusals, ShareHold.objects.count()) == ([None, None], 1)

    def test_waits_for_a_halt_that_is_under_way_and_is_refused(self, at: datetime) -> None:
        token, deployment, _ = reserves.backed_token(Decimal(1000), at=at)
        halting = Event()

        def hold() -> None:
            try:
                halting.wait(PATIENCE_SECONDS)
                hold_600(token, deployment, at)
            finally:
                connection.close()

        with ThreadPoolExecutor() as pool:
            held = pool.submit(hold)
            with transaction.atomic():
                gate.place_hold(
                    kind=ScopeKind.PROGRAM,
                    subject_id=token.program_id,
                    effect=GateState.HALTED,
                    cause=Cause.PERSON,
                    reason="Somebody saw something.",
                    actor=actors.system("tests"),
                    at=at,
                )
                halting.set()
            refusal = held.exception(PATIENCE_SECONDS)

        assert isinstance(refusal, GateClosed)
        assert not ShareHold.objects.exists()


class TestTwoRedemptions:
    def test_of_600_each_do_not_both_get_the_1000_shares_that_are_left(self, at: datetime) -> None:
        token, deployment, _ = reserves.backed_token(Decimal(1000), at=at)
        reserves.supply(deployment, Decimal(1200), at=at)
        chain.signer_account(deployment.network, SignerPurpose.BURNER)

        def sign_burn() -> None:
            with transaction.atomic():
                services.require_redeemable(
                    token_id=token.pk,
                    shares=Decimal(600),
                    scopes=selectors.scopes_of(token, deployment.network),
                    at=at,
                )
                chain.intent(deployment, kind=IntentKind.BURN, base_units=600 * 10**18)

        refusals = at_once(sign_burn, sign_burn)

        assert sorted(refusals, key=str) == [errors.SharesNotFree, None]
        assert TransactionIntent.objects.filter(kind=IntentKind.BURN).count() == 1


class TestFigures:
    def test_are_of_one_instant_though_a_split_is_booked_while_they_are_read(
        self, at: datetime
    ) -> None:
        token, deployment, _ = reserves.backed_token(Decimal(602), at=at)
        reserves.issue(token, Decimal(600), Decimal(600), at=at)
        reserves.supply(deployment, Decimal(600), at=at)
        after = at + timedelta(minutes=1)
        split = instruments.split(token, effective_at=after, at=at)
        booked = Event()

        def book() -> None:
            try:
                reserves.split_books(split, at=after)
            finally:
                connection.close()

        def book_before_the_balances_are_read(
            execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any
        ) -> Any:
            if 'FROM "ledger_account"' in sql and not booked.is_set():
                booked.set()
                with ThreadPoolExecutor(1) as pool:
                    pool.submit(book).result(PATIENCE_SECONDS)
            return execute(sql, params, many, context)

        with connection.execute_wrapper(book_before_the_balances_are_read):
            during = selectors.cover_of(token, at=after)

        assert booked.is_set()
        found = [
            (cover.owed, cover.held) for cover in (during, selectors.cover_of(token, at=after))
        ]
        assert found == [(Decimal(2400), Decimal(2408))] * 2
