"""Reconciling by the clock."""

from datetime import timedelta

import pytest

from issuer.chain.states import EventKind, IntentState, SignerPurpose
from issuer.foundation import clock
from issuer.reconciliation import tasks
from issuer.reconciliation.models import Run
from tests.make import chain, instruments, parties, reconciliation

pytestmark = pytest.mark.django_db


class Told:
    """Takes the place of a task, and remembers what it was asked to do."""

    def __init__(self) -> None:
        self.ids: list[str] = []

    def apply_async(self, *, kwargs: dict[str, str], expires: int) -> None:
        assert expires == 60
        self.ids.append(kwargs["program_id"])


class TestReconcilePrograms:
    def test_asks_for_each_program(self, monkeypatch: pytest.MonkeyPatch) -> None:
        programs = [parties.program(), parties.program()]
        told = Told()
        monkeypatch.setattr(tasks, "reconcile_program", told)

        tasks.reconcile_programs()

        assert told.ids == [str(program.pk) for program in programs]


class TestReconcileAlarmed:
    @pytest.fixture
    def told(self, monkeypatch: pytest.MonkeyPatch) -> Told:
        told = Told()
        monkeypatch.setattr(tasks, "reconcile_program", told)
        return told

    def test_asks_where_somebody_minted_past_the_books(self, told: Told) -> None:
        stolen = chain.event()
        chain.event(kind=EventKind.BURN)
        parties.program()

        tasks.reconcile_alarmed()

        assert told.ids == [str(stolen.deployment.token.program_id)]

    def test_asks_no_more_once_a_run_has_found_it(self, told: Told) -> None:
        stolen = chain.event()
        reconciliation.run(stolen.deployment.token.program)

        tasks.reconcile_alarmed()

        assert told.ids == []

    def test_asks_again_for_the_next_one(self, told: Told) -> None:
        stolen = chain.event()
        reconciliation.run(stolen.deployment.token.program)
        chain.event(stolen.deployment)

        tasks.reconcile_alarmed()

        assert told.ids == [str(stolen.deployment.token.program_id)]

    @pytest.mark.parametrize("purpose", SignerPurpose)
    def test_asks_where_a_stranger_has_a_role_and_has_not_used_it(
        self, purpose: SignerPurpose, told: Told
    ) -> None:
        stranger, deployment = parties.evm_address(), instruments.deployment()
        chain.snapshot(deployment, minters=[stranger])
        chain.snapshot(deployment, minters=[])
        tasks.reconcile_alarmed()
        assert told.ids == []
        of_minters = [stranger] if purpose == SignerPurpose.MINTER else []
        chain.snapshot(
            deployment,
            minters=of_minters,
            role_holders={} if of_minters else {purpose.value: [stranger]},
        )

        tasks.reconcile_alarmed()

        assert told.ids == [str(deployment.token.program_id)]
        reconciliation.run(deployment.token.program)
        tasks.reconcile_alarmed()
        assert len(told.ids) == 1

    def test_leaves_our_own_mints_to_the_clock(self, told: Told) -> None:
        chain.intent(state=IntentState.FINAL)

        tasks.reconcile_alarmed()

        assert told.ids == []


class TestReconcileProgram:
    def test_reconciles_it(self) -> None:
        program = parties.program()

        tasks.reconcile_program(program_id=str(program.pk))

        run = Run.objects.get()
        assert (run.program, run.started_by) == (program, "SYSTEM:reconcile_program")

    def test_leaves_it_to_a_run_that_is_newer(self) -> None:
        program = parties.program()
        newer = reconciliation.run(program, at=clock.now() + timedelta(minutes=1))

        tasks.reconcile_program(program_id=str(program.pk))

        assert Run.objects.get() == newer
