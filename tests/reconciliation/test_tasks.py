"""Reconciling by the clock."""

from datetime import timedelta

import pytest

from issuer.foundation import clock
from issuer.reconciliation import tasks
from issuer.reconciliation.models import Run
from tests.make import parties, reconciliation

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
