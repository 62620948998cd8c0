"""Processes of an earlier run that was killed before it could stop them.

Each is noted as its id and the moment it began, since ids are given out again.
"""

import contextlib
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

_PATIENCE_SECONDS: Final = 15.0


@dataclass(frozen=True)
class Leftovers:
    """The notes in `directory`, one file per part."""

    directory: Path

    def note(self, name: str, pid: int, stop_signal: signal.Signals) -> None:
        """Write down that the part runs as `pid`, and how it is asked to stop."""
        self._path(name).write_text(f"{pid} {int(stop_signal)} {_began(pid)}", encoding="ascii")

    def forget(self, name: str) -> None:
        """Take the note of a part back, which has ended."""
        self._path(name).unlink(missing_ok=True)

    def end(self) -> None:
        """End whatever still runs of what was noted."""
        noted = {path: _Noted.read(path) for path in self.directory.glob("*.pid")}
        alive = [one for one in noted.values() if one.runs()]
        for one in alive:
            one.send(one.stop_signal)
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while time.monotonic() < deadline and any(one.runs() for one in alive):
            time.sleep(0.05)
        for one in alive:
            if one.runs():
                one.send(signal.SIGKILL)
        for path in noted:
            path.unlink()

    def _path(self, name: str) -> Path:
        return self.directory / f"{name}.pid"


@dataclass(frozen=True)
class _Noted:
    pid: int
    stop_signal: signal.Signals
    began: str

    @classmethod
    def read(cls, path: Path) -> Self:
        pid, number, began = path.read_text(encoding="ascii").split(" ")
        return cls(int(pid), signal.Signals(int(number)), began)

    def runs(self) -> bool:
        return self.began != "" and _began(self.pid) == self.began

    def send(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(self.pid, number)


def _began(pid: int) -> str:
    """Return when the process began, in the system's own ticks; nothing if there is no such one.

    Systems without /proc say nothing of it, and there no leftover is recognized.
    """
    try:
        status = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    # The name in parentheses may hold anything, so count from its end; field 3 is the state.
    fields = status.rpartition(")")[2].split()
    return "" if fields[0] == "Z" else fields[19]
