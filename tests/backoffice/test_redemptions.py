from datetime import datetime
from decimal import Decimal

import pytest
from django.test import Client

from issuer.approvals import selectors as approvals
from issuer.approvals.models import Approval, Proposal
from issuer.approvals.states import ProposalState
from issuer.audit.models import AuditEvent
from issuer.chain.states import IntentState
from issuer.gate.models import GateState, ScopeKind
from issuer.people.roles import Role
from issuer.primary_market.models import RedemptionRequest
from issuer.primary_market.payload import APPROVE_REDEMPTION
from issuer.primary_market.states import RedemptionState
from tests.backoffice.clients import client_of, text_of
from tests.make import gate, people, redemptions

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("market_clock")]

REASON = {"reason": "A reason of ours."}


def address(redemption: RedemptionRequest, act: str = "change") -> str:
    return f"/admin/primary_market/redemptionrequest/{redemption.pk}/{act}/"


@pytest.fixture
def officer() -> Client:
    return client_of(people.user(Role.OPERATIONS_OFFICER))


@pytest.fixture
def approver() -> Client:
    return client_of(people.user(Role.APPROVER))


class TestPage:
    @pytest.mark.parametrize("state", list(RedemptionState))
    def test_shows_a_request_in_every_state(self, officer: Client, state: RedemptionState) -> None:
        redemption = redemptions.redemption(state=state)

        page = text_of(officer, address(redemption))

        assert redemption.client_reference in page
        assert state.label in page

    def test_shows_each_deposit_with_its_transaction_and_what_it_counts(
        self, officer: Client
    ) -> None:
        market = redemptions.market()
        redemption = redemptions.redemption(
            market, state=RedemptionState.AWAITING_TOKENS, quantity=Decimal(100)
        )
        first = redemptions.receive(redemption)
        surplus = redemptions.deposit(market, Decimal(10))

        page = text_of(officer, address(redemption))

        assert first.transfer.transaction_hash in page
        assert surplus.transfer.transaction_hash not in page
        assert f"/admin/primary_market/deposit/{first.pk}/change/" in page
        assert redemption.deposit_address in page

    def test_says_what_is_missing_before_the_tokens_come(self, officer: Client) -> None:
        redemption = redemptions.redemption(state=RedemptionState.AWAITING_TOKENS)

        page = text_of(officer, address(redemption))

        assert "None yet. Tokens count once the block they came in is final." in page
        assert "Not instructed yet." in page
        assert "Nothing has been signed yet." in page
        assert "<strong>Participant</strong>" in page

    def test_shows_cover_before_and_after(self, officer: Client) -> None:
        redemption = redemptions.redemption(state=RedemptionState.RECEIVED)

        page = text_of(officer, address(redemption))

        assert "After the delivery" in page
        assert "Burned, not delivered" in page

    def test_shows_how_far_the_burn_and_the_delivery_are(self, officer: Client) -> None:
        redemption = redemptions.redemption(state=RedemptionState.COMPLETED)
        assert redemption.burn_intent is not None
        assert redemption.instruction is not None
        assert redemption.instruction.evidence is not None

        page = text_of(officer, address(redemption))

        assert redemption.burn_intent.attempts.get().transaction_hash in page
        assert page.count('<li class="done"') == 5
        assert f"/admin/custody/settlementinstruction/{redemption.instruction.pk}/change/" in page
        assert redemption.instruction.evidence.sha256 in page
        assert "What you can do" not in page

    def test_says_why_a_burn_failed(self, officer: Client) -> None:
        redemption = redemptions.redemption(state=RedemptionState.BURNING)
        redemptions.fail(redemption.burn_intent, IntentState.REVERTED)

        page = text_of(officer, address(redemption))

        assert '<li class="failed">✕ Reverted by the contract' in page

    def test_says_which_gate_is_halted(self, officer: Client, approver: Client) -> None:
        redemption = redemptions.redemption(state=RedemptionState.RECEIVED)
        officer.post(address(redemption, "propose"))
        gate.hold(ScopeKind.TOKEN, redemption.token_id)

        page = text_of(approver, address(redemption))

        assert 'disabled aria-describedby="why-confirm"' in page

    @pytest.mark.parametrize(
        ("state", "act"),
        [(RedemptionState.REQUESTED, "accept"), (RedemptionState.RECEIVED, "propose")],
    )
    def test_disables_what_a_halt_keeps_from_being_done(
        self, officer: Client, state: RedemptionState, act: str
    ) -> None:
        redemption = redemptions.redemption(state=state)
        gate.hold(ScopeKind.TOKEN, redemption.token_id, effect=GateState.REDEEM_ONLY)
        assert f'aria-describedby="why-{act}"' not in text_of(officer, address(redemption))
        gate.hold(ScopeKind.TOKEN, redemption.token_id)

        page = text_of(officer, address(redemption))

        assert f'disabled aria-describedby="why-{act}"' in page
        assert "Halted: The books and the chain differ." in page

    def test_can_be_confirmed_while_only_redeeming_goes_on(
        self, officer: Client, approver: Client
    ) -> None:
        redemption = redemptions.redemption(state=RedemptionState.RECEIVED)
        officer.post(address(redemption, "propose"))
        gate.hold(ScopeKind.TOKEN, redemption.token_id, effect=GateState.REDEEM_ONLY)

        page = text_of(approver, address(redemption))

        assert f'action="{address(redemption, "confirm")}"' in page

    def test_shows_what_is_signed_beside_the_button(
        self, officer: Client, approver: Client
    ) -> None:
        redemption = redemptions.redemption(state=RedemptionState.RECEIVED)
        officer.post(address(redemption, "propose"))
        proposal = Proposal.objects.get(subject_id=redemption.pk)
        deposit = redemption.deposits.get()

        page = text_of(approver, address(redemption))

        assert f"<dt>SHA-256</dt><dd><code>{proposal.payload_hash}</code></dd>" in page
        assert f'name="payload_hash" value="{proposal.payload_hash}"' in page
        assert f"transaction {deposit.transfer.transaction_hash}/" in page

    def test_offers_an_auditor_nothing(self) -> None:
        redemption = redemptions.redemption(state=RedemptionState.RECEIVED)

        page = text_of(client_of(people.user(Role.AUDITOR)), address(redemption))

        assert "What you can do" not in page
        assert "<button disabled" not in page

    def test_is_for_staff_only(self) -> None:
        redemption = redemptions.redemption()

        assert Client().get(address(redemption)).status_code == 302
        assert client_of(people.user()).get(address(redemption)).status_code == 403


