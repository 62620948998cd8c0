"""What PostgreSQL refuses of people, whoever asks."""

from datetime import datetime
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from issuer.people.models import Person, RoleAssignment, User
from issuer.people.roles import Role
from tests.make.people import person, user
from tests.violations import refused_by

pytestmark = pytest.mark.django_db


class TestPerson:
    def test_has_a_name(self) -> None:
        with refused_by("person_has_a_name"):
            Person.objects.create(name="")

    def test_says_the_name(self) -> None:
        assert str(person("Olga Ops")) == "Olga Ops"


class TestUser:
    def test_is_never_a_superuser(self) -> None:
        login = user()

        with refused_by("no_login_is_superuser"):
            User.objects.filter(pk=login.pk).update(is_superuser=True)

    def test_has_a_name_of_its_own(self) -> None:
        user(username="olga")
        other = user()

        with (
            pytest.raises(IntegrityError, match="people_user_username_key"),
            transaction.atomic(),
        ):
            User.objects.filter(pk=other.pk).update(username="olga")

    def test_says_its_name(self) -> None:
        assert str(user(username="olga")) == "olga"


class TestRoleAssignment:
    def test_is_of_a_role_that_exists(self) -> None:
        user(Role.APPROVER)

        with refused_by("role_known"):
            RoleAssignment.objects.update(role="KING")

    def test_holds_once_at_a_time(self, at: datetime) -> None:
        login = user(Role.APPROVER)

        with refused_by("role_held_once_at_a_time"):
            RoleAssignment.objects.create(
                person=login.person, role=Role.APPROVER, granted_by="somebody", granted_at=at
            )

    @pytest.mark.parametrize("columns", [{"revoked_by": "somebody"}, {"revoked_at": True}])
    def test_is_revoked_by_somebody_at_some_time(
        self, columns: dict[str, Any], at: datetime
    ) -> None:
        user(Role.APPROVER)
        if "revoked_at" in columns:
            columns = {"revoked_at": at}

        with refused_by("role_revocation_has_time_and_author"):
            RoleAssignment.objects.update(**columns)

    def test_says_who_has_what(self) -> None:
        login = user(Role.APPROVER)

        assert str(RoleAssignment.objects.get()) == f"{login.person.name}: Approver"
