import pytest
from pytest_django import DjangoAssertNumQueries

from issuer.foundation.actors import system
from issuer.foundation.identifiers import uuid7
from issuer.people.actors import actor_of, names_of
from tests.make import people

pytestmark = pytest.mark.django_db


class TestNamesOf:
    def test_calls_a_login_by_its_person(
        self, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        actors = [str(actor_of(people.user(person=people.person(name)))) for name in ("Ana", "Bo")]

        with django_assert_num_queries(1):
            names = names_of(actors)

        assert list(names.values()) == ["Ana", "Bo"]

    def test_calls_a_login_that_is_gone_by_its_id(self) -> None:
        gone = uuid7()

        assert names_of([f"STAFF:{gone}"]) == {f"STAFF:{gone}": f"Login {gone}"}

    def test_calls_a_partner_by_their_key_and_a_task_by_its_name(self) -> None:
        task = str(system("reconcile_programs"))

        names = names_of(["PARTNER:0197", task, ""])

        assert names["PARTNER:0197"] == "Partner, API key 0197"
        assert names[task] == "System, reconcile programs"
        assert names[""] == "System"
