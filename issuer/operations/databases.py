"""Addresses of databases, as Django and as libpq want them."""

from typing import Any

import psycopg
from django.core.exceptions import ImproperlyConfigured
from psycopg.conninfo import conninfo_to_dict, make_conninfo


def entry(url: str, **timeouts_seconds: int) -> dict[str, Any]:
    """Return the entry of `DATABASES` that `url` describes; what it lacks is libpq's default.

    `timeouts_seconds` are PostgreSQL's own settings, such as `lock_timeout`.

    Raises:
        ImproperlyConfigured: if it is no address of a PostgreSQL database.
    """
    parts = _parameters(url)
    timeouts = " ".join(f"-c {name}={seconds}s" for name, seconds in timeouts_seconds.items())
    return {
        "ENGINE": "django_prometheus.db.backends.postgresql",
        "NAME": parts.pop("dbname"),
        "USER": parts.pop("user", ""),
        "PASSWORD": parts.pop("password", ""),
        "HOST": parts.pop("host", ""),
        "PORT": parts.pop("port", ""),
        "CONN_MAX_AGE": 600,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {
            "application_name": "issuer",
            **parts,
            "options": f"{parts.get('options', '')} {timeouts}".strip(),
        },
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
