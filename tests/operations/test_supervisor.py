"""The supervisor, with real processes."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from issuer.operations import supervisor as module
from issuer.operations.supervisor import CannotStart, Part, Step, Supervisor

READY = "import os, pathlib, time; pathlib.Path(os.environ['READY_FILE']).touch(); "
STAYS = READY + "time.sleep(600)"
WAIT_SECONDS = 15.0


def part(name: str = "clock", script: str = STAYS) -> Part:
    return Part(name, f"the {name}", command=lambda: [sys.executable, "-I", "-S", "-c", script])


def wait_until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not true():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.02)


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


class Machine:
    """A supervisor over a directory, and what it said."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.lines: list[str] = []

    def supervisor(self, *stages: Part | Step) -> Supervisor:
        return Supervisor(stages, data_directory=self.directory, say=self.lines.append)

    def pid_of(self, name: str) -> int:
        said = [line.split() for line in self.lines if " pid " in line]
        return next(int(words[-3]) for words in reversed(said) if words[0] == name)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path / "data")


def nothing(stopping: threading.Event) -> None:
    """End at once, so that the supervisor stops when all is ready."""


class TestRun:
    def test_brings_stages_up_in_order_with_a_line_each(self, machine: Machine) -> None:
        ready_when_stepped = []

        def step() -> str:
            ready_when_stepped.append(machine.lines[0].split()[0])
            return "done"

        machine.supervisor(part("one"), Step("between", step), part("two")).run(nothing)

        assert [line.split()[0] for line in machine.lines] == [
            *("one", "between", "two", "Ready", "Stopping.")
        ]
        assert ready_when_stepped == ["one"]

    def test_leaves_no_process_and_no_note(self, machine: Machine) -> None:
        machine.supervisor(part("one"), part("two")).run(nothing)

        assert not alive(machine.pid_of("one"))
        assert not alive(machine.pid_of("two"))
        assert [path.name for path in (machine.directory / "run").iterdir()] == ["lock"]

    def test_stops_in_the_opposite_order(self, machine: Machine) -> None:
        order: list[str] = []
        parts = [
            replace(part("one"), clean_up=lambda: order.append("one")),
            replace(part("two"), clean_up=lambda: order.append("two")),
        ]

        machine.supervisor(*parts).run(nothing)

        assert order == ["two", "one"]

    def test_starts_a_killed_part_again(self, machine: Machine) -> None:
        def kill(_stopping: threading.Event) -> None:
            first = machine.pid_of("clock")
            os.kill(first, signal.SIGKILL)
            wait_until(lambda: machine.pid_of("clock") != first)

        machine.supervisor(part()).run(kill)

        assert "clock was killed by SIGKILL; starting it again in 0.25 s." in machine.lines

    def test_kills_what_a_dead_part_had_started(self, machine: Machine, tmp_path: Path) -> None:
        child = tmp_path / "child"
        starts = (
            "import subprocess; "
            f"p = subprocess.Popen(['sleep', '600']); open({str(child)!r}, 'w').write(str(p.pid)); "
        )

        def kill(_stopping: threading.Event) -> None:
            first, orphan = machine.pid_of("clock"), int(child.read_text())
            os.kill(first, signal.SIGKILL)
            wait_until(lambda: machine.pid_of("clock") != first)
            assert not alive(orphan)

        machine.supervisor(part(script=starts + STAYS)).run(kill)

        assert not alive(int(child.read_text()))

    def test_gives_up_on_a_part_that_keeps_ending_and_says_why(
        self, machine: Machine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(module, "_FIRST_DELAY_SECONDS", 0.001)
        broken = part("broken", "print('no bread'); raise SystemExit(3)")

        with pytest.raises(CannotStart) as refusal:
            machine.supervisor(part(), broken).run(nothing)

        first, *rest = str(refusal.value).splitlines()
        log = machine.directory / "log" / "broken.log"
        assert first == (
            f"broken ended with status 3, and did so 5 times before within 60 s. The end of {log}:"
        )
        assert rest == ["  no bread"] * 6
        assert not alive(machine.pid_of("clock"))

    def test_gives_up_on_a_part_that_is_not_ready_in_time(self, machine: Machine) -> None:
        silent = replace(part("silent", "import time; time.sleep(600)"), ready_seconds=0.2)

        with pytest.raises(CannotStart, match=r"^silent is not ready after 0 s\."):
            machine.supervisor(silent).run(nothing)

    def test_starts_nothing_if_a_part_never_could(self, machine: Machine) -> None:
        def refuse() -> None:
            raise CannotStart("There is no room.")

        with pytest.raises(CannotStart, match="There is no room"):
            machine.supervisor(part(), replace(part("big"), check=refuse)).run(nothing)

        assert machine.lines == []

    def test_insists_with_a_part_that_does_not_listen(self, machine: Machine) -> None:
        deaf = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
        stubborn = replace(part(script=deaf + STAYS), stop_seconds=0.2)

        machine.supervisor(stubborn).run(nothing)

        assert not alive(machine.pid_of("clock"))

    def test_raises_what_ran_alongside_raised(self, machine: Machine) -> None:
        def fail(_stopping: threading.Event) -> None:
            raise LookupError("The plot is lost.")

        with pytest.raises(LookupError, match="The plot is lost"):
            machine.supervisor(part()).run(fail)

        assert not alive(machine.pid_of("clock"))

    def test_tells_what_runs_alongside_to_stop(self, machine: Machine) -> None:
        def interrupted(stopping: threading.Event) -> None:
            os.kill(os.getpid(), signal.SIGTERM)
            assert stopping.wait(WAIT_SECONDS)
            raise LookupError("Whatever this says, somebody asked for it.")

        machine.supervisor(part()).run(interrupted)

        assert machine.lines[-1] == "Stopping."

    def test_puts_the_handlers_of_signals_back(self, machine: Machine) -> None:
        before = signal.getsignal(signal.SIGINT)

        machine.supervisor(part()).run(nothing)

        assert signal.getsignal(signal.SIGINT) is before

    def test_stops_before_the_next_stage_when_told(self, machine: Machine) -> None:
        def told() -> str:
            os.kill(os.getpid(), signal.SIGINT)
            return "told"

        machine.supervisor(Step("told", told), part(), Step("never", str)).run()

        assert [line.split()[0] for line in machine.lines] == ["told"]

    def test_refuses_a_directory_that_another_holds(self, machine: Machine) -> None:
        def second(_stopping: threading.Event) -> None:
            other = Machine(machine.directory)
            with pytest.raises(CannotStart) as refusal:
                other.supervisor(part("other")).run(nothing)
            assert str(refusal.value) == (
                f"{machine.directory} is in use by process {os.getpid()}. "
                "Stop it, or name another DATA_DIR."
            )
            assert other.lines == []

        machine.supervisor(part()).run(second)

    def test_refuses_a_directory_that_cannot_be_made(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        machine = Machine(tmp_path / "file")

        with pytest.raises(CannotStart, match="cannot be used: Not a directory"):
            machine.supervisor(part()).run(nothing)

    def test_puts_a_long_log_aside(self, machine: Machine) -> None:
        log = machine.directory / "log" / "clock.log"
        log.parent.mkdir(parents=True)
        with log.open("wb") as file:
            file.truncate(10 * 2**20 + 1)

        machine.supervisor(part()).run(nothing)

        assert log.stat().st_size == 0
        assert log.with_suffix(".log.1").stat().st_size == 10 * 2**20 + 1


SCRIPT = """
import sys
from pathlib import Path
from issuer.operations.supervisor import Part, Supervisor
stays = {stays!r}
part = Part("clock", "the clock", command=lambda: [sys.executable, "-I", "-S", "-c", stays])
Supervisor([part], data_directory=Path({data!r}), say=lambda line: print(line, flush=True)).run()
"""


class TestProcess:
    """The supervisor as a process of its own, as people and machines meet it."""

    def start(self, data: Path) -> tuple[subprocess.Popen[str], int]:
        """Return the supervisor when it is ready, and the process id of its part."""
        process = subprocess.Popen(
            [sys.executable, "-c", SCRIPT.format(stays=STAYS, data=str(data))],
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        assert process.stdout is not None
        pid = int(process.stdout.readline().split()[-3])
        assert process.stdout.readline().startswith("Ready after ")
        return process, pid

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
    def test_ends_well_on_a_signal(self, number: signal.Signals, tmp_path: Path) -> None:
        process, pid = self.start(tmp_path / "data")

        process.send_signal(number)

        assert process.communicate(timeout=WAIT_SECONDS)[0] == "Stopping.\n"
        assert process.returncode == 0
        assert not alive(pid)

    def test_takes_its_parts_along_when_killed_and_starts_again(self, tmp_path: Path) -> None:
        process, pid = self.start(tmp_path / "data")

        process.kill()
        process.communicate()

        wait_until(lambda: not alive(pid))
        second, _ = self.start(tmp_path / "data")
        second.send_signal(signal.SIGINT)
        second.communicate(timeout=WAIT_SECONDS)
        assert second.returncode == 0
