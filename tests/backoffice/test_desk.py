from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from issuer.approvals import services as approvals
from issuer.attestation import services as attestations
from issuer.backoffice import desk
from issuer.foundation import actors
from issuer.kyc.states import CaseState
from issuer.people.actors import actor_of
from issuer.people.roles import Role
from issuer.primary_market import services
from issuer.primary_market.states import IssuanceState, RedemptionState
from tests.make import (
    attestation,
    custody,
    kyc,
    people,
    primary_market,
    reconciliation,
    redemptions,
)

pytestmark = pytest.mark.django_db


class TestTasks:
    def test_are_none_on_a_quiet_day(self, at: datetime) -> None:
        assert desk.tasks(at=at) == []

    def test_ask_to_accept_a_new_request(self, at: datetime) -> None:
        request = primary_market.issuance(quantity=Decimal("12.5"), client_reference="K-1")

        (task,) = desk.tasks(at=at)

        assert task.act == "Accept issuance"
        assert task.what == f"12.5 {request.token} for {request.participant}, K-1"
        assert task.url == f"/admin/primary_market/issuancerequest/{request.pk}/change/"
        assert (task.since, task.permission) == (at, "primary_market.accept_issuance")

    def test_ask_to_propose_a_funded_request_once(self, at: datetime) -> None:
        request = primary_market.issuance(state=IssuanceState.FUNDED)
        (task,) = desk.tasks(at=at)
        assert (task.act, task.permission) == (
            "Propose issuance",
            "primary_market.propose_issuance",
        )

        officer = people.staff_actor(Role.OPERATIONS_OFFICER)
        services.propose_approval(request.pk, actor=officer, at=at)

        (task,) = desk.tasks(at=at)
        assert (task.act, task.permission) == (
            "Confirm issuance",
            "primary_market.confirm_issuance",
        )
        assert task.not_person == officer.person

    def test_ask_to_confirm_an_attestation(self, at: datetime) -> None:
        world = attestation.world(at=at)
        statement = attestation.frozen(world, at=at)

        (task,) = desk.tasks(at=at)

        assert (task.act, task.what) == ("Confirm attestation", str(statement))
        assert task.permission == "attestation.confirm_attestation"

    def test_ask_for_an_attestation_where_none_may_be_relied_on(self, at: datetime) -> None:
        world = attestation.world(at=at)
        assert desk.tasks(at=at) == []  # nothing was ever reconciled
        statement = attestation.published(world, at=at)
        assert desk.tasks(at=statement.valid_until - timedelta(seconds=1)) == []

        (task,) = desk.tasks(at=statement.valid_until)

        assert task.act == "Propose attestation"
        assert task.what == f"{world.program} has none that may be relied on"

    def test_ask_to_confirm_that_a_break_is_closed(self, at: datetime) -> None:
        found = reconciliation.break_()
        approvals.propose(
            action="break.close",
            subject=found,
            payload={"break": str(found.pk)},
            actor=people.staff_actor(Role.OPERATIONS_OFFICER),
            at=at,
        )

        task = desk.tasks(at=at)[-1]

        assert (task.act, task.what) == ("Confirm that a break is closed", str(found))

    def test_ask_to_chase_what_did_not_come(self, at: datetime) -> None:
        due = custody.instruction(at=at)
        assert desk.tasks(at=at) == []

        (task,) = desk.tasks(at=at + timedelta(days=1))

        assert task.act == "Chase late receipt"
        assert task.what == f"600 shares into {due.account}, due {due.settlement_date}"

    def test_ask_to_chase_what_did_not_leave(self, at: datetime) -> None:
        due = redemptions.redemption(state=RedemptionState.DELIVERING, at=at).instruction
        assert due is not None
        assert desk.tasks(at=at) == []

        (task,) = desk.tasks(at=at + timedelta(days=10))

        assert task.act == "Chase late delivery"
        assert task.what == f"100 shares out of {due.account}, due {due.settlement_date}"

    def test_ask_to_chase_only_what_has_not_moved_yet(self, at: datetime) -> None:
        due = custody.instruction(at=at)
        custody.statement(
            due.account.custodian,
            [custody.line(due.account, Decimal(250), pending_receipt=Decimal(350))],
            at=at,
            instructions=[custody.instruction_line(due, Decimal(250))],
        )

        (task,) = desk.tasks(at=at + timedelta(days=1))

        assert task.what == f"350 shares into {due.account}, due {due.settlement_date}"

    def test_ask_what_keeps_an_approved_statement_from_the_public(self, at: datetime) -> None:
        statement = attestation.reviewed(attestation.world(at=at), at=at)
        assert desk.tasks(at=at) == []
        failed_at = at + timedelta(minutes=5)
        system = actors.system("publish_attestations")
        attestations.record_failure(
            statement.pk, reason="The key is not known.", actor=system, at=failed_at
        )

        (task,) = desk.tasks(at=failed_at)

        assert task.act == "Look into failed publication"
        assert task.what == f"{statement}: The key is not known."
        assert task.url == f"/admin/attestation/attestation/{statement.pk}/change/"
        assert (task.since, task.permission) == (failed_at, "attestation.confirm_attestation")

        approver = people.staff_actor(Role.APPROVER)
        attestations.withdraw(statement.pk, reason="Made anew.", actor=approver, at=failed_at)
        assert [task.act for task in desk.tasks(at=failed_at)] == ["Propose attestation"]

    def test_ask_to_review_and_to_renew(self, at: datetime) -> None:
        kyc.case(state=CaseState.REVIEW)
        kyc.case(state=CaseState.RENEWAL_DUE)
        kyc.case(state=CaseState.APPROVED)

        assert sorted(task.act for task in desk.tasks(at=at)) == ["Renew KYC", "Review KYC"]

    def test_come_longest_waiting_first(self, at: datetime) -> None:
        for hours in (1, 3, 2):
            primary_market.issuance(at=at - timedelta(hours=hours))

        since = [task.since for task in desk.tasks(at=at)]

        assert since == sorted(since)


class TestSplit:
    def test_gives_to_each_what_their_role_may_do(self, at: datetime) -> None:
        primary_market.issuance()
        kyc.case(state=CaseState.REVIEW)
        tasks = desk.tasks(at=at)

        mine, others = desk.split(tasks, people.user(Role.OPERATIONS_OFFICER))
        nothing, all_others = desk.split(tasks, people.user(Role.AUDITOR))

        assert [task.act for task in mine] == ["Accept issuance"]
        assert [(task.act, task.roles) for task in others] == [("Review KYC", "compliance officer")]
        assert (nothing, all_others) == ([], tasks)

    def test_never_gives_back_what_the_person_proposed_by_any_login(self, at: datetime) -> None:
        request = primary_market.issuance(state=IssuanceState.FUNDED)
        approver = people.user(Role.APPROVER)
        services.propose_approval(request.pk, actor=actor_of(approver), at=at)
        other_login = people.user(person=approver.person)

        mine, others = desk.split(desk.tasks(at=at), other_login)

        assert (mine, [task.act for task in others]) == ([], ["Confirm issuance"])


class TestMay:
    def test_names_the_roles_of_a_permission(self) -> None:
        assert desk.may("primary_market.propose_issuance") == "operations officer or approver"
        assert desk.may("kyc.manage_case") == "compliance officer"
