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
from issuer.people.models import User
from issuer.people.roles import Role
from issuer.primary_market.models import IssuanceRequest
from issuer.primary_market.payload import APPROVE_ISSUANCE
from issuer.primary_market.states import IssuanceState
from issuer.reserves.models import ShareHold
from tests.backoffice.clients import client_of, text_of
from tests.make import gate, people, primary_market, redemptions

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("market_clock")]

REASON = {"reason": "A reason of ours."}


def address(issuance: IssuanceRequest, act: str = "change") -> str:
    return f"/admin/primary_market/issuancerequest/{issuance.pk}/{act}/"


@pytest.fixture
def officer() -> Client:
    return client_of(people.user(Role.OPERATIONS_OFFICER))


@pytest.fixture
def approver() -> Client:
    return client_of(people.user(Role.APPROVER))


@pytest.fixture
def compliance() -> Client:
    return client_of(people.user(Role.COMPLIANCE_OFFICER))


class TestPage:
    @pytest.mark.parametrize("state", list(IssuanceState))
    def test_shows_a_request_in_every_state(self, officer: Client, state: IssuanceState) -> None:
        issuance = primary_market.issuance(state=state)

        page = text_of(officer, address(issuance))

        assert issuance.client_reference in page
        assert state.label in page

    def test_tells_who_did_what_and_from_what_evidence(self, officer: Client, at: datetime) -> None:
        issuance = primary_market.issuance(state=IssuanceState.FUNDED)
        assert issuance.instruction is not None
        assert issuance.instruction.evidence is not None

        page = text_of(officer, address(issuance))

        assert "<strong>Receipt of shares settled</strong>" in page
        assert issuance.instruction.evidence.sha256 in page
        accepted = issuance.transitions.get(step="ACCEPT")
        assert User.objects.get(person=accepted.person_id).person.name in page

    def test_shows_cover_before_and_after(self, officer: Client, at: datetime) -> None:
        market = primary_market.market(own_shares=Decimal(2))
        issuance = primary_market.issuance(market, state=IssuanceState.FUNDED)

        page = text_of(officer, address(issuance))

        assert "After the mint" in page
        assert "No shares are held for this request yet" in page
        assert "<strong>Issuer</strong> <span>An officer proposes it for approval.</span>" in page

    def test_shows_the_shares_held_and_how_far_the_mint_is(self, officer: Client) -> None:
        issuance = primary_market.issuance(state=IssuanceState.COMPLETED)
        assert issuance.mint_intent is not None

        page = text_of(officer, address(issuance))

        assert "consumed by a mint" in page
        assert issuance.mint_intent.attempts.get().transaction_hash in page
        assert page.count('<li class="done"') == 5
        assert "What you can do" not in page

    def test_says_why_a_mint_failed(self, officer: Client) -> None:
        issuance = primary_market.issuance(state=IssuanceState.MINTING)
        primary_market.fail(issuance, IntentState.REVERTED)

        page = text_of(officer, address(issuance))

        assert '<li class="failed">✕ Reverted by the contract' in page
        assert "The chain did not carry it out." in page

    def test_disables_what_another_role_does_and_says_which(self, compliance: Client) -> None:
        issuance = primary_market.issuance()

        page = text_of(compliance, address(issuance))

        assert 'disabled aria-describedby="why-accept">Accept</button>' in page
        assert "This takes the role of operations officer." in page
        assert f'action="{address(issuance, "freeze")}"' in page

    def test_says_why_the_proposer_cannot_confirm(self, at: datetime) -> None:
        issuance = primary_market.issuance(state=IssuanceState.FUNDED)
        client = client_of(people.user(Role.APPROVER))
        client.post(address(issuance, "propose"))

        page = text_of(client, address(issuance))

        assert 'disabled aria-describedby="why-confirm"' in page
        assert "You proposed this; another person has to confirm it." in page

    def test_says_which_gate_is_shut(self, officer: Client, approver: Client) -> None:
        issuance = primary_market.issuance(state=IssuanceState.FUNDED)
        officer.post(address(issuance, "propose"))
        gate.hold(ScopeKind.TOKEN, issuance.token_id)

        page = text_of(approver, address(issuance))

        assert 'disabled aria-describedby="why-confirm"' in page
        assert "Halted: The books and the chain differ." in page

    @pytest.mark.parametrize(
        ("state", "act"),
        [(IssuanceState.REQUESTED, "accept"), (IssuanceState.FUNDED, "propose")],
    )
    @pytest.mark.parametrize("effect", [GateState.REDEEM_ONLY, GateState.HALTED])
    def test_disables_what_the_gate_keeps_from_being_done(
        self, officer: Client, state: IssuanceState, act: str, effect: GateState
    ) -> None:
        issuance = primary_market.issuance(state=state)
        assert f'aria-describedby="why-{act}"' not in text_of(officer, address(issuance))
        gate.hold(ScopeKind.NETWORK, issuance.deployment.network_id, effect=effect)

        page = text_of(officer, address(issuance))

        assert f'disabled aria-describedby="why-{act}"' in page
        assert f"{effect.label}: The books and the chain differ." in page

    def test_disables_acceptance_while_the_participant_is_not_cleared(
        self, officer: Client
    ) -> None:
        issuance = primary_market.issuance()
        redemptions.lapse()

        page = text_of(officer, address(issuance))

        assert 'disabled aria-describedby="why-accept"' in page

    def test_shows_what_is_signed_beside_the_button(
        self, officer: Client, approver: Client
    ) -> None:
        issuance = primary_market.issuance(state=IssuanceState.FUNDED)
        officer.post(address(issuance, "propose"))
        proposal = Proposal.objects.get()

        page = text_of(approver, address(issuance))

        assert f"<dt>SHA-256</dt><dd><code>{proposal.payload_hash}</code></dd>" in page
        assert f'name="payload_hash" value="{proposal.payload_hash}"' in page
        assert f"<dt>wallet</dt><dd>{issuance.wallet}</dd>" in page

    def test_is_for_staff_only(self) -> None:
        issuance = primary_market.issuance()

        assert Client().get(address(issuance)).status_code == 302
        assert client_of(people.user()).get(address(issuance)).status_code == 403


