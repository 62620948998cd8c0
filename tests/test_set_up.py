"""What brings a bare machine to where the other tests can run, and what production composes."""

import os
import re
import runpy
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.operations.directories import open_to_others

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def setup() -> dict[str, Any]:
    return runpy.run_path(str(ROOT / ".ci" / "setup.py"))


class TestMakeHelp:
    def test_lists_every_target(self) -> None:
        rules = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)

        listed = subprocess.run(
            ["make", "--silent", "help"], cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout

        assert [line.split()[0] for line in listed.splitlines()] == rules


class TestRequireSystem:
    def test_is_content_with_what_is_there(self, setup: dict[str, Any]) -> None:
        setup["require_system"](setup["DEMO"])

    def test_names_what_is_missing_and_how_to_get_it(
        self, setup: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.setenv("PATH", str(tmp_path))

        with pytest.raises(SystemExit) as refusal:
            setup["require_system"]([need for need in setup["TEST"] if need.what != "a font"][-3:])

        assert refusal.value.code == (
            "There is no apt-get here. On Debian they come by: "
            "apt-get install --no-install-recommends npm chromium poppler-utils"
        )

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root may pretend to be nobody")
    def test_asks_for_root_where_it_needs_it(self) -> None:
        script = (
            "import os, runpy; "
            f"setup = runpy.run_path({str(ROOT / '.ci' / 'setup.py')!r}); os.setuid(65534); "
            "setup['require_system']([n for n in setup['DEMO'] if n.what == 'npm'])"
        )

        with open_to_others() as directory:
            apt = directory / "apt-get"
            apt.write_text("#!/bin/sh\nexit 1\n")
            apt.chmod(0o755)
            refused = subprocess.run(
                [sys.executable, "-S", "-c", script],
                env={"PATH": str(directory)},
                cwd="/",
                capture_output=True,
                text=True,
                check=False,
            )

        assert refused.returncode == 1
        assert refused.stdout == "Missing: npm.\n"
        assert refused.stderr == (
            "Only root may install them. Run: sudo apt-get install --no-install-recommends npm\n"
        )


class TestLibrary:
    def test_is_tried_not_looked_up(self, setup: dict[str, Any]) -> None:
        library: Callable[..., Callable[[], bool]] = setup["library"]

        assert library("libc.so.6")() is True
        assert library("libc.so.6", "libnowhere.so.1")() is False


class TestSecondRun:
    def test_installs_nothing(self) -> None:
        """These tests run, so a first run has happened; the packages are those of the lock."""
        stamp = ROOT / ".venv" / ".installed-tests"
        if not stamp.exists():
            pytest.skip("this environment was not made by `make`")
        before = stamp.stat().st_mtime_ns

        again = subprocess.run(
            [sys.executable, str(ROOT / ".ci" / "setup.py"), "test"],
            capture_output=True,
            text=True,
            check=True,
        )

        assert again.stdout == ""
        assert stamp.stat().st_mtime_ns == before


class TestCompose:
    def test_sets_only_what_the_settings_read(self) -> None:
        services = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
        settings = (ROOT / "issuer" / "settings.py").read_text()

        for name in ("prepare", "web", "worker", "beat"):
            variables = set(services[name]["environment"]) - {"PROMETHEUS_MULTIPROC_DIR"}
            for variable in variables:
                assert f'"{variable.removesuffix("_FILE")}"' in settings, variable

    def test_mounts_every_secret_that_it_names(self) -> None:
        composed = yaml.safe_load((ROOT / "compose.yaml").read_text())

        for name in ("prepare", "web", "worker", "beat"):
            service = composed["services"][name]
            named = {it for it in service["environment"].values() if it.startswith("/run/secrets/")}
            assert named == {f"/run/secrets/{secret}" for secret in service["secrets"]}
            assert composed["secrets"].keys() >= set(service["secrets"])

    def test_sets_everything_that_production_must_have(self) -> None:
        services = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
        settings = (ROOT / "issuer" / "settings.py").read_text()
        required = r'^(\w+) = (?:_secret\("\1"\)|env\.secret\("\1", .* if SANDBOX else None\))$'
        secrets = {f"{name}_FILE" for name in re.findall(required, settings, re.MULTILINE)}

        assert secrets >= {"SECRET_KEY_FILE", "ATTESTATION_KEY_FILE"}
        assert secrets <= set(services["web"]["environment"])

    def test_runs_commands_that_exist(self) -> None:
        services = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
        programs = {
            services[name]["command"].split()[0] for name in ("prepare", "web", "worker", "beat")
        }

        assert programs == {"python", "granian", "celery"}
        assert all(shutil.which(it, path=str(ROOT / ".venv" / "bin")) for it in programs)
