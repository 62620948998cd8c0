"""An auditor sees every page of the back office, and finds nothing to press on any of them."""

import re
from datetime import datetime

import pytest
from django.apps import apps
from django.contrib import admin
from django.test import Client
from django.urls import reverse

from issuer.backoffice.navigation import AREAS
from issuer.gate.models import ScopeKind
from issuer.people.acts import ActsAdmin
from issuer.people.roles import Role
from issuer.primary_market.states import IssuanceState, RedemptionState
from tests.backoffice.clients import client_of, text_of
from tests.make import (
    attestation,
    chain,
    gate,
    kyc,
    people,
    primary_market,
    reconciliation,
    redemptions,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("market_clock")]

_LISTS = [label for area in AREAS for _, label in area.lists]


@pytest.fixture
def auditor() -> Client:
    return client_of(people.user(Role.AUDITOR, person=people.person("Anna Auditor")))


def pressable(page: str) -> list[str]:
    """Return what on a page would change something: forms to send, and links to acts.

    Leaving is always possible, and the admin wraps what is only read in a form without a button.
    """
    forms = re.findall(r"<form[^>]*>.*?</form>", page, re.DOTALL)
    sent = [
        form
        for form in forms
        if re.search(r'^<form[^>]*method="post"', form, re.IGNORECASE)
        and re.search(r'type="submit"', form)
        and "logout" not in form
    ]
    return sent + re.findall(r'href="[^"]*(?:/acts/|/add/|/delete/)[^"]*"', page)


def a_full_world(at: datetime) -> None:
    """Have something on every desk."""
    for state in (IssuanceState.REQUESTED, IssuanceState.FUNDED):
        primary_market.issuance(state=state, at=at)
    market = redemptions.market(at=at)
    redemption = redemptions.redemption(market, state=RedemptionState.RECEIVED, at=at)
    redemptions.propose(redemption, at=at)
    deposit = redemptions.deposit(market, redemption.quantity, sender=redemptions.stranger(), at=at)
    redemptions.a_return(deposit, at=at)
    reconciliation.break_(market.token)
    gate.hold(ScopeKind.TOKEN, market.token.pk)
    kyc.case()
    chain.trouble()
    for bring_about in (attestation.frozen, attestation.reviewed, attestation.published):
        bring_about(attestation.world(at=at), at=at)


class TestAuditor:
    def test_sees_today_without_a_button(self, auditor: Client, at: datetime) -> None:
        a_full_world(at)

        page = text_of(auditor, "/admin/")

        assert pressable(page) == []
        assert "Halt…" not in page
        assert "Waits for you (0)" in page

    def test_finds_nothing_to_press_on_any_list_or_record(
        self, auditor: Client, at: datetime
    ) -> None:
        a_full_world(at)
        seen = 0

        for label in _LISTS:
            model = apps.get_model(label)
            name = f"admin:{label.replace('.', '_')}"
            assert pressable(text_of(auditor, reverse(f"{name}_changelist"))) == [], label
            for row in model._default_manager.order_by("pk")[:3]:
                page = text_of(auditor, reverse(f"{name}_change", args=[row.pk]))
                assert pressable(page) == [], (label, row)
                assert "What you can do" not in page
                seen += 1

        assert seen > len(_LISTS)

    @pytest.mark.parametrize("label", _LISTS)
    def test_may_bring_nothing_about(self, auditor: Client, label: str) -> None:
        address = reverse(f"admin:{label.replace('.', '_')}_add")

        assert auditor.get(address).status_code == 403
        assert auditor.post(address, {}).status_code == 403

    def test_may_take_no_act_whose_address_is_known(self, auditor: Client, at: datetime) -> None:
        a_full_world(at)
        refused = 0

        for model, model_admin in admin.site._registry.items():
            row = model._default_manager.first()
            if not isinstance(model_admin, ActsAdmin) or row is None:
                continue
            for act in model_admin.acts:
                name = f"admin:{model._meta.app_label}_{model._meta.model_name}_act"
                address = reverse(name, args=[row.pk, act.name])
                assert auditor.get(address).status_code == 403, address
                assert auditor.post(address, {}).status_code == 403, address
                refused += 1

        assert refused
