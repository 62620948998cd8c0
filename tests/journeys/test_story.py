"""The story from outside, as a newcomer runs it: every door, every part, and a stranger's check.

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
    "A second chain",
    "Redemption",
    "NVDAx splits 4:1",
    "The next evening",
    "A thief has the minter's key",
    "By the beat alone",
    "The thief's address is blocked",
    "Nobody resumes",
    "The stolen key loses its role",
    "A clean reconciliation",
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
    "reserve-gate-closed",
]


@dataclass(frozen=True)
class Told:
    """What a run of the demo left: what it said, the package, and the public keys."""

    lines: list[str]
    package: Path
    keys: Path

    @property
    def document(self) -> dict[str, Any]:
        return self.statement(3)

    def folder(self, sequence: int) -> Path:
        return self.package.parent / f"GLASS-{sequence}"

    def statement(self, sequence: int) -> dict[str, Any]:
        text = (self.folder(sequence) / "attestation.json").read_text()
        document: dict[str, Any] = json.loads(text)
        return document

    def said(self, start: str) -> list[str]:
        return [line.strip() for line in self.lines if line.strip().startswith(start)]

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
        timeout=900,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout[-4000:] + ended.stderr[-4000:]
    lines = ended.stdout.splitlines()
    package = Path(lines[-2].removeprefix("package: "))
    keys = Path(lines[-1].removeprefix("keys: "))
    yield Told(lines, package, keys)
    shutil.rmtree(keys.parent)


def verify(package: Path, keys: Path, *more: str) -> subprocess.CompletedProcess[str]:
    """Check a package as a stranger does, with a Python that knows nothing of this project."""
    return subprocess.run(
        [sys.executable, "-I", str(package / "verify_offline.py"), package, "--keys", keys, *more],
        capture_output=True,
        text=True,
        check=False,
    )


class TestTheStory:
    def test_is_told_step_by_step(self, told: Told) -> None:
        titles = [
            match[2]
            for line in told.lines
            if (match := re.match(r" (\d+)\. (.*)", line)) is not None
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


class TestTheWayBack:
    def test_adds_up_over_two_chains(self, told: Told) -> None:
        assert told.said("AAPLx on")[:2] == [
            "AAPLx on eip155:31337: 600 at 1 a token, room for 1 more",
            "AAPLx on eip155:31338: 100 at 1 a token, room for 1 more",
        ]
        assert told.said("AAPLx: ") == [
            "AAPLx: 700 shares owed, 702 held",
            "AAPLx: 600 shares owed, 602 held",
        ]

    def test_moves_owed_and_held_together_over_a_split(self, told: Told) -> None:
        assert told.said("NVDAx: ") == [
            "NVDAx: 30 shares owed, 30 held",
            "NVDAx: 120 shares owed, 120 held",
        ]


class TestTheThief:
    def test_is_noticed_halted_stated_and_told(self, told: Told) -> None:
        assert told.said("AAPLx owes") == ["AAPLx owes 605 and holds 602: SHORT by 3"]
        found = {line.split()[1] for line in told.said("CRITICAL")}
        assert found == {"BAK-SHORT", "CHN-UNK", "SUP-OVER", "UNA-MINT"}
        assert told.said("statement 2 ") == ["statement 2 published by itself: EVENT, SHORT"]
        assert "the pager: Break UNA-MINT on AAPLx" in told.said("the pager:")

    def test_is_stated_without_people_and_without_headroom(self, told: Told) -> None:
        statement = told.statement(2)
        [apple] = [token for token in statement["tokens"] if token["symbol"] == "AAPLx"]

        assert (statement["kind"], statement["status"]) == ("EVENT", "SHORT")
        assert statement["controls"]["approvedBy"] == []
        assert (apple["owedShares"], apple["settledShares"]) == ("605", "602")
        assert {room["tokens"] for room in apple["mint"]["headroom"]} == {"0"}

    def test_leaves_a_statement_that_is_no_better_than_the_one_before(self, told: Told) -> None:
        checked = verify(told.folder(2), told.keys, "--previous", str(told.folder(1)))

        assert checked.returncode == 0, checked.stdout + checked.stderr

    def test_is_told_of_in_the_next_statement(self, told: Told) -> None:
        statement = told.statement(3)

        assert statement["kind"] == "SCHEDULED"
        closed = {entry["code"] for entry in statement["breaks"] if entry["status"] == "CLOSED"}
        assert {"BAK-SHORT", "CHN-UNK", "SUP-OVER", "UNA-MINT"} <= closed
        program = [halt for halt in statement["halts"] if halt["scope"].startswith("Program")]
        assert program
        assert all(halt["from"] < halt["to"] for halt in program)

    def test_cannot_be_resumed_over_while_the_stolen_key_may_mint(self, told: Told) -> None:
        [said] = told.said("Olga Okoye proposes to resume")

        assert "CHN-UNK AAPLx is open." in said


class TestThePackage:
    def test_states_what_happened_exactly(self, told: Told) -> None:
        apple, nvidia, tesla = (told.token(symbol) for symbol in ("AAPLx", "NVDAx", "TSLAx"))

        assert (apple["owedShares"], apple["settledShares"]) == ("600", "602")
        assert (apple["status"], apple["mint"]["state"]) == ("COVERED", "OPEN")
        assert [room["tokens"] for room in apple["mint"]["headroom"]] == ["1", "1"]
        assert apple["coverageBp"] == 10033
        assert (nvidia["owedShares"], nvidia["settledShares"]) == ("120", "120")
        assert (nvidia["status"], nvidia["coverageBp"]) == ("COVERED", 10000)
        assert (tesla["owedShares"], tesla["settledShares"]) == ("0", "0")
        assert (tesla["status"], tesla["coverageBp"]) == ("COVERED", None)

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
