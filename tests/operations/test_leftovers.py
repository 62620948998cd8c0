"""Processes of an earlier run."""

import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from issuer.operations import leftovers as module
from issuer.operations.leftovers import Leftovers


@pytest.fixture
def process() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(["sleep", "600"]) as process:
        yield process
        process.kill()


class TestEnd:
    def test_ends_what_was_noted_with_its_own_signal(
        self, process: subprocess.Popen[bytes], tmp_path: Path
    ) -> None:
        leftovers = Leftovers(tmp_path)
        leftovers.note("clock", process.pid, signal.SIGUSR1)  # no shell has it ignored

        leftovers.end()

        assert process.wait() == -signal.SIGUSR1
        assert list(tmp_path.iterdir()) == []

    def test_kills_what_does_not_listen(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(module, "_PATIENCE_SECONDS", 0.1)
        deaf = ["sh", "-c", "trap '' TERM; echo deaf; while :; do sleep 0.05; done"]
        with subprocess.Popen(deaf, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            process.stdout.readline()
            leftovers = Leftovers(tmp_path)
            leftovers.note("clock", process.pid, signal.SIGTERM)

            leftovers.end()

            assert process.wait() == -signal.SIGKILL

    def test_spares_another_process_that_has_the_id_now(
        self, process: subprocess.Popen[bytes], tmp_path: Path
    ) -> None:
        (tmp_path / "clock.pid").write_text(f"{process.pid} {int(signal.SIGKILL)} 1")

        Leftovers(tmp_path).end()

        assert process.poll() is None
        assert list(tmp_path.iterdir()) == []

    def test_forgets_what_has_ended(self, tmp_path: Path) -> None:
        with subprocess.Popen(["true"]) as process:
            process.wait()
        leftovers = Leftovers(tmp_path)
        leftovers.note("clock", process.pid, signal.SIGTERM)

        leftovers.end()

        assert list(tmp_path.iterdir()) == []


class TestForget:
    def test_takes_the_note_back(self, process: subprocess.Popen[bytes], tmp_path: Path) -> None:
        leftovers = Leftovers(tmp_path)
        leftovers.note("clock", process.pid, signal.SIGTERM)

        leftovers.forget("clock")
        leftovers.end()

        assert process.poll() is None
