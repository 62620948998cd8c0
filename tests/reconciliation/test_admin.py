"""The pages of reconciliation: three legs line by line, and a desk that two persons work at."""

import re
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from issuer.approvals.models import Proposal
from issuer.foundation import clock
from issuer.foundation.identifiers import uuid7
from issuer.gate.models import Cause, GateState, Hold, Scope, ScopeKind
from issuer.instruments.models import Token
from issuer.parties.models import Program
from issuer.people.models import User
from issuer.people.roles import Role
from issuer.reconciliation.models import Break, Run
from issuer.reconciliation.states import BreakCode, BreakState, Severity
from tests.make import chain, custody, gate, instruments, parties, people, reconciliation, reserves

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

    def test_say_since_when_they_are_seen_no_longer(self, over: Break, now: datetime) -> None:
        auditor = logged_in(people.user(Role.AUDITOR))

        page = auditor.get(reverse("admin:reconciliation_break_changelist")).content.decode()

        since = f"{now - timedelta(hours=1):%Y-%m-%d %H:%M:%S}Z"
        assert re.search(rf"Open, no longer seen since <time[^>]*>{since}</time>", page)

    def test_have_the_mint_its_signer_and_the_accounts_in_place(self, now: datetime) -> None:
        auditor = logged_in(people.user(Role.AUDITOR))
        token, deployment, _ = reserves.backed_token(Decimal(1000), at=now)
        thief = parties.evm_address()
        event = chain.event(deployment, base_units=5 * 10**18, sender=thief, seen_at=now)
        reserves.supply(deployment, Decimal(5), at=now)
        reconciliation.run(token.program, at=now)
        mint = Break.objects.get(code=BreakCode.UNA_MINT)

        page = self.page(auditor, mint)

        for shown in (event.transaction_hash, thief, event.address, "Total supply at final blocks"):
            assert shown in page
        assert f"{token.symbol}/tokens/outstanding" in page
        assert "What it shut" in page
        assert event.transaction_hash in self.page(auditor, Break.objects.get(code="SUP-OVER"))

    def test_have_who_holds_a_role_in_place(self, now: datetime) -> None:
        auditor = logged_in(people.user(Role.AUDITOR))
        token, deployment, _ = reserves.backed_token(Decimal(1000), at=now)
        stranger = parties.evm_address()
        chain.snapshot(deployment, minters=[stranger], taken_at=now)
        reconciliation.run(token.program, at=now)

        page = self.page(auditor, Break.objects.get())

        assert "is no account of ours" in page
        assert "Who is minter" in page
        assert "Has the role" in page

    @pytest.mark.parametrize("code", BreakCode)
    def test_have_a_page_whatever_they_are(self, code: BreakCode, now: datetime) -> None:
        auditor = logged_in(people.user(Role.AUDITOR))
        token, _, account = reserves.backed_token(Decimal(1000), at=now)
        instruction = custody.instruction(account, at=now, request_id=uuid7())
        found = reconciliation.break_(
            token, code=code, run_=reconciliation.run(token.program, at=now)
        )
        subjects = {
            BreakCode.SET_FAIL: str(instruction.pk),
            BreakCode.CHN_UNK: f"eip155:1:ADMIN:{parties.evm_address()}",
        }
        Break.objects.filter(pk=found.pk).update(subject=subjects.get(code, ""))

        page = self.page(auditor, found)

        assert "Lines of the run that saw it last" in page
        assert "Ended at" not in page
        assert "All breaks" in page
        run_page = reverse("admin:reconciliation_run_change", args=[found.opened_run_id])
        assert f'<a href="{run_page}">the reconciliation</a>' in page

    def page(self, client: Client, found: Break) -> str:
        return client.get(
            reverse("admin:reconciliation_break_change", args=[found.pk])
        ).content.decode()


class TestGates:
    @pytest.fixture
    def shut(self, now: datetime) -> Scope:
        """A program that somebody halted, and that was reconciled since."""
        token, _, _ = reserves.backed_token(Decimal(1000), at=now - timedelta(hours=2))
        hold = gate.hold(ScopeKind.PROGRAM, token.program_id, cause=Cause.PERSON)
        reserves.supply(token.deployments.get(), Decimal(0), at=now)
        reconciliation.run(token.program, at=now)
        return hold.scope

    def address(self, scope: Scope, act: str) -> str:
        return reverse("admin:gate_scope_act", args=[scope.pk, act])

    def test_show_what_is_shut_by_whom_and_why(self, shut: Scope) -> None:
        gate.hold(ScopeKind.NETWORK, uuid7(), effect=GateState.REDEEM_ONLY)
        auditor = logged_in(people.user(Role.AUDITOR))

        page = auditor.get(reverse("admin:gate_scope_changelist")).content.decode()

        program = Program.objects.get(pk=shut.subject_id)
        assert page.index(f"Program {program.name}") < page.index('data-state="REDEEM_ONLY"')
        assert "The books and the chain differ." in page
        assert "by System, make" in page
        assert "Halt…" not in page
        assert "Nothing was resumed yet." in page

    def test_are_all_open_where_nothing_holds_them(self) -> None:
        officer = logged_in(people.user(Role.OPERATIONS_OFFICER))

        page = officer.get(reverse("admin:gate_scope_changelist")).content.decode()

        assert "Everything is open" in page
        assert "Halt…" in page

    def test_are_resumed_by_two_persons_who_see_what_they_sign(self, shut: Scope) -> None:
        officer = logged_in(people.user(Role.OPERATIONS_OFFICER))
        approver = logged_in(people.user(Role.APPROVER))

        submitted(officer, self.address(shut, "propose"), explanation=WHY)
        page = approver.get(self.address(shut, "confirm")).content.decode()
        assert WHY in page
        assert "The books and the chain differ." in page
        submitted(approver, self.address(shut, "confirm"))

        assert not Hold.objects.filter(released_at=None).exists()
        listed = approver.get(reverse("admin:gate_scope_changelist")).content.decode()
        assert "Everything is open" in listed
        assert WHY in listed
        own = approver.get(reverse("admin:gate_scope_change", args=[shut.pk])).content.decode()
        assert WHY in own

    def test_stay_shut_when_it_is_declined(self, shut: Scope) -> None:
        officer = logged_in(people.user(Role.OPERATIONS_OFFICER))
        approver = logged_in(people.user(Role.APPROVER))
        submitted(officer, self.address(shut, "propose"), explanation=WHY)

        submitted(approver, self.address(shut, "decline"), reason="Whose key?")
        refused = submitted(approver, self.address(shut, "confirm"), payload_hash="f" * 64)

        assert "Nobody proposes to resume" in refused
        assert Hold.objects.filter(released_at=None).exists()

    def test_say_what_is_in_the_way(self, shut: Scope, now: datetime) -> None:
        officer = logged_in(people.user(Role.OPERATIONS_OFFICER))
        found = reconciliation.break_(Token.objects.get(), run_=Run.objects.get())

        page = officer.get(reverse("admin:gate_scope_change", args=[shut.pk])).content.decode()
        refused = submitted(officer, self.address(shut, "propose"), explanation=WHY)

        assert f"{found} is open." in page
        assert f"{found} is open." in refused
        assert not Proposal.objects.exists()

    def test_are_not_for_auditors_or_strangers_to_open(self, shut: Scope) -> None:
        auditor = logged_in(people.user(Role.AUDITOR))
        stranger = logged_in(people.user())

        assert auditor.post(self.address(shut, "propose"), {"explanation": WHY}).status_code == 403
        listing = reverse("admin:gate_scope_changelist")
        assert stranger.get(listing).status_code in {302, 403}
