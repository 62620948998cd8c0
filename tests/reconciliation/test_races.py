"""Runs at the same time, and bookings between two reads."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from decimal import Decimal
from threading import Barrier, Event
from uuid import UUID

import pytest
from django.db import connection

from issuer.foundation import actors
from issuer.instruments.models import Token
from issuer.parties.models import Program
from issuer.primary_market import services as primary_market_services
from issuer.primary_market.models import IssuanceRequest
from issuer.primary_market.states import IssuanceState
from issuer.reconciliation import services
from issuer.reconciliation.errors import RunUnderWay
from issuer.reconciliation.models import Break, Run
from issuer.reserves import selectors as reserves_selectors
from issuer.reserves.figures import TokenFigures
from tests.make import primary_market, reserves

pytestmark = pytest.mark.django_db(transaction=True)

PATIENCE_SECONDS = 20


def reconcile(program: Program, at: datetime) -> Run:
    return services.reconcile(program, actor=actors.system("tests"), at=at)


class TestReconcile:
    def test_twice_at_once_opens_a_break_once(self, at: datetime) -> None:
        token, deployment, _ = reserves.backed_token(Decimal(1000), at=at)
        reserves.supply(deployment, Decimal(5), at=at)
        start = Barrier(3, timeout=PATIENCE_SECONDS)

        def run() -> None:
            try:
                start.wait()
                reconcile(token.program, at)
            finally:
                connection.close()

        with ThreadPoolExecutor(3) as pool:
            futures = [pool.submit(run) for _ in range(3)]
            refusals = [future.exception(PATIENCE_SECONDS) for future in futures]

        refused = [type(one) for one in refusals if one is not None]
        assert refused == [RunUnderWay] * (3 - Run.objects.count())
        assert Run.objects.exists()
        assert Break.objects.get().quantity == 5

    def test_reads_everything_as_of_one_instant(
        self, at: datetime, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        market = primary_market.market(own_shares=Decimal(2), at=at)
        request = primary_market.issuance(market, state=IssuanceState.MINTING, at=at)
        primary_market.finalize(request, at=at)
        reading, booked = Event(), Event()
        figures_of = reserves_selectors.figures_of

        def figures_after_the_booking(
            tokens: Sequence[Token], *, at: datetime
        ) -> dict[UUID, TokenFigures]:
            reading.set()
            assert booked.wait(PATIENCE_SECONDS)
            return figures_of(tokens, at=at)

        monkeypatch.setattr(reserves_selectors, "figures_of", figures_after_the_booking)

        def book() -> None:
            try:
                assert reading.wait(PATIENCE_SECONDS)
                primary_market_services.complete(request.pk, actor=actors.system("tests"), at=at)
            finally:
                booked.set()
                connection.close()

        with ThreadPoolExecutor(1) as pool:
            booking = pool.submit(book)
            run = reconcile(market.token.program, at)
            booking.result(PATIENCE_SECONDS)

        assert IssuanceRequest.objects.get().state == IssuanceState.COMPLETED
        found = {line.code: line.quantity for line in run.results.get().lines.all()}
        assert (found["A6"], found["A9"], found["A10"]) == (Decimal(-600), Decimal(0), Decimal(0))
        assert not Break.objects.exists()

    def test_leaves_no_lock_behind(self, at: datetime) -> None:
        token, _, _ = reserves.backed_token(at=at)

        reconcile(token.program, at)
        reconcile(token.program, at)

        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'")
            assert cursor.fetchone() == (0,)
