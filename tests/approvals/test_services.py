from datetime import datetime, timedelta
from threading import Barrier, Thread
from typing import Any

import pytest
from django.db import connections

from issuer.approvals import errors, selectors, services
from issuer.approvals.models import Approval, Proposal
from issuer.approvals.states import ProposalState
from issuer.audit.models import AuditEvent
from issuer.foundation.actors import Actor
from issuer.foundation.errors import DomainError
from issuer.foundation.identifiers import uuid7
from issuer.people.actors import actor_of
from issuer.people.models import Person
from issuer.people.roles import Role
from tests.make.people import person, staff_actor, user

PAYLOAD = {"request": "0197a1de-0000-7000-8000-000000000001", "quantity": "600"}

pytestmark = pytest.mark.django_db


@pytest.fixture
def subject() -> Person:
    """Anything can be the subject of a proposal."""
    return person()


@pytest.fixture
def approver() -> Actor:
    return staff_actor(Role.APPROVER)


def propose(subject: Person, actor: Actor, at: datetime, **changes: Any) -> Proposal:
    arguments: dict[str, Any] = {"action": "issuance.approve", "payload": PAYLOAD}
    return services.propose(**arguments | changes, subject=subject, actor=actor, at=at)


def acts(proposal: Proposal) -> list[tuple[str, str]]:
    events = AuditEvent.objects.filter(subject_id=proposal.pk).order_by("id")
    return list(events.values_list("action", "actor"))


class TestPropose:
    def test_binds_the_proposal_to_the_hash_of_its_payload(
        self, subject: Person, staff: Actor, at: datetime
    ) -> None:
        proposal = propose(subject, staff, at, payload={"quantity": "600", "a": ["b"]})

        proposal.refresh_from_db()
        assert proposal.state == ProposalState.OPEN
        assert (proposal.subject_type, proposal.subject_id) == ("people.person", subject.pk)
        assert proposal.payload == {"quantity": "600", "a": ["b"]}
        # printf '{"a":["b"],"quantity":"600"}' | sha256sum
        assert proposal.payload_hash == (
            "3db132731b6bc15e0095833c7b0a6474d98cad2256a4e01805a7752e544370ff"
        )
        assert (proposal.proposed_by, proposal.proposer_id) == (str(staff), staff.person)
        assert acts(proposal) == [("proposal.propose", str(staff))]

    def test_refuses_what_is_proposed_already(
        self, subject: Person, staff: Actor, approver: Actor, at: datetime
    ) -> None:
        propose(subject, staff, at)

        with pytest.raises(errors.ProposalOpen):
            propose(subject, approver, at, payload={"quantity": "601"})

        assert Proposal.objects.count() == 1

    def test_takes_another_action_for_the_same_subject(
        self, subject: Person, staff: Actor, at: datetime
    ) -> None:
        propose(subject, staff, at)

        propose(subject, staff, at, action="issuance.freeze")

        assert selectors.open_proposals().count() == 2

    def test_refuses_whoever_is_no_person(
        self, subject: Person, system: Actor, at: datetime
    ) -> None:
        with pytest.raises(errors.PersonRequired):
            propose(subject, system, at)

        assert not Proposal.objects.exists()


class TestConfirm:
    def test_takes_a_second_person(
        self, subject: Person, staff: Actor, approver: Actor, at: datetime
    ) -> None:
        proposal = propose(subject, staff, at)
        later = at + timedelta(minutes=5)

        services.confirm(proposal.pk, payload=dict(PAYLOAD), actor=approver, at=later)

        proposal.refresh_from_db()
        assert proposal.state == ProposalState.CONFIRMED
        assert (proposal.closed_by, proposal.closed_at) == (str(approver), later)
        approval = Approval.objects.get()
        assert (approval.proposal, approval.approver_id) == (proposal, approver.person)
        assert (approval.approved_by, approval.approved_at) == (str(approver), later)
        assert approval.payload_hash == proposal.payload_hash
        assert acts(proposal) == [
            ("proposal.propose", str(staff)),
            ("proposal.confirm", str(approver)),
        ]

    def test_refuses_the_one_who_proposed(
        self, subject: Person, staff: Actor, at: datetime
    ) -> None:
        proposal = propose(subject, staff, at)

        self._refused(errors.SamePerson, proposal, staff, at)

    def test_refuses_another_login_of_the_one_who_proposed(
        self, subject: Person, at: datetime
    ) -> None:
        officer = user(Role.OPERATIONS_OFFICER)
        second_login = user(Role.APPROVER, person=officer.person)
        proposal = propose(subject, actor_of(officer), at)

        self._refused(errors.SamePerson, proposal, actor_of(second_login), at)

    def test_refuses_whoever_is_no_person(
        self, subject: Person, staff: Actor, system: Actor, at: datetime
    ) -> None:
        proposal = propose(subject, staff, at)

        self._refused(errors.PersonRequired, proposal, system, at)

    def test_refuses_what_has_changed_since(
        self, subject: Person, staff: Actor, approver: Actor, at: datetime
    ) -> None:
        proposal = propose(subject, staff, at)

        self._refused(
            errors.ProposalChanged, proposal, approver, at, payload=PAYLOAD | {"quantity": "601"}
        )

    def test_refuses_a_proposal_that_is_closed(
        self, subject: Person, staff: Actor, approver: Actor, at: datetime
    ) -> None:
        proposal = propose(subject, staff, at)
        services.decline(proposal.pk, reason="Too early.", actor=approver, at=at)

        with pytest.raises(errors.ProposalNotOpen) as refusal:
            services.confirm(proposal.pk, payload=PAYLOAD, actor=approver, at=at)

        assert refusal.value.facts == {"state": "DECLINED"}
        assert not Approval.objects.exists()

    def test_refuses_a_proposal_that_never_was(self, approver: Actor, at: datetime) -> None:
        with pytest.raises(errors.ProposalMissing):
            services.confirm(uuid7(), payload=PAYLOAD, actor=approver, at=at)

    def _refused(
        self,
        refusal: type[DomainError],
        proposal: Proposal,
        actor: Actor,
        at: datetime,
        payload: dict[str, str] = PAYLOAD,
    ) -> None:
        before = acts(proposal)

        with pytest.raises(refusal):
            services.confirm(proposal.pk, payload=payload, actor=actor, at=at)

        proposal.refresh_from_db()
        assert proposal.state == ProposalState.OPEN
        assert not Approval.objects.exists()
        assert acts(proposal) == before


