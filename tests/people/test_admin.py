import pytest
from django.test import Client
from django.urls import reverse

from issuer.people.models import Person, User
from issuer.people.roles import Role
from issuer.people.selectors import roles_of
from tests.make.people import PASSWORD, person, user

pytestmark = pytest.mark.django_db


def logged_in(role: Role) -> Client:
    client = Client()
    client.force_login(user(role))
    return client


@pytest.fixture
def administrator() -> Client:
    return logged_in(Role.ADMINISTRATOR)


def act(row: Person | User, name: str) -> str:
    return reverse(f"admin:people_{row._meta.model_name}_act", args=[row.pk, name])


class TestPersonAdmin:
    def test_registers_a_person_with_a_login_and_a_role(self, administrator: Client) -> None:
        answer = administrator.post(
            reverse("admin:people_person_add"),
            {
                "person_name": "Olga Ops",
                "username": "olga",
                "password": PASSWORD,
                "role": "OPERATIONS_OFFICER",
            },
            follow=True,
        )

        olga = User.objects.get(username="olga")
        assert roles_of(olga.person) == {Role.OPERATIONS_OFFICER}
        page = answer.content.decode()
        assert "Done: register a person, Olga Ops." in page
        assert PASSWORD not in page
        assert olga.password not in page

    def test_tells_why_it_refuses(self, administrator: Client) -> None:
        answer = administrator.post(
            reverse("admin:people_person_add"),
            {
                "person_name": "Olga Ops",
                "username": "olga",
                "password": "short",
                "role": "OPERATIONS_OFFICER",
            },
        )

        assert "This password is too short" in answer.content.decode()
        assert not User.objects.filter(username="olga").exists()

    def test_keeps_logins_and_roles(self, administrator: Client) -> None:
        olga = person("Olga Ops")

        administrator.post(act(olga, "add-login"), {"username": "olga", "password": PASSWORD})
        administrator.post(act(olga, "grant-role"), {"role": "APPROVER"})
        administrator.post(act(olga, "grant-role"), {"role": "AUDITOR"})
        administrator.post(act(olga, "revoke-role"), {"role": "AUDITOR"})

        assert [login.username for login in olga.users.all()] == ["olga"]
        assert roles_of(olga) == {Role.APPROVER}

    @pytest.mark.parametrize("role", sorted(set(Role) - {Role.ADMINISTRATOR}))
    def test_is_read_only_to_all_others(self, role: Role) -> None:
        olga = person("Olga Ops")
        client = logged_in(role)

        answer = client.post(act(olga, "grant-role"), {"role": "ADMINISTRATOR"})

        assert answer.status_code == 403
        assert roles_of(olga) == frozenset()
        page = client.get(reverse("admin:people_person_change", args=[olga.pk]))
        assert "Olga Ops" in page.content.decode()
        assert act(olga, "grant-role") not in page.content.decode()


class TestUserAdmin:
    def test_shuts_a_login_which_is_logged_out(self, administrator: Client) -> None:
        olga = user(Role.APPROVER)
        hers = Client()
        hers.force_login(olga)
        people = reverse("admin:people_person_changelist")
        assert hers.get(people).status_code == 200

        administrator.post(act(olga, "shut"))

        assert hers.get(people).status_code == 302
        page = administrator.get(reverse("admin:people_user_change", args=[olga.pk]))
        assert act(olga, "shut") not in page.content.decode()

    def test_shows_no_password_hash(self, administrator: Client) -> None:
        olga = user()

        page = administrator.get(reverse("admin:people_user_change", args=[olga.pk]))

        assert page.status_code == 200
        assert olga.password not in page.content.decode()

    def test_lists_logins_and_roles(self, administrator: Client) -> None:
        user(Role.APPROVER, username="olga")

        logins = administrator.get(reverse("admin:people_user_changelist")).content.decode()
        roles = administrator.get(reverse("admin:people_roleassignment_changelist"))

        assert "olga" in logins
        assert "Approver" in roles.content.decode()
