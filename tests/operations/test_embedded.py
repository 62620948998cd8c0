"""The embedded database."""

import pytest
from django.db import connection


@pytest.mark.django_db
class TestStart:
    def test_serves_the_tests_themselves(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SHOW fsync")
            assert cursor.fetchone() == ("off",)
