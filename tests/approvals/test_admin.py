from datetime import datetime

import pytest
from django.test import Client
from django.urls import reverse

from issuer.approvals import services
from issuer.foundation.actors import Actor
from issuer.people.roles import Role
from tests.make.people import person, staff_actor, user

pytestmark = pytest.mark.django_db


class TestProposalAdmin:
    def test_shows_who_proposed_and_who_confirmed(self, staff: Actor, at: datetime) -> None:
        proposal = services.propose(
            action="issuance.approve",
            subject=person(),
            payload={"quantity": "600"},
            actor=staff,
            at=at,
        )
        approver = staff_actor(Role.APPROVER)
        services.confirm(proposal.pk, payload={"quantity": "600"}, actor=approver, at=at)
        client = Client()
        client.force_login(user(Role.AUDITOR))

        listed = client.get(reverse("admin:approvals_proposal_changelist")).content.decode()
        shown = client.get(reverse("admin:approvals_proposal_change", args=[proposal.pk]))

        assert "issuance.approve" in listed
        assert str(proposal.approval.approver) in shown.content.decode()
