"""The pages of reconciliation: three legs line by line, and a desk that two persons work at."""

import re
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from issuer.foundation import clock
from issuer.foundation.identifiers import uuid7
from issuer.people.models import User
from issuer.people.roles import Role
from issuer.reconciliation.models import Break, Run
from issuer.reconciliation.states import BreakCode, BreakState, Severity
from tests.make import custody, instruments, parties, people, reconciliation, reserves

pytestmark = pytest.mark.django_db

WHY = "Five tokens that were minted by mistake have been burned."


def logged_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def submitted(client: Client, address: str, **asked: str) -> str:
    """Fill in the form of a page and send it, with what it holds hidden, as a browser does."""
    page = client.get(address).content.decode()
    hidden = re.search(r'name="payload_hash" value="([0-9a-f]{64})"', page)
    if hidden is not None:
        asked |= {"payload_hash": hidden[1]}
    return client.post(address, asked, follow=True).content.decode()


@pytest.fixture
def now() -> datetime:
    return clock.now()


@pytest.fixture
def over(now: datetime) -> Break:
    """A break that the newest run no longer finds."""
    token = instruments.token()
    earlier = now - timedelta(hours=2)
    found = reconciliation.break_(token, run_=reconciliation.run(token.program, at=earlier))
    reconciliation.run(token.program, at=now - timedelta(hours=1))
    return found


def page_of(run: Run, client: Client) -> str:
    return client.get(reverse("admin:reconciliation_run_change", args=[run.pk])).content.decode()


class TestRuns:
    def test_shows_three_legs_with_items_under_their_lines(self, now: datetime) -> None:
        auditor = logged_in(people.user(Role.AUDITOR))
        token, _, account = reserves.backed_token(Decimal(1000), at=now)
        receipt = custody.instruction(account, at=now, request_id=uuid7())
        run = reconciliation.run(token.program, at=now)

        page = page_of(run, auditor)

        assert page.index("Tokens: chain against register") < page.index("Shares: custody")
        assert page.index("Shares: custody against ledger") < page.index("Backing: held against")
        assert "Add: unsettled receipts" in page
        assert str(receipt.pk) in page
        assert 'value="1600"' in page
        assert "Covered" in page

    def test_lists_breaks_that_were_open_then_with_their_gravity(self, now: datetime) -> None:
        auditor = logged_in(people.user(Role.AUDITOR))
        token, deployment, _ = reserves.backed_token(Decimal(1000), at=now)
        before = reconciliation.run(token.program, at=now - timedelta(minutes=1))
        reserves.supply(deployment, Decimal(5), at=now)
        run = reconciliation.run(token.program, at=now)

        assert "SUP-OVER" in page_of(run, auditor)
        assert "SUP-OVER" not in page_of(before, auditor)

    def test_says_what_is_not_known_and_why(self, now: datetime) -> None:
        auditor = logged_in(people.user(Role.AUDITOR))
        token, deployment, _ = reserves.backed_token(Decimal(1000), at=now)
        instruments.deployment(token_=token)
        run = reconciliation.run(token.program, at=now)

        page = page_of(run, auditor)

        assert "has not been read yet." in page
        assert "not known" in page
        assert deployment.network.caip2 not in page

    def test_asks_as_often_for_many_tokens_as_for_few(self, now: datetime) -> None:
        auditor = logged_in(people.user(Role.AUDITOR))
        counts = []
        for number in (2, 6):
            program = parties.program()
            for _ in range(number):
                token = instruments.token(program=program)
                reserves.backed_token(Decimal(10), at=now, token_=token)
            run = reconciliation.run(program, at=now)
            page_of(run, auditor)
            with CaptureQueriesContext(connection) as queries:
                page_of(run, auditor)
            counts.append(len(queries))

        assert counts[0] == counts[1]

    def test_lists_runs_with_their_gravest_answer(self, now: datetime) -> None:
        auditor = logged_in(people.user(Role.AUDITOR))
        token, deployment, _ = reserves.backed_token(Decimal(1000), at=now)
        reserves.supply(deployment, Decimal(1001), at=now)
        reconciliation.run(token.program, at=now)
        empty = reconciliation.run(at=now)

        page = auditor.get(reverse("admin:reconciliation_run_changelist")).content.decode()

        assert 'data-state="SHORT"' in page
        assert "no tokens" in page
        assert "The program has no tokens yet." in page_of(empty, auditor)

    def test_are_not_there_for_strangers(self, now: datetime) -> None:
        run = reconciliation.run(at=now)
        stranger = logged_in(people.user())
        auditor = logged_in(people.user(Role.AUDITOR))
        gone = reverse("admin:reconciliation_run_change", args=[uuid7()])

        assert stranger.get(
            reverse("admin:reconciliation_run_change", args=[run.pk])
        ).status_code in {302, 403}
        assert auditor.get(gone).status_code == 404


