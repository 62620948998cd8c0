"""Work that one process at a time is at."""

import pytest
from django.db import connection, transaction

from issuer.foundation import locks

pytestmark = pytest.mark.django_db


class TestAlone:
    def test_keeps_others_out_while_it_lasts(self) -> None:
        with locks.alone("the mill") as first, locks.alone("the mill") as second:
            assert (first, second) == (True, False)

        with locks.alone("the mill") as third:
            assert third

    def test_keeps_nobody_from_other_work(self) -> None:
        with locks.alone("the mill") as first, locks.alone("the bakery") as second:
            assert (first, second) == (True, True)

    def test_is_over_when_its_work_fails(self) -> None:
        with pytest.raises(ValueError, match="flour"), locks.alone("the mill"):
            raise ValueError("No flour.")

        with locks.alone("the mill") as again:
            assert again

    def test_leaves_the_transactions_of_the_work_alone(self) -> None:
        with locks.alone("the mill"):
            with pytest.raises(ValueError, match="flour"), transaction.atomic():
                raise ValueError("No flour.")
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1")
                assert cursor.fetchone() == (1,)

        assert connection.is_usable()
