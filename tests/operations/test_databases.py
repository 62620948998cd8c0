"""Addresses of databases."""

import pytest
from django.core.exceptions import ImproperlyConfigured
from psycopg.conninfo import conninfo_to_dict

from issuer.operations import databases


class TestEntry:
    def test_reads_every_part_of_an_address(self) -> None:
        entry = databases.entry(
            "postgresql://issuer:p%40ss@db.example:5433/books?sslmode=verify-full",
            lock_timeout=10,
        )

        assert {name: entry[name] for name in ("NAME", "USER", "PASSWORD", "HOST", "PORT")} == {
            "NAME": "books",
            "USER": "issuer",
            "PASSWORD": "p@ss",
            "HOST": "db.example",
            "PORT": "5433",
        }
        assert entry["OPTIONS"] == {
            "application_name": "issuer",
            "sslmode": "verify-full",
            "options": "-c lock_timeout=10s",
        }

    def test_reads_a_socket_directory(self) -> None:
        entry = databases.entry("postgresql://issuer@/issuer?host=%2Ftmp%2Fa%20b")

        assert (entry["HOST"], entry["PASSWORD"], entry["PORT"]) == ("/tmp/a b", "", "")

    @pytest.mark.parametrize(
        ("url", "message"),
        [
            ("mysql://issuer:hunter2@db/books", "must look like postgresql://"),
            ("postgresql://issuer:hunter 2@db/books", "must be percent-encoded"),
            ("postgresql://issuer:hunter2@db", "it names no database"),
        ],
    )
    def test_refuses_what_is_none_and_does_not_repeat_the_password(
        self, url: str, message: str
    ) -> None:
        with pytest.raises(ImproperlyConfigured, match=message) as refusal:
            databases.entry(url)

        assert "hunter" not in str(refusal.value)


class TestConninfo:
    def test_says_the_same_to_libpq(self) -> None:
        said = databases.conninfo("postgresql://issuer:p%40ss@db.example:5433/books")

        assert conninfo_to_dict(said) == {
            "user": "issuer",
            "password": "p@ss",
            "host": "db.example",
            "port": "5433",
            "dbname": "books",
        }