@pytest.mark.django_db(transaction=True)
class TestConfirmAtOnce:
    def test_is_done_once(self, at: datetime) -> None:
        proposal = propose(person(), staff_actor(Role.OPERATIONS_OFFICER), at)
        approvers = [staff_actor(Role.APPROVER) for _ in range(4)]
        start = Barrier(len(approvers))
        refusals: list[type[DomainError]] = []

        def confirm(actor: Actor) -> None:
            start.wait(timeout=10)
            try:
                services.confirm(proposal.pk, payload=PAYLOAD, actor=actor, at=at)
            except DomainError as refusal:
                refusals.append(type(refusal))
            finally:
                connections.close_all()

        threads = [Thread(target=confirm, args=[actor]) for actor in approvers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=30)

        assert refusals == [errors.ProposalNotOpen] * 3
        assert Approval.objects.count() == 1


class TestDecline:
    def test_closes_a_proposal_with_the_reason(
        self, subject: Person, staff: Actor, approver: Actor, at: datetime
    ) -> None:
        proposal = propose(subject, staff, at)

        services.decline(proposal.pk, reason="Too early.", actor=approver, at=at)

        proposal.refresh_from_db()
        assert (proposal.state, proposal.reason) == (ProposalState.DECLINED, "Too early.")
        assert (proposal.closed_by, proposal.closed_at) == (str(approver), at)
        assert acts(proposal)[-1] == ("proposal.decline", str(approver))

    def test_lets_the_one_who_proposed_take_it_back(
        self, subject: Person, staff: Actor, at: datetime
    ) -> None:
        proposal = propose(subject, staff, at)

        services.decline(proposal.pk, reason="A mistake.", actor=staff, at=at)

        assert selectors.open_proposal(subject, "issuance.approve") is None
        assert propose(subject, staff, at).state == ProposalState.OPEN

    def test_refuses_whoever_is_no_person(
        self, subject: Person, staff: Actor, system: Actor, at: datetime
    ) -> None:
        proposal = propose(subject, staff, at)

        with pytest.raises(errors.PersonRequired):
            services.decline(proposal.pk, reason="Why not.", actor=system, at=at)

        assert selectors.open_proposal(subject, "issuance.approve") == proposal


class TestVoidOpen:
    def test_closes_all_that_is_proposed_for_a_subject(
        self, subject: Person, staff: Actor, system: Actor, at: datetime
    ) -> None:
        one = propose(subject, staff, at)
        two = propose(subject, staff, at, action="issuance.freeze")
        another = propose(person(), staff, at)

        voided = services.void_open(subject=subject, reason="It changed.", actor=system, at=at)

        assert voided == 2
        states = dict(Proposal.objects.values_list("pk", "state"))
        assert states == {one.pk: "VOIDED", two.pk: "VOIDED", another.pk: "OPEN"}
        assert acts(one)[-1] == ("proposal.void", "SYSTEM:tests")

    def test_closes_those_of_one_action_only_if_asked(
        self, subject: Person, staff: Actor, system: Actor, at: datetime
    ) -> None:
        propose(subject, staff, at)
        other = propose(subject, staff, at, action="issuance.freeze")

        voided = services.void_open(
            subject=subject, action="issuance.approve", reason="Changed.", actor=system, at=at
        )

        assert voided == 1
        assert list(selectors.open_proposals()) == [other]

    def test_leaves_what_is_closed(
        self, subject: Person, staff: Actor, approver: Actor, system: Actor, at: datetime
    ) -> None:
        proposal = propose(subject, staff, at)
        services.confirm(proposal.pk, payload=PAYLOAD, actor=approver, at=at)

        assert services.void_open(subject=subject, reason="Late.", actor=system, at=at) == 0
        proposal.refresh_from_db()
        assert proposal.state == ProposalState.CONFIRMED
