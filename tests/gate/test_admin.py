"""The page of holds, and the page that halts."""

import pytest
from django.test import Client
from django.urls import reverse

from issuer.foundation.identifiers import uuid7
from issuer.gate.models import Cause, Hold, ScopeKind
from issuer.people.models import User
from issuer.people.roles import Role
from tests.make import custody, instruments, people
from tests.make import gate as make

pytestmark = pytest.mark.django_db

HALT = "admin:gate_hold_add"


def logged_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


class TestHolds:
    def test_are_shown_with_their_reasons_and_changed_by_nobody(self) -> None:
        token = instruments.token()
        hold = make.hold(ScopeKind.TOKEN, token.pk)
        client = logged_in(people.user(Role.AUDITOR))

        listed = client.get(reverse("admin:gate_hold_changelist")).content.decode()
        shown = client.get(reverse("admin:gate_hold_change", args=[hold.pk]))

        assert "The books and the chain differ." in listed
        assert f"Token {token.symbol}" in listed
        assert shown.status_code == 200
        assert client.post(reverse("admin:gate_hold_change", args=[hold.pk])).status_code == 403
        assert client.get(reverse(HALT)).status_code == 403

    def test_are_shown_where_their_subject_is_not_known(self) -> None:
        subject = uuid7()
        make.hold(ScopeKind.NETWORK, subject)
        client = logged_in(people.user(Role.AUDITOR))

        assert (
            f"Network {subject}"
            in client.get(reverse("admin:gate_hold_changelist")).content.decode()
        )


class TestHalt:
    @pytest.mark.parametrize("role", sorted(set(Role) - {Role.AUDITOR}))
    def test_is_for_anybody_on_staff_who_may_act(self, role: Role) -> None:
        user = people.user(role)
        program = instruments.token().program
        scope = f"PROGRAM:{program.pk}"

        logged_in(user).post(reverse(HALT), {"scope": scope, "reason": "A key was lost."})

        hold = Hold.objects.get()
        assert (hold.effect, hold.cause, hold.reason) == ("HALTED", Cause.PERSON, "A key was lost.")
        assert (hold.scope.kind, hold.scope.subject_id) == ("PROGRAM", program.pk)
        assert hold.placed_by == f"STAFF:{user.pk}"

    def test_offers_the_program_first_and_everything_below_it(self) -> None:
        account = custody.account()
        network = instruments.network()
        client = logged_in(people.user(Role.COMPLIANCE_OFFICER))

        page = client.get(reverse(HALT)).content.decode()

        places = [
            page.index(f'value="{kind}:{subject.pk}"')
            for kind, subject in (
                ("PROGRAM", account.token.program),
                ("TOKEN", account.token),
                ("NETWORK", network),
                ("CUSTODIAN", account.custodian),
            )
        ]
        assert places == sorted(places)

    def test_needs_a_reason_and_something_that_there_is(self) -> None:
        token = instruments.token()
        client = logged_in(people.user(Role.APPROVER))

        client.post(reverse(HALT), {"scope": f"TOKEN:{token.pk}", "reason": " "})
        client.post(reverse(HALT), {"scope": f"TOKEN:{uuid7()}", "reason": "A key was lost."})

        assert not Hold.objects.exists()

    def test_is_not_for_auditors(self) -> None:
        token = instruments.token()
        client = logged_in(people.user(Role.AUDITOR))

        answer = client.post(reverse(HALT), {"scope": f"TOKEN:{token.pk}", "reason": "No."})

        assert answer.status_code == 403
        assert not Hold.objects.exists()
