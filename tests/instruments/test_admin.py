from typing import Any, Final

import pytest
from django.test import Client
from django.urls import reverse

from issuer.instruments.models import (
    ControlledAddress,
    Deployment,
    Multiplier,
    Network,
    Security,
    Token,
)
from issuer.people.roles import Role
from tests.make import instruments as make
from tests.make import parties, people

pytestmark = pytest.mark.django_db

#: What each page of registration registers, and what it has to be told.
PAGES: Final[dict[Any, Any]] = {
    Security: lambda: {
        "name": "Apple Inc.",
        "ticker": "AAPL",
        "mic": "XNAS",
        "isin": "US0378331005",
    },
    Token: lambda: {
        "program": parties.program().pk,
        "symbol": "AAPLx",
        "name": "Apple xStock",
        "isin": make.isin("CH"),
        "security": make.security().pk,
        "statement_due_hours": "26",
        "admits_unsettled_receipts": "on",
        "redemption_minimum": "1",
    },
    Network: lambda: {"caip2": "eip155:1", "name": "Ethereum", "final_age_max_seconds": "1800"},
    Deployment: lambda: {
        "token": make.token().pk,
        "network": make.network().pk,
        "address": parties.evm_address(),
        "decimals": "18",
        "deployed_block": "7",
        "multiplier": "1.05",
    },
    ControlledAddress: lambda: {
        "network": make.network().pk,
        "address": parties.evm_address(),
        "role": "TREASURY",
        "reason": "Minted ahead of demand.",
    },
}


def logged_in(role: Role) -> Client:
    client = Client()
    client.force_login(people.user(role))
    return client


def page(model: Any, name: str, *args: object) -> str:
    return reverse(f"admin:instruments_{model._meta.model_name}_{name}", args=args)


@pytest.mark.parametrize("model", PAGES, ids=lambda model: model.__name__)
class TestRegistering:
    def test_is_done_by_an_administrator(self, model: Any) -> None:
        client, told = logged_in(Role.ADMINISTRATOR), PAGES[model]()
        assert client.get(page(model, "add")).status_code == 200

        response = client.post(page(model, "add"), told, follow=True)

        assert "Done: " in response.content.decode()
        assert model.objects.count() == 1
        assert client.get(page(model, "changelist")).status_code == 200

    def test_is_forbidden_to_every_other_role(self, model: Any) -> None:
        told = PAGES[model]()

        for role in set(Role) - {Role.ADMINISTRATOR}:
            assert logged_in(role).post(page(model, "add"), told).status_code == 403

        assert not model.objects.exists()


class TestRegisteringADeployment:
    def test_takes_the_multiplier_to_the_last_digit(self) -> None:
        client = logged_in(Role.ADMINISTRATOR)

        client.post(page(Deployment, "add"), PAGES[Deployment]())

        assert str(Multiplier.objects.get().value) == "1.050000000000000000"
        shown = client.get(page(Deployment, "change", Deployment.objects.get().pk))
        assert "1.05" in shown.content.decode()
        assert client.get(page(Multiplier, "changelist")).status_code == 200

    def test_tells_if_the_multiplier_is_no_quantity(self) -> None:
        told = PAGES[Deployment]() | {"multiplier": "1e3"}

        response = logged_in(Role.ADMINISTRATOR).post(page(Deployment, "add"), told)

        assert "is not a quantity; write it as 600 or 12.5." in response.content.decode()
        assert not Deployment.objects.exists()


class TestATokensIssuance:
    def test_is_suspended_and_resumed_by_an_administrator(self) -> None:
        token, client = make.token(), logged_in(Role.ADMINISTRATOR)
        suspend = page(Token, "act", token.pk, "suspend-issuance")
        resume = page(Token, "act", token.pk, "resume-issuance")

        suspended = client.post(suspend, {"reason": "A split is near."}, follow=True)
        token.refresh_from_db()
        assert not token.issuance_open
        assert resume in suspended.content.decode()
        assert suspend not in suspended.content.decode()

        client.post(resume, {"reason": "The split is done."})
        token.refresh_from_db()
        assert token.issuance_open

    def test_is_not_suspended_by_others(self) -> None:
        token = make.token()
        suspend = page(Token, "act", token.pk, "suspend-issuance")

        assert logged_in(Role.APPROVER).post(suspend, {"reason": "Mine."}).status_code == 403

        token.refresh_from_db()
        assert token.issuance_open
