"""Custody as staff see it: looked at first, then taken in; and every act by its service."""

from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse

from issuer.custody.models import CustodyAccount, SettlementInstruction, Statement
from issuer.custody.states import InstructionState
from issuer.foundation import clock
from issuer.foundation.identifiers import uuid7
from issuer.people.models import User
from issuer.people.roles import Role
from tests.make import custody, instruments, parties, people

pytestmark = pytest.mark.django_db

DROP = "admin:custody_statement_add"


def logged_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def officer() -> Client:
    return logged_in(people.user(Role.OPERATIONS_OFFICER))


@pytest.fixture
def now() -> datetime:
    return clock.now()


@pytest.fixture
def account(now: datetime) -> CustodyAccount:
    return custody.account(opened_at=now - timedelta(days=30))


def file_of(account: CustodyAccount, settled: int, *, at: datetime) -> bytes:
    lines = [custody.line(account, Decimal(settled))]
    return custody.statement_file(account.custodian, lines, as_of_date=at.date())


class TestDroppingAStatement:
    def look(self, client: Client, account: CustodyAccount, raw: bytes) -> HttpResponse:
        file = SimpleUploadedFile("ST-1.csv", raw)
        asked = {"custodian": str(account.custodian.pk), "file": file}
        response: HttpResponse = client.post(reverse(DROP), asked)  # type: ignore[assignment]
        return response

    def test_shows_what_would_change_and_writes_nothing(
        self, officer: Client, account: CustodyAccount, now: datetime
    ) -> None:
        custody.instruction(account, at=now)

        page = self.look(officer, account, file_of(account, 600, at=now)).content.decode()

        assert "Not taken in yet" in page
        assert account.reference in page
        assert f"600</data> shares</strong> <span>into {account.reference}" in page
        assert not Statement.objects.exists()
        assert SettlementInstruction.objects.get().state == InstructionState.INSTRUCTED

    def test_takes_in_what_was_shown_to_the_byte(
        self, officer: Client, account: CustodyAccount, now: datetime
    ) -> None:
        custody.instruction(account, at=now)
        raw = file_of(account, 600, at=now)
        looked_at = self.look(officer, account, raw)

        accepted = officer.post(reverse(DROP), {"accepted": looked_at.context["shown"]})  # type: ignore[attr-defined]

        statement = Statement.objects.get()
        assert accepted.headers["Location"] == reverse(
            "admin:custody_statement_change", args=[statement.pk]
        )
        assert (bytes(statement.raw), statement.file_name) == (raw, "ST-1.csv")
        assert statement.received_by.startswith("STAFF:")
        assert SettlementInstruction.objects.get().state == InstructionState.SETTLED
        shown = officer.get(accepted.headers["Location"])
        assert account.token.security.isin in shown.content.decode()

    @pytest.mark.parametrize(
        ("raw", "why"),
        [
            (b"", "The statement is empty"),
            (b"custodian,other\n", "A part of the statement is missing"),
        ],
    )
    def test_says_why_a_file_is_refused(
        self, raw: bytes, why: str, officer: Client, account: CustodyAccount
    ) -> None:
        page = self.look(officer, account, raw).content.decode()

        assert why in page
        assert "Nothing was taken in" in page
        assert not Statement.objects.exists()

    def test_refuses_what_was_never_shown(self, officer: Client) -> None:
        response = officer.post(reverse(DROP), {"accepted": "made up"}, follow=True)

        assert "Refused: look at the file again" in response.content.decode()
        assert not Statement.objects.exists()

    def test_refuses_what_somebody_else_took_in_meanwhile(
        self, officer: Client, account: CustodyAccount, now: datetime
    ) -> None:
        looked_at = self.look(officer, account, file_of(account, 600, at=now))
        accepted = {"accepted": looked_at.context["shown"]}  # type: ignore[attr-defined]
        officer.post(reverse(DROP), accepted)

        page = officer.post(reverse(DROP), accepted).content.decode()

        assert "The statement was taken in before" in page
        assert Statement.objects.count() == 1

    def test_is_for_those_who_may(self, account: CustodyAccount, now: datetime) -> None:
        auditor = logged_in(people.user(Role.AUDITOR))

        assert auditor.get(reverse(DROP)).status_code == 403
        assert self.look(auditor, account, file_of(account, 1, at=now)).status_code == 403
        assert auditor.get(reverse("admin:custody_statement_changelist")).status_code == 200

    def test_asks_for_a_file(self, officer: Client) -> None:
        page = officer.post(reverse(DROP), {}).content.decode()

        assert "Choose the custodian&#x27;s file." in page


def address_of(instruction: SettlementInstruction, act: str) -> str:
    """Return where a button on the page of an instruction leads."""
    return reverse("admin:custody_settlementinstruction_act", args=[instruction.pk, act])


