import io

import pytest
from django.core.management import CommandError, call_command

from issuer.audit.models import AuditEvent
from issuer.people.models import User
from issuer.people.roles import Role
from issuer.people.selectors import roles_of
from tests.make.people import PASSWORD, user

pytestmark = pytest.mark.django_db


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A password that comes by a pipe."""
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{PASSWORD}\n"))


@pytest.mark.usefixtures("typed")
class TestCreateAdministrator:
    def test_registers_the_first(self, capsys: pytest.CaptureFixture[str]) -> None:
        call_command("create_administrator", "ada", "Ada Lovelace")

        ada = User.objects.get(username="ada")
        assert ada.person.name == "Ada Lovelace"
        assert ada.check_password(PASSWORD)
        assert roles_of(ada.person) == {Role.ADMINISTRATOR}
        actors = set(AuditEvent.objects.values_list("actor", flat=True))
        assert actors == {"SYSTEM:people.create_administrator"}
        assert capsys.readouterr().out == "ada is an administrator.\n"

    def test_refuses_a_second(self) -> None:
        user(Role.ADMINISTRATOR, username="ada")

        with pytest.raises(CommandError, match="There is an administrator already"):
            call_command("create_administrator", "eve", "Eve")

        assert not User.objects.filter(username="eve").exists()

    def test_tells_why_it_refuses(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("sys.stdin", io.StringIO("password\n"))

        with pytest.raises(CommandError, match="too short"):
            call_command("create_administrator", "ada", "Ada Lovelace")

        assert not User.objects.exists()