class TestBreaks:
    def act(self, client: Client, found: Break, name: str, **asked: str) -> str:
        address = reverse("admin:reconciliation_break_act", args=[found.pk, name])
        return submitted(client, address, **asked)

    def test_come_gravest_first_and_the_ended_last(self, over: Break, now: datetime) -> None:
        auditor = logged_in(people.user(Role.AUDITOR))
        high = reconciliation.break_(code=BreakCode.SRC_STALE, severity=Severity.HIGH)
        ended = reconciliation.break_(code=BreakCode.CUS_SHORT)
        Break.objects.filter(pk=ended.pk).update(
            state=BreakState.CLOSED, ended_at=now, explanation=WHY
        )

        page = auditor.get(reverse("admin:reconciliation_break_changelist")).content.decode()

        order = [page.index(f"/break/{found.pk}/change/") for found in (over, high, ended)]
        assert order == sorted(order)
        assert "SRC-STALE" in page

    def test_are_closed_by_two_persons(self, over: Break) -> None:
        officer = logged_in(people.user(Role.OPERATIONS_OFFICER))
        approver = logged_in(people.user(Role.APPROVER))

        self.act(officer, over, "propose", explanation=WHY)
        change = reverse("admin:reconciliation_break_change", args=[over.pk])
        page = approver.get(change).content.decode()
        assert WHY in page
        assert "/acts/confirm/" in page
        self.act(approver, over, "confirm")

        over.refresh_from_db()
        assert (over.state, over.explanation) == (BreakState.CLOSED, WHY)

    def test_are_not_closed_by_one_person_with_both_roles(self, over: Break) -> None:
        both = logged_in(people.user(Role.OPERATIONS_OFFICER, Role.APPROVER))
        self.act(both, over, "propose", explanation=WHY)

        page = self.act(both, over, "confirm")

        assert "another person has to confirm it" in page
        over.refresh_from_db()
        assert over.state == BreakState.OPEN

    def test_stay_open_when_it_is_declined(self, over: Break) -> None:
        officer = logged_in(people.user(Role.OPERATIONS_OFFICER))
        approver = logged_in(people.user(Role.APPROVER))
        self.act(officer, over, "propose", explanation=WHY)

        self.act(approver, over, "decline", reason="Which tokens?")

        change = reverse("admin:reconciliation_break_change", args=[over.pk])
        assert "/acts/propose/" in officer.get(change).content.decode()

    def test_are_not_offered_for_closing_while_they_are_seen(self, now: datetime) -> None:
        officer = logged_in(people.user(Role.OPERATIONS_OFFICER))
        token, deployment, _ = reserves.backed_token(Decimal(1000), at=now)
        reserves.supply(deployment, Decimal(5), at=now)
        reconciliation.run(token.program, at=now)
        found = Break.objects.get()

        change = reverse("admin:reconciliation_break_change", args=[found.pk])
        assert "/acts/propose/" not in officer.get(change).content.decode()
        page = self.act(officer, found, "propose", explanation=WHY)
        assert "still finds it" in page

    def test_are_not_for_auditors_to_close(self, over: Break) -> None:
        auditor = logged_in(people.user(Role.AUDITOR))
        address = reverse("admin:reconciliation_break_act", args=[over.pk, "propose"])

        assert auditor.post(address, {"explanation": WHY}).status_code == 403
