"""The settings, as a process reads them that starts in some environment."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PRODUCTION = {
    "ALLOWED_HOSTS": "issuer.example",
    "PUBLIC_URL": "https://issuer.example",
    "SECRET_KEY": "s" * 64,
    "KYC_MASTER_KEY": "k" * 64,
    "ATTESTATION_KEY": "a7" * 32,
}


def read(*names: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Read settings in a process that knows of no other variables."""
    script = (
        "import json; from issuer import settings; "
        f"print(json.dumps({{name: getattr(settings, name) for name in {names!r}}}, default=str))"
    )
    return subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], **environment},
        capture_output=True,
        text=True,
        check=False,
    )


class TestSettings:
    @pytest.mark.parametrize("name", sorted(PRODUCTION.keys() - {"ALLOWED_HOSTS"}))
    def test_name_what_production_lacks(self, name: str) -> None:
        environment = {key: value for key, value in PRODUCTION.items() if key != name}

        refused = read("SANDBOX", **environment)

        assert refused.returncode == 1
        assert f"Set {name}" in refused.stderr.splitlines()[-1]

    def test_are_strict_in_production(self) -> None:
        found = json.loads(
            read(
                *("SESSION_COOKIE_SECURE", "CSRF_COOKIE_SECURE", "SECURE_SSL_REDIRECT", "DEBUG"),
                *("CLOCK_OFFSET_FILE", "SECURE_HSTS_SECONDS"),
                **PRODUCTION,
            ).stdout
        )

        assert found == {
            "SESSION_COOKIE_SECURE": True,
            "CSRF_COOKIE_SECURE": True,
            "SECURE_SSL_REDIRECT": True,
            "DEBUG": False,
            "CLOCK_OFFSET_FILE": None,
            "SECURE_HSTS_SECONDS": 31_536_000,
        }

    def test_take_the_embedded_database_and_its_queues_by_default(self, tmp_path: Path) -> None:
        found = json.loads(
            read("DATABASE_EMBEDDED", "DATABASES", SANDBOX="1", DATA_DIR=str(tmp_path)).stdout
        )

        assert found["DATABASE_EMBEDDED"] is True
        assert found["DATABASES"].keys() == {"default"}
        assert found["DATABASES"]["default"]["HOST"].startswith("/")

    def test_take_another_database_and_the_owner_of_its_tables(self, tmp_path: Path) -> None:
        (tmp_path / "url").write_text("postgresql://issuer:hunter2@db.example/books\n")

        found = json.loads(
            read(
                *("DATABASE_EMBEDDED", "DATABASES", "CELERY_BROKER_URL"),
                **PRODUCTION,
                DATABASE_URL_FILE=str(tmp_path / "url"),
                MIGRATION_DATABASE_URL="postgresql://owner@db.example/books",
                BROKER_URL="amqp://queue.example",
            ).stdout
        )

        assert found["DATABASE_EMBEDDED"] is False
        assert found["CELERY_BROKER_URL"] == "amqp://queue.example"
        databases = found["DATABASES"]
        assert [databases[name]["USER"] for name in ("default", "owner")] == ["issuer", "owner"]
        assert databases["default"]["OPTIONS"]["options"] == (
            "-c statement_timeout=30s -c lock_timeout=10s "
            "-c idle_in_transaction_session_timeout=60s"
        )
