from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.test import Client, RequestFactory
from pytest_django import Settings

from issuer.backoffice.accounts import StaffAccountAdapter
from issuer.people.roles import Role
from tests.make import people

pytestmark = pytest.mark.django_db


def logged_in(**login: Any) -> Client:
    client = Client()
    client.force_login(people.user(Role.AUDITOR, **login))
    return client


class TestLogin:
    def test_leads_from_any_page_through_the_login_and_back(self, client: Client) -> None:
        people.user(Role.AUDITOR, username="ana")

        asked = client.get("/admin/ledger/account/", follow=True)
        entered = client.post(
            asked.redirect_chain[-1][0],
            {"login": "ana", "password": people.PASSWORD, "next": "/admin/ledger/account/"},
        )

        assert b"Log in" in asked.content
        assert entered.headers["Location"] == "/admin/ledger/account/"

    def test_refuses_a_wrong_password_in_words(self, client: Client) -> None:
        people.user(Role.AUDITOR, username="ana")

        page = client.post("/accounts/login/", {"login": "ana", "password": "wrong"})

        assert b"username and/or password you specified are not correct" in page.content
        assert "_auth_user_id" not in client.session

    def test_asks_for_the_second_factor_that_was_set_up(self, client: Client) -> None:
        user = people.user(Role.AUDITOR, username="ana")
        Authenticator.objects.create(
            user=user, type=Authenticator.Type.TOTP, data={"secret": "JBSWY3DPEHPK3PXP"}
        )

        asked = client.post(
            "/accounts/login/", {"login": "ana", "password": people.PASSWORD}, follow=True
        )

        assert asked.redirect_chain[-1][0] == "/accounts/2fa/authenticate/"
        assert "_auth_user_id" not in client.session

    def test_leads_whoever_is_logged_in_to_today(self) -> None:
        assert logged_in().get("/admin/login/").headers["Location"] == "/admin/"

    def test_lets_no_login_in_that_is_not_of_staff(self) -> None:
        user = people.user()
        user.is_staff = False
        user.save()
        client = Client()
        client.force_login(user)

        page = client.get("/admin/login/")

        assert page.status_code == 403
        assert b"Not for this login" in page.content


class TestLogout:
    @pytest.mark.parametrize("address", ["/admin/logout/", "/accounts/logout/"])
    def test_ends_the_session(self, address: str) -> None:
        client = logged_in()

        client.post(address)

        assert client.get("/admin/").status_code == 302


class TestStaffAccountAdapter:
    def test_lets_nobody_sign_up(self, rf: RequestFactory) -> None:
        assert StaffAccountAdapter().is_open_for_signup(rf.get("/")) is False

    @pytest.mark.parametrize(
        "address", ["signup/", "password/reset/", "email/", "password/set/", "login/code/"]
    )
    def test_offers_no_way_around_an_administrator(self, client: Client, address: str) -> None:
        assert client.get(f"/accounts/{address}").status_code == 404


class TestPassword:
    def test_is_changed_on_one_page_only(self) -> None:
        answer = logged_in().get("/admin/password_change/")

        assert answer.headers["Location"] == "/accounts/password/change/"


class TestRequireSecondFactor:
    def test_sends_staff_without_one_to_where_it_is_set_up(self, settings: Settings) -> None:
        settings.STAFF_MFA_REQUIRED = True

        page = logged_in().get("/admin/", follow=True)

        assert page.redirect_chain == [("/accounts/2fa/", 302)]
        assert b"Set up a second factor first" in page.content

    def test_lets_staff_with_one_go_on(self, settings: Settings) -> None:
        settings.STAFF_MFA_REQUIRED = True
        user = people.user(Role.AUDITOR)
        Authenticator.objects.create(user=user, type=Authenticator.Type.TOTP, data={})
        client = Client()
        client.force_login(user)

        assert client.get("/admin/").status_code == 200

    @pytest.mark.parametrize("address", ["/", "/accounts/2fa/", "/accounts/logout/"])
    def test_stands_in_nobodys_way_elsewhere(self, settings: Settings, address: str) -> None:
        settings.STAFF_MFA_REQUIRED = True

        assert Client().get(address).status_code in {200, 302}

    def test_asks_for_none_where_none_is_required(self, settings: Settings) -> None:
        settings.STAFF_MFA_REQUIRED = False

        assert logged_in().get("/admin/").status_code == 200


class TestAccountPages:
    @pytest.mark.parametrize(
        "address",
        ["/accounts/2fa/", "/accounts/password/change/", "/accounts/2fa/webauthn/"],
    )
    def test_stand_in_the_back_office(self, address: str) -> None:
        client = logged_in()
        session = client.session
        session["account_authentication_methods"] = [{"method": "password", "at": 2**40}]
        session.save()

        page = client.get(address)

        assert page.status_code == 200
        assert b'id="nav-sidebar"' in page.content
