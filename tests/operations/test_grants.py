"""What the application's role may do, with a role that owns nothing."""

from collections.abc import Iterator

import psycopg
import pytest
from django.conf import settings
from django.db import connection

from issuer.operations import grants, parts
from issuer.operations.models import Heartbeat

ROLE = "application_of_the_tests"


@pytest.fixture
def role() -> Iterator[str]:
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE ROLE {ROLE} NOLOGIN")
    yield ROLE
    with connection.cursor() as cursor:
        cursor.execute(f"DROP OWNED BY {ROLE}")
        cursor.execute(f"DROP ROLE {ROLE}")


@pytest.mark.django_db(transaction=True)
class TestGrantToApplication:
    def test_lets_it_read_and_write_but_neither_empty_nor_change_tables(self, role: str) -> None:
        grants.grant(owner=connection, role=role)

        with connection.cursor() as cursor:
            cursor.execute(f"SET ROLE {role}")
            try:
                cursor.execute("INSERT INTO operations_heartbeat VALUES (1, now())")
                cursor.execute("SELECT pgmq.create('of_the_tests')")
                cursor.execute("SELECT pgmq.send('of_the_tests', '{}')")
                cursor.execute("SELECT pgmq.drop_queue('of_the_tests')")
                for forbidden in (
                    "TRUNCATE operations_heartbeat",
                    "ALTER TABLE operations_heartbeat ADD note text",
                    "DROP TABLE operations_heartbeat",
                    "CREATE TABLE mine (id int)",
                ):
                    with pytest.raises(psycopg.errors.InsufficientPrivilege) as refusal:
                        connection.connection.execute(forbidden)
                    assert "permission denied" in str(refusal.value) or "must be owner" in str(
                        refusal.value
                    )
            finally:
                cursor.execute("RESET ROLE")
        assert Heartbeat.objects.count() == 1

    def test_grants_nothing_where_the_application_is_the_owner(self) -> None:
        assert settings.DATABASES.keys() == {"default"}

        assert parts.migrations().work() == "none to apply"
