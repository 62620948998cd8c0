"""A halt against an approval, with real threads: never both."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Final

import pytest
from django.db import connection, transaction

from issuer.foundation.actors import system
from issuer.foundation.identifiers import uuid7
from issuer.gate import errors, services
from issuer.gate.models import Cause, GateState, Hold, ScopeKind
from issuer.gate.selectors import ScopeKey

pytestmark = pytest.mark.django_db(transaction=True)

TOKEN: Final = uuid7()
SCOPES: Final[list[ScopeKey]] = [(ScopeKind.PROGRAM, uuid7()), (ScopeKind.TOKEN, TOKEN)]
PATIENCE_SECONDS: Final = 10


def halt(at: datetime) -> Hold:
    return services.place_hold(
        kind=ScopeKind.TOKEN,
        subject_id=TOKEN,
        effect=GateState.HALTED,
        cause=Cause.BREAK,
        reason="The books and the chain differ.",
        actor=system("tests"),
        at=at,
    )


def in_thread(work: Callable[[], object]) -> Callable[[], object]:
    def wrapper() -> object:
        try:
            return work()
        finally:
            connection.close()

    return wrapper


def wait_until_somebody_waits_for_a_lock() -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
            row = cursor.fetchone()
        if row is not None and row[0]:
            return
        time.sleep(0.01)
    raise AssertionError("nobody waits for a lock")


class TestAHaltAndAnApproval:
    def test_the_halt_waits_for_an_approval_under_way(self, at: datetime) -> None:
        approved = threading.Event()
        ended: list[str] = []

        def halting() -> None:
            approved.wait(PATIENCE_SECONDS)
            halt(at)
            ended.append("halt")

        with ThreadPoolExecutor() as pool:
            halted = pool.submit(in_thread(halting))
            with transaction.atomic():
                services.require_open(scopes=SCOPES)
                approved.set()
                wait_until_somebody_waits_for_a_lock()
                ended.append("approval")
            halted.result(PATIENCE_SECONDS)

        assert ended == ["approval", "halt"]

    @pytest.mark.parametrize("gate_existed", [True, False])
    def test_the_approval_waits_for_a_halt_under_way_and_sees_it(
        self, gate_existed: bool, at: datetime
    ) -> None:
        if gate_existed:
            with transaction.atomic():
                services.require_open(scopes=SCOPES)
        halting = threading.Event()

        def approve() -> None:
            halting.wait(PATIENCE_SECONDS)
            with transaction.atomic():
                services.require_open(scopes=SCOPES)

        with ThreadPoolExecutor() as pool:
            approval = pool.submit(in_thread(approve))
            with transaction.atomic():
                halt(at)
                halting.set()
                wait_until_somebody_waits_for_a_lock()
            with pytest.raises(errors.GateClosed):
                approval.result(PATIENCE_SECONDS)

    def test_approvals_do_not_wait_for_each_other(self) -> None:
        with transaction.atomic():
            services.require_open(scopes=SCOPES)
        both = threading.Barrier(2, timeout=PATIENCE_SECONDS)

        def approve() -> None:
            with transaction.atomic():
                services.require_open(scopes=SCOPES)
                both.wait()  # reached only if neither holds the other up

        with ThreadPoolExecutor() as pool:
            approvals = [pool.submit(in_thread(approve)) for _ in range(2)]
            for approval in approvals:
                approval.result(PATIENCE_SECONDS)
