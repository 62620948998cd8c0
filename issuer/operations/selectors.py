"""Whether this machine is fit to serve."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Final

import kombu.exceptions
import psycopg
from django.db import Error, connection
from django.db.migrations.executor import MigrationExecutor
from django.db.models import DurationField, ExpressionWrapper, F
from django.db.models.functions import Now

from issuer.celery import app
from issuer.operations.models import Heartbeat

#: Three beats may be late before we call it silence.
HEARTBEAT_AGE_MAX: Final = timedelta(seconds=45)
BROKER_TIMEOUT_SECONDS: Final = 3


class Unfit(Exception):
    """A check failed; the message says what is wrong, and nothing secret."""


def readiness() -> dict[str, str]:
    """Return `ok`, or what is wrong, for each check."""
    return {name: _outcome(check) for name, check in _CHECKS.items()}


def _outcome(check: Callable[[], None]) -> str:
    try:
        check()
    except Unfit as exc:
        return str(exc)
    return "ok"


def _check_database() -> None:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except Error as exc:
        raise Unfit("The database does not answer.") from exc


def _check_migrations() -> None:
    try:
        executor = MigrationExecutor(connection)
        waiting = len(executor.migration_plan(executor.loader.graph.leaf_nodes()))
    except Error as exc:
        raise Unfit("The database does not answer.") from exc
    if waiting:
        raise Unfit(f"{waiting} migrations are not applied.")


def _check_broker() -> None:
    try:
        with app.connection_for_write(connect_timeout=BROKER_TIMEOUT_SECONDS) as broker:
            broker.ensure_connection(max_retries=1, timeout=BROKER_TIMEOUT_SECONDS)
    except (kombu.exceptions.KombuError, OSError, psycopg.Error) as exc:
        raise Unfit("The broker does not answer.") from exc


def _check_heartbeat() -> None:
    age = ExpressionWrapper(Now() - F("beaten_at"), output_field=DurationField())
    try:
        found = Heartbeat.objects.annotate(age=age).values_list("age", flat=True).first()
    except Error as exc:
        raise Unfit("The database does not answer.") from exc
    if found is None:
        raise Unfit("The beat has not reached a worker yet.")
    if found > HEARTBEAT_AGE_MAX:
        raise Unfit(f"The beat last reached a worker {found.total_seconds():.0f} s ago.")


_CHECKS: Final[Mapping[str, Callable[[], None]]] = {
    "database": _check_database,
    "migrations": _check_migrations,
    "broker": _check_broker,
    "heartbeat": _check_heartbeat,
}
