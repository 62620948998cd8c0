import pytest
from django.db import IntegrityError, connection, transaction

from issuer.foundation.errors import Malformed
from issuer.foundation.transactions import HORIZON, require_transaction, translating
from issuer.people.models import Person


@pytest.mark.django_db(transaction=True)
class TestRequireTransaction:
    def test_stops_a_half_change(self) -> None:
        with pytest.raises(RuntimeError, match="only half of a change"):
            require_transaction()

    def test_lets_a_whole_one_pass(self) -> None:
        with transaction.atomic():
            require_transaction()


@pytest.mark.django_db
class TestTranslating:
    def test_turns_a_violation_into_its_refusal(self) -> None:
        nameless = Malformed("Persons have names.")

        with pytest.raises(Malformed) as refusal, translating({"person_has_a_name": nameless}):
            Person.objects.create(name="")

        assert refusal.value is nameless
        assert isinstance(refusal.value.__cause__, IntegrityError)
        assert not Person.objects.exists()  # the transaction is still usable

    def test_lets_other_violations_be_bugs(self) -> None:
        with (
            pytest.raises(IntegrityError, match="person_has_a_name"),
            translating({"another_constraint": Malformed("No.")}),
        ):
            Person.objects.create(name="")

    def test_lets_errors_be_bugs_that_no_constraint_raised(self) -> None:
        with (
            pytest.raises(IntegrityError, match="by hand"),
            translating({"person_has_a_name": Malformed("No.")}),
        ):
            raise IntegrityError("by hand")


@pytest.mark.django_db
class TestHorizon:
    def test_is_above_no_transaction_under_way(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_current_xact_id()::text::bigint")
            (current,) = cursor.fetchone()
        Person.objects.create(name="Ada")

        horizon = Person.objects.annotate(horizon=HORIZON).values_list("horizon", flat=True).get()

        assert horizon <= current