class TestTake:
    def test_accepts(self, officer: Client, at: datetime) -> None:
        issuance = primary_market.issuance()

        answer = officer.post(
            address(issuance, "accept"),
            {"delivering_party": "Kepler's broker", "trade_date": at.date()},
            follow=True,
        )

        issuance.refresh_from_db()
        assert issuance.state == IssuanceState.ACCEPTED
        assert issuance.instruction is not None
        assert issuance.instruction.counterparty == "Kepler's broker"
        assert b"Accept: done." in answer.content

    def test_says_what_was_not_filled_in_and_writes_nothing(self, officer: Client) -> None:
        issuance = primary_market.issuance()
        events = AuditEvent.objects.count()

        answer = officer.post(address(issuance, "accept"), {"trade_date": "soon"}, follow=True)

        assert b"Delivering party: This field is required." in answer.content
        assert b"Trade date: Enter a valid date." in answer.content
        assert AuditEvent.objects.count() == events

    def test_takes_two_persons_to_approve(self, officer: Client, approver: Client) -> None:
        issuance = primary_market.issuance(state=IssuanceState.FUNDED)

        officer.post(address(issuance, "propose"))
        proposal = approvals.open_proposal(issuance, APPROVE_ISSUANCE)
        assert proposal is not None
        approver.post(address(issuance, "confirm"), {"payload_hash": proposal.payload_hash})

        issuance.refresh_from_db()
        assert issuance.state == IssuanceState.APPROVED
        assert Approval.objects.get().proposal_id == proposal.pk
        assert ShareHold.objects.get().quantity == issuance.shares

    def test_refuses_the_proposer_and_says_so(self, at: datetime) -> None:
        issuance = primary_market.issuance(state=IssuanceState.FUNDED)
        client = client_of(people.user(Role.APPROVER))
        client.post(address(issuance, "propose"))
        proposal = Proposal.objects.get()

        answer = client.post(
            address(issuance, "confirm"), {"payload_hash": proposal.payload_hash}, follow=True
        )

        assert b"Refused (same-person): You proposed this" in answer.content
        issuance.refresh_from_db()
        assert issuance.state == IssuanceState.FUNDED
        assert not Approval.objects.exists()
        assert not ShareHold.objects.exists()

    def test_refuses_what_the_officer_did_not_see(self, officer: Client, approver: Client) -> None:
        issuance = primary_market.issuance(state=IssuanceState.FUNDED)
        officer.post(address(issuance, "propose"))

        answer = approver.post(
            address(issuance, "confirm"), {"payload_hash": "0" * 64}, follow=True
        )

        assert b"Refused (proposal-changed)" in answer.content
        assert not Approval.objects.exists()

    def test_declines(self, officer: Client, approver: Client) -> None:
        issuance = primary_market.issuance(state=IssuanceState.FUNDED)
        officer.post(address(issuance, "propose"))

        approver.post(address(issuance, "decline"), REASON)

        proposal = Proposal.objects.get()
        assert (proposal.state, proposal.reason) == (ProposalState.DECLINED, REASON["reason"])

    @pytest.mark.parametrize(
        ("state", "act", "role", "outcome"),
        [
            (IssuanceState.REQUESTED, "reject", Role.OPERATIONS_OFFICER, IssuanceState.REJECTED),
            (IssuanceState.APPROVED, "withdraw", Role.APPROVER, IssuanceState.FUNDED),
            (IssuanceState.FUNDED, "freeze", Role.COMPLIANCE_OFFICER, IssuanceState.FROZEN),
            (IssuanceState.FROZEN, "unfreeze", Role.COMPLIANCE_OFFICER, IssuanceState.REQUESTED),
        ],
    )
    def test_takes_each_act_for_its_role_with_a_reason(
        self, state: IssuanceState, act: str, role: Role, outcome: IssuanceState
    ) -> None:
        issuance = primary_market.issuance(state=state)

        client_of(people.user(role)).post(address(issuance, act), REASON)

        issuance.refresh_from_db()
        assert issuance.state == outcome

    @pytest.mark.parametrize(
        "act", ["accept", "reject", "propose", "confirm", "decline", "withdraw", "freeze"]
    )
    def test_refuses_an_auditor_everything(self, act: str) -> None:
        issuance = primary_market.issuance()
        events = AuditEvent.objects.count()
        auditor = client_of(people.user(Role.AUDITOR))
        made = AuditEvent.objects.count()

        answer = auditor.post(address(issuance, act), REASON)

        assert answer.status_code == 403
        assert AuditEvent.objects.count() == made > events

    def test_knows_no_other_act_and_no_link_that_acts(self, officer: Client) -> None:
        issuance = primary_market.issuance()

        assert officer.post(address(issuance, "mint")).status_code == 404
        assert officer.get(address(issuance, "accept")).status_code == 405