class TestTake:
    def test_accepts(self, officer: Client) -> None:
        redemption = redemptions.redemption()

        answer = officer.post(
            address(redemption, "accept"), {"receiving_party": "Kepler's broker"}, follow=True
        )

        redemption.refresh_from_db()
        assert redemption.state == RedemptionState.AWAITING_TOKENS
        assert redemption.receiving_party == "Kepler's broker"
        assert b"Accept: done." in answer.content

    def test_takes_two_persons_to_approve(self, officer: Client, approver: Client) -> None:
        redemption = redemptions.redemption(state=RedemptionState.RECEIVED)

        officer.post(address(redemption, "propose"))
        proposal = approvals.open_proposal(redemption, APPROVE_REDEMPTION)
        assert proposal is not None
        approver.post(address(redemption, "confirm"), {"payload_hash": proposal.payload_hash})

        redemption.refresh_from_db()
        assert redemption.state == RedemptionState.APPROVED

    def test_refuses_the_proposer_and_says_so(self, at: datetime) -> None:
        redemption = redemptions.redemption(state=RedemptionState.RECEIVED)
        client = client_of(people.user(Role.APPROVER))
        client.post(address(redemption, "propose"))
        proposal = Proposal.objects.get(subject_id=redemption.pk)
        approved = Approval.objects.count()

        answer = client.post(
            address(redemption, "confirm"), {"payload_hash": proposal.payload_hash}, follow=True
        )

        assert b"Refused (same-person): You proposed this" in answer.content
        redemption.refresh_from_db()
        assert redemption.state == RedemptionState.RECEIVED
        assert Approval.objects.count() == approved

    def test_declines(self, officer: Client, approver: Client) -> None:
        redemption = redemptions.redemption(state=RedemptionState.RECEIVED)
        officer.post(address(redemption, "propose"))

        approver.post(address(redemption, "decline"), REASON)

        proposal = Proposal.objects.get(subject_id=redemption.pk)
        assert (proposal.state, proposal.reason) == (ProposalState.DECLINED, REASON["reason"])

    @pytest.mark.parametrize(
        ("state", "act", "role", "outcome"),
        [
            ("REQUESTED", "reject", Role.OPERATIONS_OFFICER, "REJECTED"),
            ("APPROVED", "withdraw", Role.APPROVER, "RECEIVED"),
            ("AWAITING_TOKENS", "freeze", Role.COMPLIANCE_OFFICER, "FROZEN"),
            ("RECEIVED", "freeze", Role.COMPLIANCE_OFFICER, "QUARANTINED"),
            ("QUARANTINED", "unfreeze", Role.COMPLIANCE_OFFICER, "RECEIVED"),
        ],
    )
    def test_takes_each_act_for_its_role_with_a_reason(
        self, state: str, act: str, role: Role, outcome: str
    ) -> None:
        redemption = redemptions.redemption(state=RedemptionState(state))

        client_of(people.user(role)).post(address(redemption, act), REASON)

        redemption.refresh_from_db()
        assert redemption.state == outcome

    @pytest.mark.parametrize(
        "act",
        ["accept", "reject", "propose", "confirm", "decline", "withdraw", "freeze", "unfreeze"],
    )
    def test_refuses_an_auditor_everything(self, act: str) -> None:
        redemption = redemptions.redemption()
        auditor = client_of(people.user(Role.AUDITOR))
        events = AuditEvent.objects.count()

        answer = auditor.post(address(redemption, act), REASON)

        assert answer.status_code == 403
        assert AuditEvent.objects.count() == events

    def test_knows_no_other_act_and_no_link_that_acts(self, officer: Client) -> None:
        redemption = redemptions.redemption()

        assert officer.post(address(redemption, "burn")).status_code == 404
        assert officer.get(address(redemption, "accept")).status_code == 405