class TestInstructions:
    def act(
        self, client: Client, instruction: SettlementInstruction, name: str, **asked: str
    ) -> str:
        """Press a button, and return the page that follows."""
        return client.post(address_of(instruction, name), asked, follow=True).content.decode()

    def test_settle_by_the_current_statement(
        self, officer: Client, account: CustodyAccount, now: datetime
    ) -> None:
        custody.settled_shares(account, Decimal(600), at=now - timedelta(days=1))
        instruction = custody.instruction(account, Decimal(1), at=now)

        page = self.act(officer, instruction, "settle")

        assert "before the settlement date" in page
        custody.statement(account.custodian, [custody.line(account, Decimal(600))], at=now)
        page = self.act(officer, instruction, "settle")
        assert "shows that 0 shares have come, not 1 of this instruction" in page
        instruction.refresh_from_db()
        assert instruction.state == InstructionState.INSTRUCTED

    def test_need_a_statement(
        self, officer: Client, account: CustodyAccount, now: datetime
    ) -> None:
        instruction = custody.instruction(account, at=now)

        page = self.act(officer, instruction, "settle")

        assert "has sent no statement yet" in page

    def test_fail_and_cancel(self, officer: Client, account: CustodyAccount, now: datetime) -> None:
        instruction = custody.instruction(account, at=now)

        self.act(officer, instruction, "fail")
        instruction.refresh_from_db()
        assert instruction.state == InstructionState.INSTRUCTED  # it must be said why
        self.act(officer, instruction, "fail", reason="The broker had none.")
        instruction.refresh_from_db()
        assert (instruction.state, instruction.reason) == ("FAILED", "The broker had none.")
        self.act(officer, instruction, "cancel")
        instruction.refresh_from_db()
        assert instruction.state == InstructionState.CANCELLED
        assert instruction.transitions.count() == 2

    def test_name_who_did_what(
        self, officer: Client, account: CustodyAccount, now: datetime
    ) -> None:
        instruction = custody.instruction(account, at=now)
        self.act(officer, instruction, "fail", reason="The broker had none.")
        login = User.objects.get(pk=officer.session["_auth_user_id"])
        address = reverse("admin:custody_settlementinstruction_change", args=[instruction.pk])

        page = logged_in(people.user(Role.AUDITOR)).get(address).content.decode()

        assert login.person.name in page
        assert "STAFF:" not in page
        assert "SYSTEM:" not in page

    def test_of_a_request_are_not_offered_for_canceling(
        self, officer: Client, account: CustodyAccount, now: datetime
    ) -> None:
        instruction = custody.instruction(account, at=now, request_id=uuid7())

        address = reverse("admin:custody_settlementinstruction_change", args=[instruction.pk])
        page = officer.get(address).content.decode()

        assert "/acts/settle/" in page
        assert "/acts/fail/" in page
        assert "/acts/cancel/" not in page

    def test_are_given_for_own_shares(self, officer: Client, account: CustodyAccount) -> None:
        asked = {
            "account": str(account.pk),
            "quantity": "2.5",
            "trade_date": "2026-11-20",
            "settlement_date": "2026-11-23",
            "delivering_party": "A broker",
        }

        officer.post(reverse("admin:custody_settlementinstruction_add"), asked)

        instruction = SettlementInstruction.objects.get()
        assert (instruction.quantity, instruction.purpose) == (Decimal("2.5"), "OWN_SHARES")

    def test_are_only_looked_at_by_others(self, account: CustodyAccount, now: datetime) -> None:
        auditor = logged_in(people.user(Role.AUDITOR))
        instruction = custody.instruction(account, at=now)

        assert auditor.post(address_of(instruction, "cancel")).status_code == 403
        listed = auditor.get(reverse("admin:custody_settlementinstruction_changelist"))
        assert account.reference in listed.content.decode()


class TestAccountsAndPositions:
    def test_an_administrator_opens_an_account(self) -> None:
        administrator = logged_in(people.user(Role.ADMINISTRATOR))
        token, custodian = instruments.token(), parties.custodian()
        asked = {"token": str(token.pk), "custodian": str(custodian.pk), "reference": "AAPLX-01"}

        administrator.post(reverse("admin:custody_custodyaccount_add"), asked)

        account = CustodyAccount.objects.get()
        assert (account.token, account.reference) == (token, "AAPLX-01")

    def test_positions_show_what_counts(
        self, officer: Client, account: CustodyAccount, now: datetime
    ) -> None:
        line = custody.line(account, Decimal(1000), lent=Decimal(300))
        custody.statement(account.custodian, [line], at=now)

        page = officer.get(reverse("admin:custody_position_changelist")).content.decode()

        assert 'value="700"' in page
        assert 'value="300"' in page
