import pytest
from django.apps import apps
from django.contrib.auth import authenticate
from django.contrib.auth.models import AnonymousUser, Group, Permission

from issuer.people.backends import permissions_of
from issuer.people.models import User
from issuer.people.roles import MATRIX, Role
from tests.make.people import PASSWORD, user

pytestmark = pytest.mark.django_db

ROOMS = {model._meta.app_label for model in apps.get_models() if "issuer." in model.__module__}


class TestRoleBackend:
    def test_checks_the_password(self) -> None:
        olga = user(username="olga")

        assert authenticate(username="olga", password=PASSWORD) == olga
        assert authenticate(username="olga", password=PASSWORD.upper()) is None
        assert authenticate(username="nobody", password=PASSWORD) is None

    @pytest.mark.parametrize("role", list(Role))
    def test_allows_what_the_matrix_says_and_no_other_act(self, role: Role) -> None:
        login = user(role)
        acts = {act for others in MATRIX.values() for act in others}

        assert {act for act in acts if login.has_perm(act)} == MATRIX[role]

    def test_adds_up_the_roles_of_a_person(self) -> None:
        login = user(Role.APPROVER, Role.COMPLIANCE_OFFICER)

        assert login.has_perms(["primary_market.confirm_issuance", "kyc.manage_case"])
        assert not login.has_perm("people.manage_roles")

    @pytest.mark.parametrize("role", list(Role))
    def test_lets_every_role_look_at_all_but_personal_data(self, role: Role) -> None:
        login = user(role)

        assert login.has_perm("ledger.view_account")
        assert login.has_perm("primary_market.view_issuancerequest")
        assert login.has_module_perms("audit")
        sees_personal_data = role == Role.COMPLIANCE_OFFICER
        assert login.has_perm("kyc.view_evidencedocument") is sees_personal_data
        assert login.has_perm("kyc.view_datakey") is sees_personal_data

    @pytest.mark.parametrize("role", list(Role))
    def test_lets_nobody_change_a_record_past_the_services(self, role: Role) -> None:
        writing = {
            permission
            for permission in permissions_of(role)
            if permission.split(".")[1].startswith(("add_", "change_", "delete_"))
        }

        assert writing == set()

    def test_allows_nothing_without_a_role(self) -> None:
        assert user().get_all_permissions() == set()

    @pytest.mark.parametrize("column", ["is_active", "is_staff"])
    def test_allows_nothing_to_a_login_that_is_shut(self, column: str) -> None:
        login = user(Role.ADMINISTRATOR)
        User.objects.filter(pk=login.pk).update(**{column: False})

        shut = User.objects.get(pk=login.pk)

        assert not shut.has_perm("people.manage_roles")
        assert not shut.has_perm("ledger.view_account")

    def test_does_not_ask_the_tables_of_permissions_and_groups(self) -> None:
        login = user(Role.AUDITOR)
        permission = Permission.objects.get(codename="manage_roles")
        group = Group.objects.create(name="Administrators")
        group.permissions.add(permission)
        login.user_permissions.add(permission)
        login.groups.add(group)

        assert not User.objects.get(pk=login.pk).has_perm("people.manage_roles")

    def test_allows_nothing_to_strangers(self) -> None:
        assert not AnonymousUser().has_perm("ledger.view_account")

    def test_knows_no_permission_for_a_single_record(self) -> None:
        login = user(Role.ADMINISTRATOR)

        assert not login.has_perm("people.manage_roles", login)


class TestMatrix:
    def test_names_every_role(self) -> None:
        assert set(MATRIX) == set(Role)

    def test_separates_proposing_from_confirming(self) -> None:
        officer = MATRIX[Role.OPERATIONS_OFFICER]

        assert not any(act.split(".")[1].startswith("confirm_") for act in officer)

    def test_names_rooms_that_exist(self) -> None:
        rooms = {act.split(".")[0] for acts in MATRIX.values() for act in acts}

        assert rooms <= ROOMS
