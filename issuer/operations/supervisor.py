"""One command that keeps the parts of one machine running, and leaves none behind.

A `Part` is a process that should run for as long as we do; a `Step` is work that is done once.
Parts that follow each other start together; a step waits until all parts before it are ready.
"""

import contextlib
import fcntl
import os
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent import futures
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import IO, Final

from issuer.operations.embedded import Account, child_command
from issuer.operations.leftovers import Leftovers

_POLL_SECONDS: Final = 0.05
_FIRST_DELAY_SECONDS: Final = 0.25
#: A part that ends this often within this time is beyond help.
_RESTARTS_MAX: Final = 5
_RESTARTS_WINDOW_SECONDS: Final = 60.0
_LOG_LINES: Final = 10
#: For what runs alongside, to notice that it should stop.
_FAREWELL_SECONDS: Final = 5.0
_LOG_BYTES_MAX: Final = 10 * 2**20


class CannotStart(Exception):
    """The machine cannot be brought up, or a part does not stay up; the message says why."""


@dataclass(frozen=True)
class Part:
    """A process that is started, awaited, watched, started again, and stopped.

    `command` is asked for at each start. The process is ready when `is_ready` says so, or, without
    one, when it has made the file that its environment names as READY_FILE.
    """

    name: str
    address: str
    command: Callable[[], Sequence[str]]
    is_ready: Callable[[], bool] | None = None
    #: Before anything starts: raises `CannotStart` if this part never could.
    check: Callable[[], None] | None = None
    #: Before its first start.
    prepare: Callable[[], None] | None = None
    #: After it was stopped for good.
    clean_up: Callable[[], None] | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    directory: Path = Path("/")
    account: Account | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    ready_seconds: float = 60.0
    stop_seconds: float = 20.0


@dataclass(frozen=True)
class Step:
    """Work that is done once; `work` returns what there is to say of it."""

    name: str
    work: Callable[[], str]


@dataclass
class _Running:
    """A part and its process."""

    part: Part
    process: subprocess.Popen[bytes]
    started: float
    ready: bool = False
    restart_at: float | None = None
    ends: deque[float] = field(default_factory=lambda: deque(maxlen=_RESTARTS_MAX))


