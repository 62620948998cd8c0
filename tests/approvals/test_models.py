"""What PostgreSQL refuses of proposals and approvals, whoever asks."""

from datetime import datetime
from typing import Any

import pytest

from issuer.approvals import services
from issuer.approvals.models import Approval, Proposal
from issuer.foundation.actors import Actor
from issuer.foundation.identifiers import uuid7
from issuer.people.roles import Role
from tests.make.people import person, staff_actor
from tests.violations import refused_by

pytestmark = pytest.mark.django_db


@pytest.fixture
def proposal(staff: Actor, at: datetime) -> Proposal:
    """An open proposal."""
    return services.propose(
        action="issuance.approve",
        subject=person(),
        payload={"quantity": "600"},
        actor=staff,
        at=at,
    )


@pytest.fixture
def approver() -> Actor:
    return staff_actor(Role.APPROVER)


def approve(proposal: Proposal, approver: Actor, at: datetime, **columns: Any) -> Approval:
    defaults = {"payload_hash": proposal.payload_hash, "approver_id": approver.person}
    return Approval.objects.create(
        proposal=proposal, approved_by=str(approver), approved_at=at, **defaults | columns
    )


class TestApproval:
    def test_is_by_another_person(self, proposal: Proposal, approver: Actor, at: datetime) -> None:
        with refused_by("approval_by_another_person"):
            approve(proposal, approver, at, approver_id=proposal.proposer_id)

    def test_is_of_this_payload(self, proposal: Proposal, approver: Actor, at: datetime) -> None:
        with refused_by("approval_of_this_payload"):
            approve(proposal, approver, at, payload_hash="0" * 64)

    def test_is_of_an_open_proposal(
        self, proposal: Proposal, approver: Actor, at: datetime
    ) -> None:
        services.decline(proposal.pk, reason="Too early.", actor=approver, at=at)

        with refused_by("approval_of_an_open_proposal"):
            approve(proposal, approver, at)

    def test_says_by_whom(self, proposal: Proposal, approver: Actor, at: datetime) -> None:
        approval = approve(proposal, approver, at)

        assert str(approval) == f"Approval by {approval.approver.name}"


class TestProposal:
    @pytest.mark.parametrize(
        "change",
        [
            {"action": "issuance.reject"},
            {"subject_type": "ledger.account"},
            {"subject_id": uuid7()},
            {"payload": {"quantity": "601"}},
            {"payload_hash": "0" * 64},
            {"proposed_by": "STAFF:somebody"},
            {"proposed_at": datetime.fromisoformat("2026-11-21T00:00:00Z")},
        ],
        ids=lambda change: next(iter(change)),
    )
    def test_keeps_what_it_proposes(self, change: dict[str, Any], proposal: Proposal) -> None:
        with refused_by("proposal_content_unchangeable"):
            Proposal.objects.filter(pk=proposal.pk).update(**change)

    def test_keeps_its_proposer(self, proposal: Proposal) -> None:
        other = person()

        with refused_by("proposal_content_unchangeable"):
            Proposal.objects.filter(pk=proposal.pk).update(proposer=other)

    def test_is_never_deleted(self, proposal: Proposal) -> None:
        with refused_by("proposal_never_deleted"):
            Proposal.objects.filter(pk=proposal.pk).delete()

    def test_stays_closed(self, proposal: Proposal, approver: Actor, at: datetime) -> None:
        services.decline(proposal.pk, reason="Too early.", actor=approver, at=at)

        with refused_by("proposal_closed_stays_closed"):
            Proposal.objects.filter(pk=proposal.pk).update(
                state="OPEN", reason="", closed_by="", closed_at=None
            )

    def test_is_confirmed_by_an_approval_only(self, proposal: Proposal, at: datetime) -> None:
        with refused_by("proposal_confirmed_by_an_approval"):
            Proposal.objects.filter(pk=proposal.pk).update(
                state="CONFIRMED", closed_by="STAFF:somebody", closed_at=at
            )

    def test_is_in_a_known_state(self, proposal: Proposal, at: datetime) -> None:
        with refused_by("proposal_state_known"):
            Proposal.objects.filter(pk=proposal.pk).update(
                state="LOST", closed_by="STAFF:somebody", closed_at=at
            )

    @pytest.mark.parametrize(
        "change",
        [
            {"state": "DECLINED"},
            {"state": "DECLINED", "closed_by": "STAFF:somebody"},
            {"closed_by": "STAFF:somebody"},
        ],
    )
    def test_is_closed_by_somebody_at_some_time(
        self, change: dict[str, str], proposal: Proposal
    ) -> None:
        with refused_by("proposal_closed_has_time_and_author"):
            Proposal.objects.filter(pk=proposal.pk).update(**change)

    @pytest.mark.parametrize("payload_hash", ["", "0" * 63, "A" * 64])
    def test_has_a_sha256_of_its_payload(
        self, payload_hash: str, proposal: Proposal, at: datetime
    ) -> None:
        with refused_by("proposal_hash_is_sha256"):
            Proposal.objects.create(
                action="issuance.approve",
                subject_type="people.person",
                subject_id=uuid7(),
                payload={},
                payload_hash=payload_hash,
                proposed_by="STAFF:somebody",
                proposer=proposal.proposer,
                proposed_at=at,
            )

    def test_is_open_once_for_a_subject_and_action(self, proposal: Proposal, at: datetime) -> None:
        with refused_by("proposal_open_once_per_subject_and_action"):
            Proposal.objects.create(
                action=proposal.action,
                subject_type=proposal.subject_type,
                subject_id=proposal.subject_id,
                payload={},
                payload_hash="0" * 64,
                proposed_by="STAFF:somebody",
                proposer=proposal.proposer,
                proposed_at=at,
            )

    def test_says_what_was_proposed_by_whom(self, proposal: Proposal) -> None:
        assert str(proposal) == f"issuance.approve proposed by {proposal.proposer.name}"
