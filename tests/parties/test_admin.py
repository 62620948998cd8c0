from typing import Any, Final

import pytest
from django.test import Client
from django.urls import reverse

from issuer.audit.models import AuditEvent
from issuer.parties.models import (
    AuthorizedParticipant,
    Criteria,
    Custodian,
    LegalEntity,
    Program,
    Wallet,
)
from issuer.parties.states import WalletState
from issuer.people.roles import Role
from tests.make import parties as make
from tests.make import people

pytestmark = pytest.mark.django_db

#: What each page of registration registers, and what it has to be told.
PAGES: Final[dict[Any, Any]] = {
    LegalEntity: lambda: {
        "name": "Apple Inc.",
        "lei": "HWUPKR0MPOU8FGXBT394",
        "jurisdiction": "US",
    },
    Program: lambda: {
        "code": "main",
        "name": "Main",
        "spv": make.legal_entity().pk,
        "arranger": make.legal_entity().pk,
        "security_agent": make.legal_entity().pk,
    },
    Criteria: lambda: {
        "program": make.program().pk,
        "name": "Reserve criteria",
        "version": "1.0",
        "text": "Shares first.",
    },
    Custodian: lambda: {"code": "bank", "entity": make.legal_entity().pk},
    AuthorizedParticipant: lambda: {
        "code": "kraken",
        "entity": make.legal_entity().pk,
        "program": make.program().pk,
    },
}


def logged_in(role: Role) -> Client:
    client = Client()
    client.force_login(people.user(role))
    return client


def page(model: Any, name: str) -> str:
    return reverse(f"admin:parties_{model._meta.model_name}_{name}")


@pytest.mark.parametrize("model", PAGES, ids=lambda model: model.__name__)
class TestRegistering:
    def test_is_done_by_an_administrator(self, model: Any) -> None:
        client, told = logged_in(Role.ADMINISTRATOR), PAGES[model]()
        before = model.objects.count()
        assert client.get(page(model, "add")).status_code == 200

        response = client.post(page(model, "add"), told, follow=True)

        assert "Done: " in response.content.decode()
        assert model.objects.count() == before + 1
        listed = client.get(page(model, "changelist")).content.decode()
        assert str(told.get("name", told.get("code", ""))) in listed

    def test_is_forbidden_to_every_other_role(self, model: Any) -> None:
        told = PAGES[model]()
        before = model.objects.count()

        for role in set(Role) - {Role.ADMINISTRATOR}:
            assert logged_in(role).post(page(model, "add"), told).status_code == 403

        assert model.objects.count() == before


class TestRegisteringWhatIsRefused:
    def test_tells_why(self) -> None:
        told = PAGES[LegalEntity]() | {"lei": "HWUPKR0MPOU8FGXBT395"}

        response = logged_in(Role.ADMINISTRATOR).post(page(LegalEntity, "add"), told)

        assert "is not a valid LEI" in response.content.decode()
        assert not LegalEntity.objects.exists()


class TestWallets:
    def test_are_revoked_by_a_compliance_officer_who_says_why(self) -> None:
        wallet = make.wallet()
        address = reverse("admin:parties_wallet_act", args=[wallet.pk, "revoke"])
        client = logged_in(Role.COMPLIANCE_OFFICER)
        shown = client.get(reverse("admin:parties_wallet_change", args=[wallet.pk]))
        assert address in shown.content.decode()

        response = client.post(address, {"reason": "The key was lost."}, follow=True)

        wallet.refresh_from_db()
        assert (wallet.state, wallet.revocation_reason) == (
            WalletState.REVOKED,
            "The key was lost.",
        )
        assert AuditEvent.objects.get(action="wallet.revoke").subject_id == wallet.pk
        shown_page = response.content.decode()
        assert f"Done: revoke, eip155:{wallet.address}." in shown_page
        assert address not in shown_page

    def test_tell_if_they_were_revoked_meanwhile(self) -> None:
        wallet = make.wallet()
        address = reverse("admin:parties_wallet_act", args=[wallet.pk, "revoke"])
        client = logged_in(Role.COMPLIANCE_OFFICER)
        client.post(address, {"reason": "The key was lost."})

        response = client.post(address, {"reason": "Again."})

        assert "Revoked cannot follow Revoked." in response.content.decode()

    @pytest.mark.parametrize("role", sorted(set(Role) - {Role.COMPLIANCE_OFFICER}))
    def test_are_revoked_by_nobody_else(self, role: Role) -> None:
        wallet = make.wallet()
        client = logged_in(role)
        address = reverse("admin:parties_wallet_act", args=[wallet.pk, "revoke"])

        assert client.post(address, {"reason": "Mine."}).status_code == 403
        shown = client.get(reverse("admin:parties_wallet_change", args=[wallet.pk]))
        assert (shown.status_code, address in shown.content.decode()) == (200, False)
        wallet.refresh_from_db()
        assert wallet.state == WalletState.BOUND

    def test_are_never_added_by_hand(self) -> None:
        client = logged_in(Role.COMPLIANCE_OFFICER)

        assert client.get(reverse("admin:parties_wallet_add")).status_code == 403
        assert not Wallet.objects.exists()