class Supervisor:
    """Brings up parts and steps in order, and keeps the parts up until it is told to stop."""

    def __init__(
        self,
        stages: Sequence[Part | Step],
        *,
        data_directory: Path,
        say: Callable[[str], None],
    ) -> None:
        self.stopping = threading.Event()
        self._stages = stages
        self._data_directory = data_directory
        self._say = say
        self._running: list[_Running] = []
        self._leftovers = Leftovers(data_directory / "run")

    def run(self, alongside: Callable[[threading.Event], None] | None = None) -> None:
        """Bring everything up, stay until a signal or the end of `alongside`, and stop everything.

        `alongside` is told when to stop by the event; what it raises is raised here.

        Raises:
            CannotStart: if a part cannot be started or does not stay up.
        """
        with self._alone(), self._signals():
            try:
                self._start()
                if alongside is None or self.stopping.is_set():
                    self._stay()
                else:
                    self._stay_for(alongside)
            finally:
                self._stop()

    def _start(self) -> None:
        began = time.monotonic()
        for part in self._stages:
            if isinstance(part, Part) and part.check is not None:
                part.check()
        self._leftovers.end()
        for stage in self._stages:
            if self.stopping.is_set():
                return
            if isinstance(stage, Part):
                if stage.prepare is not None:
                    stage.prepare()
                self._running.append(self._launch(stage))
            else:
                self._await_ready()
                self._take(stage)
        self._await_ready()
        if not self.stopping.is_set():
            self._say(f"Ready after {time.monotonic() - began:.1f} s. Ctrl-C stops everything.")

    def _take(self, step: Step) -> None:
        if self.stopping.is_set():
            return
        began = time.monotonic()
        outcome = step.work()
        self._tell(step.name, outcome, "", time.monotonic() - began)

    def _await_ready(self) -> None:
        while not self.stopping.is_set() and not all(one.ready for one in self._running):
            self._look_after()
            time.sleep(_POLL_SECONDS)

    def _stay(self) -> None:
        while not self.stopping.wait(_POLL_SECONDS):
            self._look_after()

    def _stay_for(self, alongside: Callable[[threading.Event], None]) -> None:
        pool = futures.ThreadPoolExecutor(max_workers=1, thread_name_prefix="alongside")
        try:
            work = pool.submit(alongside, self.stopping)
            while not work.done() and not self.stopping.wait(_POLL_SECONDS):
                self._look_after()
            if work.done():
                work.result()
        finally:
            self.stopping.set()
            futures.wait([work], timeout=_FAREWELL_SECONDS)
            pool.shutdown(wait=False)

    def _look_after(self) -> None:
        """Notice which parts became ready and which ended, and start those again."""
        for one in self._running:
            now = time.monotonic()
            if one.restart_at is not None:
                if now >= one.restart_at:
                    self._relaunch(one)
            elif one.process.poll() is not None:
                self._expect_again(one, now)
            elif not one.ready:
                if self._is_ready(one.part):
                    one.ready = True
                    self._tell(
                        one.part.name, one.part.address, str(one.process.pid), now - one.started
                    )
                elif now - one.started > one.part.ready_seconds:
                    raise CannotStart(
                        f"{one.part.name} is not ready after {one.part.ready_seconds:.0f} s."
                        f"{self._last_words(one.part)}"
                    )

    def _expect_again(self, one: _Running, now: float) -> None:
        _signal_group(one.process, signal.SIGKILL)  # what it started must not stand in the way
        how = _how_it_ended(one.process.returncode)
        if len(one.ends) == _RESTARTS_MAX and now - one.ends[0] < _RESTARTS_WINDOW_SECONDS:
            raise CannotStart(
                f"{one.part.name} {how}, and did so {_RESTARTS_MAX} times before within "
                f"{_RESTARTS_WINDOW_SECONDS:.0f} s.{self._last_words(one.part)}"
            )
        recent = sum(now - end < _RESTARTS_WINDOW_SECONDS for end in one.ends)
        delay = _FIRST_DELAY_SECONDS * 2**recent
        one.ends.append(now)
        one.restart_at = now + delay
        self._say(f"{one.part.name} {how}; starting it again in {delay:.2f} s.")

    def _relaunch(self, one: _Running) -> None:
        fresh = self._launch(one.part)
        one.process, one.started = fresh.process, fresh.started
        one.ready, one.restart_at = False, None

    def _launch(self, part: Part) -> _Running:
        self._ready_file(part).unlink(missing_ok=True)
        account = part.account or Account("", os.geteuid(), os.getegid())
        with self._open_log(part) as log:
            process = subprocess.Popen(
                child_command(list(part.command()), account=account, death_signal=part.stop_signal),
                cwd=part.directory,
                env={
                    **os.environ,
                    "READY_FILE": str(self._ready_file(part)),
                    "PYTHONUNBUFFERED": "1",
                    **part.environment,
                },
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # so that Ctrl-C reaches us alone, and we stop in order
            )
        self._leftovers.note(part.name, process.pid, part.stop_signal)
        return _Running(part, process, time.monotonic())

    def _is_ready(self, part: Part) -> bool:
        return self._ready_file(part).exists() if part.is_ready is None else part.is_ready()

    def _stop(self) -> None:
        if self._running:
            self._say("Stopping.")
        for one in reversed(self._running):
            _end(one)
            self._leftovers.forget(one.part.name)
            self._ready_file(one.part).unlink(missing_ok=True)
            if one.part.clean_up is not None:
                one.part.clean_up()
        self._running.clear()

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Hold the data directory for ourselves; the lock ends with us, however we end."""
        try:
            for name in ("run", "log"):
                (self._data_directory / name).mkdir(parents=True, exist_ok=True)
            lock = (self._data_directory / "run" / "lock").open("a+")
        except OSError as exc:
            raise CannotStart(
                f"The data directory {self._data_directory} cannot be used: {exc.strerror}."
            ) from exc
        with lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                lock.seek(0)
                raise CannotStart(
                    f"{self._data_directory} is in use by process {lock.read().strip()}. "
                    "Stop it, or name another DATA_DIR."
                ) from None
            lock.truncate(0)
            lock.write(str(os.getpid()))
            lock.flush()
            yield

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        """Turn the signals that end programs into a wish to stop, while we run."""

        def wish(_number: int, _frame: FrameType | None) -> None:
            self.stopping.set()

        wanted = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        before = [(number, signal.signal(number, wish)) for number in wanted]
        try:
            yield
        finally:
            for number, handler in before:
                signal.signal(number, handler)

    def _ready_file(self, part: Part) -> Path:
        return self._data_directory / "run" / f"{part.name}.ready"

    def _log_path(self, part: Part) -> Path:
        return self._data_directory / "log" / f"{part.name}.log"

    def _open_log(self, part: Part) -> IO[bytes]:
        path = self._log_path(part)
        if path.exists() and path.stat().st_size > _LOG_BYTES_MAX:
            path.replace(path.with_suffix(".log.1"))
        return path.open("ab")

    def _last_words(self, part: Part) -> str:
        """Return the end of the part's log, for people who wonder."""
        path = self._log_path(part)
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()[-_LOG_LINES:]
        return "\n".join([f" The end of {path}:", *(f"  {line}" for line in lines)])

    def _tell(self, name: str, what: str, pid: str, seconds: float) -> None:
        process = f"pid {pid}" if pid else ""
        self._say(f"{name:<12} {what:<48} {process:<12} {seconds:5.1f} s")


def _end(one: _Running) -> None:
    """Ask the process to stop, insist if it does not, and leave nothing of its group."""
    if one.process.poll() is None:
        one.process.send_signal(one.part.stop_signal)
        with contextlib.suppress(subprocess.TimeoutExpired):
            one.process.wait(one.part.stop_seconds)
    _signal_group(one.process, signal.SIGKILL)
    one.process.wait()


def _signal_group(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


def _how_it_ended(code: int) -> str:
    if code < 0:
        return f"was killed by {signal.Signals(-code).name}"
    return f"ended with status {code}"
