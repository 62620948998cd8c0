import pytest
from django.test import Client
from django.urls import reverse

from issuer.ledger.models import Account, Entry, Side, Transfer
from issuer.people.roles import Role
from tests.make.ledger import account, posting
from tests.make.people import user

pytestmark = pytest.mark.django_db


@pytest.fixture
def auditor() -> Client:
    client = Client()
    client.force_login(user(Role.AUDITOR))
    return client


@pytest.fixture
def books() -> None:
    account("AAPLx/shares/settled/ACC-1")
    account("AAPLx/shares/own", side=Side.CREDIT)
    posting("AAPLx/shares/settled/ACC-1", "AAPLx/shares/own", "1234.5", reference="receipt/1")


def page(client: Client, address: str) -> str:
    answer = client.get(address)
    assert answer.status_code == 200
    return answer.content.decode()


@pytest.mark.usefixtures("books")
class TestAccountAdmin:
    def test_lists_balances_under_the_trial_balance(self, auditor: Client) -> None:
        shown = page(auditor, reverse("admin:ledger_account_changelist"))

        assert "Trial balance" in shown
        assert "✓ yes" in shown
        assert "✕ no" not in shown
        assert shown.count("1,234.5</data>") == 2

    def test_leads_from_an_account_to_its_entries(self, auditor: Client) -> None:
        own = Account.objects.get(code="AAPLx/shares/own")

        shown = page(auditor, reverse("admin:ledger_account_change", args=[own.pk]))

        entries = reverse("admin:ledger_entry_changelist", query={"account__id": own.pk})
        assert f'<a href="{entries}">1 in all</a>' in shown
        assert page(auditor, entries).count("1,234.5</data>") == 2

    def test_lets_nobody_write(self, auditor: Client) -> None:
        own = Account.objects.get(code="AAPLx/shares/own")

        answers = [
            auditor.get(reverse("admin:ledger_account_add")),
            auditor.post(reverse("admin:ledger_account_change", args=[own.pk]), {"code": "mine"}),
            auditor.post(reverse("admin:ledger_account_delete", args=[own.pk]), {"post": "yes"}),
        ]

        assert [answer.status_code for answer in answers] == [403, 403, 403]


@pytest.mark.usefixtures("books")
class TestTransferAdmin:
    def test_shows_a_transfer_with_its_two_entries(self, auditor: Client) -> None:
        transfer = Transfer.objects.get()

        assert "receipt/1" in page(auditor, reverse("admin:ledger_transfer_changelist"))
        shown = page(auditor, reverse("admin:ledger_transfer_change", args=[transfer.pk]))
        assert "AAPLx/shares/own" in shown


@pytest.mark.usefixtures("books")
class TestEntryAdmin:
    def test_shows_the_balance_that_an_entry_left(self, auditor: Client) -> None:
        entry = Entry.objects.get(account__code="AAPLx/shares/own")

        shown = page(auditor, reverse("admin:ledger_entry_changelist"))

        assert shown.count("1,234.5</data>") == 4
        assert page(auditor, reverse("admin:ledger_entry_change", args=[entry.pk]))
