"""The main job from outside, as a newcomer runs it: every door, every part, and a stranger's check.

One run of the demo serves all tests here: API, pages, statement files, a real chain, the worker and
its beat, and PostgreSQL are its own, started from nothing.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pikepdf
import pytest
from django.conf import settings

pytestmark = pytest.mark.slow

STEPS = [
    "The world",
    "Meridian Exchange Ltd binds its wallet",
    "Custody",
    "Two officers",
    "The mint",
    "Reconciliation",
    "The attestation",
]
REFUSALS = [
    "wallet-not-bound",
    "idempotency-key-missing",
    "token-unknown",
    "kyc-not-cleared",
    "quantity-too-fine",
    "invalid-request",
    "idempotency-key-reused",
]


@dataclass(frozen=True)
class Told:
    """What a run of the demo left: what it said, the package, and the public keys."""

    lines: list[str]
    package: Path
    keys: Path

    @property
    def document(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads((self.package / "attestation.json").read_text())
        return document

    def token(self, symbol: str) -> dict[str, Any]:
        [token] = [token for token in self.document["tokens"] if token["symbol"] == symbol]
        return dict(token)


@pytest.fixture(scope="module")
def told() -> Iterator[Told]:
    surroundings = {
        name: value
        for name, value in os.environ.items()
        if name not in {"BROKER_URL", "DATABASE_URL", "DATA_DIR", "SANDBOX"}
        and not name.startswith("PYTEST")
    }
    ended = subprocess.run(
        [sys.executable, "manage.py", "demo", "--once"],
        cwd=settings.BASE_DIR,
        env=surroundings,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout[-4000:] + ended.stderr[-4000:]
    lines = ended.stdout.splitlines()
    package = Path(lines[-2].removeprefix("package: "))
    keys = Path(lines[-1].removeprefix("keys: "))
    yield Told(lines, package, keys)
    shutil.rmtree(keys.parent)


def verify(package: Path, keys: Path) -> subprocess.CompletedProcess[str]:
    """Check a package as a stranger does, with a Python that knows nothing of this project."""
    return subprocess.run(
        [sys.executable, "-I", str(package / "verify_offline.py"), package, "--keys", keys],
        capture_output=True,
        text=True,
        check=False,
    )


class TestTheStory:
    def test_is_told_step_by_step(self, told: Told) -> None:
        titles = [
            match[2]
            for line in told.lines
            if (match := re.match(r" (\d)\. (.*)", line)) is not None
        ]

        assert len(titles) == len(STEPS)
        assert all(title.startswith(step) for title, step in zip(titles, STEPS, strict=True))

    def test_shows_each_refusal(self, told: Told) -> None:
        refused = [line for line in told.lines if line.startswith("    refused 4")]

        assert [line.split()[2].rstrip(":") for line in refused] == REFUSALS

    def test_refuses_each_bad_statement_file(self, told: Told) -> None:
        refused = [line.split()[1].rstrip(":") for line in told.lines if ".csv:" in line]

        assert refused == ["empty.csv", "yesterday-again.csv", "truncated.csv"]

    def test_leaves_no_process(self, told: Told) -> None:
        ours = str(told.keys.parent)

        left = [
            entry.name
            for entry in Path("/proc").iterdir()
            if entry.name.isdigit() and ours in _words_of(entry)
        ]

        assert left == []

    def test_leaves_nothing_but_package_and_keys(self, told: Told) -> None:
        assert {path.name for path in told.keys.parent.iterdir()} == {"keys.json", "package"}


class TestThePackage:
    def test_states_what_happened_exactly(self, told: Told) -> None:
        apple = told.token("AAPLx")

        assert (apple["owedShares"], apple["settledShares"]) == ("600", "602")
        assert (apple["status"], apple["mint"]["state"]) == ("COVERED", "OPEN")
        assert [room["tokens"] for room in apple["mint"]["headroom"]] == ["2"]
        assert apple["coverageBp"] == 10033
        for symbol in ("TSLAx", "NVDAx"):
            token = told.token(symbol)
            assert (token["owedShares"], token["settledShares"]) == ("0", "0")
            assert (token["status"], token["coverageBp"]) == ("COVERED", None)

    def test_explains_every_share_and_token(self, told: Told) -> None:
        for token in told.document["tokens"]:
            lines = {line["code"]: line["qty"] for line in token["reconciliation"]}
            assert (lines["A10"], lines["B11"]) == ("0", "0")

    def test_checks_with_python_alone(self, told: Told) -> None:
        checked = verify(told.package, told.keys)

        assert checked.returncode == 0, checked.stdout + checked.stderr

    def test_does_not_check_once_a_share_is_added(self, told: Told, tmp_path: Path) -> None:
        forged = tmp_path / "forged"
        shutil.copytree(told.package, forged)
        path = forged / "attestation.json"
        path.write_text(path.read_text().replace('"602"', '"603"'))

        checked = verify(forged, told.keys)

        assert checked.returncode == 1
        assert "attestation.json" in checked.stdout

    def test_has_a_statement_of_at_most_eight_pages(self, told: Told) -> None:
        with pikepdf.open(told.package / "statement.pdf") as statement:
            assert 1 <= len(statement.pages) <= 8


def _words_of(process: Path) -> str:
    """Return the command line and environment of a process, if we may see them."""
    words = b""
    for name in ("cmdline", "environ"):
        try:
            words += (process / name).read_bytes()
        except OSError:  # it ended meanwhile, or is another account's
            continue
    return words.decode(errors="replace")
