"""Addresses of databases, as Django and as libpq want them."""

from typing import Any

import psycopg
from django.core.exceptions import ImproperlyConfigured
from psycopg.conninfo import conninfo_to_dict, make_conninfo


def from_url(url: str) -> dict[str, Any]:
    """Return the entry of `DATABASES` that `url` describes; what it lacks is libpq's default.

    Raises:
        ImproperlyConfigured: if it is no address of a PostgreSQL database.
    """
    parts = _parameters(url)
    return {
        "ENGINE": "django_prometheus.db.backends.postgresql",
        "NAME": parts.pop("dbname"),
        "USER": parts.pop("user", ""),
        "PASSWORD": parts.pop("password", ""),
        "HOST": parts.pop("host", ""),
        "PORT": parts.pop("port", ""),
        "OPTIONS": parts,
    }


def conninfo(url: str) -> str:
    """Return `url` as the connection string of libpq.

    Raises:
        ImproperlyConfigured: if it is no address of a PostgreSQL database.
    """
    return make_conninfo("", **_parameters(url))


def _parameters(url: str) -> dict[str, str]:
    # The address may carry a password, so no message repeats it, nor libpq's, which does.
    expected = "DATABASE_URL must look like postgresql://user:password@host:5432/database"
    if not url.startswith(("postgresql://", "postgres://")):
        raise ImproperlyConfigured(expected)
    try:
        parts = conninfo_to_dict(url)
    except psycopg.ProgrammingError:
        raise ImproperlyConfigured(f"{expected}; its parts must be percent-encoded.") from None
    if not parts.get("dbname"):
        raise ImproperlyConfigured(f"{expected}; it names no database.")
    return {name: str(value) for name, value in parts.items() if value is not None}
