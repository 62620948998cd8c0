"""The whole machine, brought up as people do."""

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.operations.directories import open_to_others
from tests.test_settings import PRODUCTION

ROOT = Path(__file__).resolve().parent.parent.parent
PATIENCE_SECONDS = 180.0
METRICS_TOKEN = "m" * 32
PARTS = {"database", "worker", "beat", "web"}

pytestmark = pytest.mark.slow


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not true():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.1)


class Up:
    """`manage.py up` over a data directory of its own."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.port = free_port()
        self.process: subprocess.Popen[str] | None = None

    @property
    def environment(self) -> dict[str, str]:
        # As production: the demo world asks for more work than a busy machine of tests can do.
        ours = PRODUCTION | {
            "DATA_DIR": str(self.data),
            "METRICS_TOKEN": METRICS_TOKEN,
            "WORKER_PROCESSES": "1",
        }
        unwanted = {"SANDBOX", "DATABASE_URL", "BROKER_URL"}
        return {name: it for name, it in os.environ.items() if name not in unwanted} | ours

    @property
    def output(self) -> str:
        return self.data.with_suffix(".out").read_text()

    def command(self) -> list[str]:
        return [sys.executable, str(ROOT / "manage.py"), "up", "--port", str(self.port)]

    def start(self) -> None:
        with self.data.with_suffix(".out").open("w") as output:
            process = subprocess.Popen(
                self.command(), env=self.environment, stdout=output, stderr=output, text=True
            )
        self.process = process
        wait_until(lambda: "Ready after" in self.output or process.poll() is not None)
        assert process.poll() is None, self.output

    def stop(self, number: signal.Signals = signal.SIGINT) -> int:
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(PATIENCE_SECONDS)

    def pid_of(self, part: str) -> int:
        return int(re.findall(rf"^{part} .* pid (\d+) ", self.output, re.MULTILINE)[-1])

    def get(self, path: str, **headers: str) -> tuple[int, str]:
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)) as connection:
            connection.request("GET", path, headers=headers)
            response = connection.getresponse()
            return response.status, response.read().decode()

    def processes(self) -> list[str]:
        """Return the command lines of all processes that know of the data directory."""
        marker = str(self.data).encode()
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            try:
                known = (process / "environ").read_bytes() + (process / "cmdline").read_bytes()
                if marker in known and (process / "exe").exists():
                    found.append((process / "cmdline").read_text().replace("\0", " "))
            except OSError:
                continue
        return found


@pytest.fixture(scope="module")
def up() -> Iterator[Up]:
    with open_to_others() as directory:
        machine = Up(directory / "data")
        machine.start()
        yield machine
        if machine.process is not None and machine.process.poll() is None:
            machine.stop(signal.SIGTERM)


class TestUp:
    """In order, since bringing a machine up takes seconds: each leaves it as the next needs it."""

    def test_names_each_part_as_it_becomes_ready(self, up: Up) -> None:
        names = [line.split()[0] for line in up.output.splitlines()]

        assert names[:4] == ["database", "schema", "migrations", "static"]
        assert set(names[4:7]) == {"worker", "beat", "web"}
        assert names[7] == "Ready"
        assert up.get("/healthz") == (200, '{"status": "ok"}')

    def test_becomes_fit_when_a_task_went_through_the_queues(self, up: Up) -> None:
        wait_until(lambda: up.get("/readyz")[0] == 200)

        assert set(json.loads(up.get("/readyz")[1])["checks"].values()) == {"ok"}

    def test_counts_requests(self, up: Up) -> None:
        up.get("/nothing-here")

        status, figures = up.get("/metrics", Authorization=f"Bearer {METRICS_TOKEN}")

        assert status == 200
        assert "django_http_requests_before_middlewares_total" in figures

    @pytest.mark.parametrize("part", sorted(PARTS))
    def test_starts_a_killed_part_again(self, part: str, up: Up) -> None:
        first = up.pid_of(part)

        os.kill(first, signal.SIGKILL)

        wait_until(lambda: up.pid_of(part) != first)
        assert f"{part} was killed by SIGKILL; starting it again in " in up.output
        wait_until(lambda: up.get("/readyz")[0] == 200)

    def test_refuses_a_second_one_over_the_same_data(self, up: Up) -> None:
        second = Up(up.data)

        refused = subprocess.run(
            second.command(), env=up.environment, capture_output=True, text=True, check=False
        )

        assert refused.returncode == 1
        assert up.process is not None
        assert refused.stderr == (
            f"CommandError: {up.data} is in use by process {up.process.pid}. "
            "Stop it, or name another DATA_DIR.\n"
        )
        assert refused.stdout == ""

    def test_refuses_a_port_that_is_taken_and_makes_nothing(self, up: Up) -> None:
        other = Up(up.data.with_name("other"))
        other.port = up.port

        refused = subprocess.run(
            other.command(), env=other.environment, capture_output=True, text=True, check=False
        )

        assert refused.returncode == 1
        assert refused.stderr == (
            f"CommandError: Cannot listen on 127.0.0.1 port {up.port}: Address already in use. "
            "Choose another with --port.\n"
        )
        assert not (other.data / "postgresql").exists()

    def test_leaves_no_process_when_interrupted(self, up: Up) -> None:
        assert up.stop(signal.SIGINT) == 0

        assert up.output.endswith("Stopping.\n")
        assert up.processes() == []

    def test_goes_on_with_the_same_data(self, up: Up) -> None:
        up.start()

        assert re.search(r"^schema +there ", up.output, re.MULTILINE)
        assert re.search(r"^migrations +none to apply ", up.output, re.MULTILINE)
        assert "not reached" not in up.get("/readyz")[1]

    def test_leaves_no_process_when_killed(self, up: Up) -> None:
        assert up.stop(signal.SIGKILL) == -signal.SIGKILL

        wait_until(lambda: up.processes() == [])

    def test_refuses_data_of_another_version(self, up: Up) -> None:
        version = up.data / "postgresql" / "data" / "PG_VERSION"
        version.write_text("15\n")

        refused = subprocess.run(
            up.command(), env=up.environment, capture_output=True, text=True, check=False
        )

        assert refused.returncode == 1
        assert "holds data of PostgreSQL 15; this is 18" in refused.stderr
        assert refused.stdout == ""


class TestWithoutSettings:
    def test_names_the_secret_that_is_missing(self, tmp_path: Path) -> None:
        environment = {"PATH": os.environ["PATH"], "DATA_DIR": str(tmp_path)}

        refused = subprocess.run(
            [sys.executable, str(ROOT / "manage.py"), "up"],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )

        assert refused.returncode == 1
        assert refused.stderr == (
            "Not configured: Set SECRET_KEY, or SECRET_KEY_FILE to the file that holds it.\n"
        )
