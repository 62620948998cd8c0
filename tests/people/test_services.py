from datetime import datetime, timedelta
from threading import Barrier, Thread

import pytest
from django.db import connections

from issuer.audit.models import AuditEvent
from issuer.foundation.actors import Actor
from issuer.foundation.errors import DomainError
from issuer.people import errors, services
from issuer.people.actors import actor_of
from issuer.people.models import Person, RoleAssignment, User
from issuer.people.roles import Role
from issuer.people.selectors import administrator_exists, roles_of
from tests.make.people import PASSWORD, person, user

pytestmark = pytest.mark.django_db


def acts() -> list[str]:
    return list(AuditEvent.objects.order_by("id").values_list("action", flat=True))


class TestRegisterUser:
    def test_gives_a_login_and_roles_to_a_new_person(self, system: Actor, at: datetime) -> None:
        services.register_user(
            person_name="Olga Ops",
            username="olga",
            password=PASSWORD,
            roles=[Role.OPERATIONS_OFFICER],
            actor=system,
            at=at,
        )

        olga = User.objects.get()
        assert (olga.username, olga.person.name) == ("olga", "Olga Ops")
        assert (olga.is_staff, olga.is_active, olga.is_superuser) == (True, True, False)
        assert olga.check_password(PASSWORD)
        assert olga.date_joined == at
        assert roles_of(olga.person) == {Role.OPERATIONS_OFFICER}
        assert acts() == ["person.register", "user.register", "role.grant"]

    def test_gives_a_second_login_to_the_same_person(self, system: Actor, at: datetime) -> None:
        first = user(Role.APPROVER)

        second = services.register_user(
            person=first.person,
            username="second",
            password=PASSWORD,
            roles=[Role.APPROVER, Role.AUDITOR],
            actor=system,
            at=at,
        )

        assert second.person == first.person
        assert actor_of(second).person == actor_of(first).person
        assert actor_of(second).name == str(second.pk)
        assert roles_of(first.person) == {Role.APPROVER, Role.AUDITOR}

    @pytest.mark.parametrize(
        ("username", "password", "refusal"),
        [
            pytest.param("olga", PASSWORD, errors.UsernameTaken, id="taken"),
            pytest.param("eve", "short", errors.PasswordWeak, id="short"),
            pytest.param("eve", "123456789012345", errors.PasswordWeak, id="numeric"),
            pytest.param("eve-of-the-night", "eve-of-the-night", errors.PasswordWeak, id="same"),
        ],
    )
    def test_refuses_and_writes_nothing(
        self,
        username: str,
        password: str,
        refusal: type[DomainError],
        system: Actor,
        at: datetime,
    ) -> None:
        user(username="olga")
        before = (Person.objects.count(), User.objects.count(), acts())

        with pytest.raises(refusal):
            services.register_user(
                person_name="Eve",
                username=username,
                password=password,
                roles=[Role.AUDITOR],
                actor=system,
                at=at,
            )

        assert (Person.objects.count(), User.objects.count(), acts()) == before


class TestShutLogin:
    def test_shuts_it_for_good(self, system: Actor, at: datetime) -> None:
        login = user(Role.APPROVER)

        services.shut_login(login.pk, actor=system, at=at)

        login.refresh_from_db()
        assert not login.is_active
        assert acts()[-1] == "user.shut"

    def test_refuses_one_that_is_shut(self, system: Actor, at: datetime) -> None:
        login = user()
        services.shut_login(login.pk, actor=system, at=at)
        before = acts()

        with pytest.raises(errors.LoginShut):
            services.shut_login(login.pk, actor=system, at=at)

        assert acts() == before

    def test_refuses_ones_own(self, at: datetime) -> None:
        administrator = user(Role.ADMINISTRATOR)

        with pytest.raises(errors.OwnLogin):
            services.shut_login(administrator.pk, actor=actor_of(administrator), at=at)

        administrator.refresh_from_db()
        assert administrator.is_active


class TestGrantRole:
    def test_records_who_gave_it_and_when(self, system: Actor, at: datetime) -> None:
        olga = person()

        services.grant_role(person=olga, role=Role.APPROVER, actor=system, at=at)

        assignment = RoleAssignment.objects.get()
        assert (assignment.granted_by, assignment.granted_at) == ("SYSTEM:tests", at)
        assert roles_of(olga) == {Role.APPROVER}
        event = AuditEvent.objects.latest("id")
        assert (event.action, event.subject_id) == ("role.grant", olga.pk)
        assert event.facts == {"role": "APPROVER"}

    def test_refuses_a_role_that_the_person_has(self, system: Actor, at: datetime) -> None:
        olga = user(Role.APPROVER).person

        with pytest.raises(errors.RoleHeld):
            services.grant_role(person=olga, role=Role.APPROVER, actor=system, at=at)

        assert RoleAssignment.objects.count() == 1

    def test_refuses_ones_own(self, at: datetime) -> None:
        administrator = user(Role.ADMINISTRATOR)

        with pytest.raises(errors.OwnRole):
            services.grant_role(
                person=administrator.person,
                role=Role.APPROVER,
                actor=actor_of(administrator),
                at=at,
            )

        assert roles_of(administrator.person) == {Role.ADMINISTRATOR}


class TestRevokeRole:
    def test_keeps_on_record_that_it_was_held(self, system: Actor, at: datetime) -> None:
        olga = user(Role.APPROVER, Role.AUDITOR).person

        services.revoke_role(person=olga, role=Role.APPROVER, actor=system, at=at)

        assert roles_of(olga) == {Role.AUDITOR}
        assignment = RoleAssignment.objects.get(role=Role.APPROVER)
        assert (assignment.revoked_by, assignment.revoked_at) == ("SYSTEM:tests", at)
        assert acts()[-1] == "role.revoke"

    def test_lets_it_be_granted_again(self, system: Actor, at: datetime) -> None:
        olga = user(Role.ADMINISTRATOR).person
        services.revoke_role(person=olga, role=Role.ADMINISTRATOR, actor=system, at=at)
        assert not administrator_exists()

        services.grant_role(
            person=olga, role=Role.ADMINISTRATOR, actor=system, at=at + timedelta(days=1)
        )

        assert administrator_exists()
        assert RoleAssignment.objects.count() == 2

    def test_refuses_a_role_that_the_person_does_not_have(
        self, system: Actor, at: datetime
    ) -> None:
        olga = user(Role.APPROVER).person

        with pytest.raises(errors.RoleNotHeld):
            services.revoke_role(person=olga, role=Role.AUDITOR, actor=system, at=at)

        assert roles_of(olga) == {Role.APPROVER}

    def test_refuses_ones_own(self, at: datetime) -> None:
        administrator = user(Role.ADMINISTRATOR)

        with pytest.raises(errors.OwnRole):
            services.revoke_role(
                person=administrator.person,
                role=Role.ADMINISTRATOR,
                actor=actor_of(administrator),
                at=at,
            )

        assert administrator_exists()


@pytest.mark.django_db(transaction=True)
class TestGrantRoleAtOnce:
    def test_is_done_once(self, system: Actor, at: datetime) -> None:
        olga = person()
        start = Barrier(4)
        refusals: list[type[DomainError]] = []

        def grant() -> None:
            start.wait(timeout=10)
            try:
                services.grant_role(person=olga, role=Role.APPROVER, actor=system, at=at)
            except DomainError as refusal:
                refusals.append(type(refusal))
            finally:
                connections.close_all()

        threads = [Thread(target=grant) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=30)

        assert refusals == [errors.RoleHeld] * 3
        assert RoleAssignment.objects.count() == 1
