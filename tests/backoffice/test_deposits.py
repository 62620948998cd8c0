from decimal import Decimal

import pytest
from django.test import Client

from issuer.approvals.models import Proposal
from issuer.audit.models import AuditEvent
from issuer.gate.models import GateState, ScopeKind
from issuer.people.roles import Role
from issuer.primary_market.models import Deposit
from issuer.primary_market.states import DepositState, RedemptionState, ReturnState
from tests.backoffice.clients import client_of, text_of
from tests.make import gate, people, redemptions

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("market_clock")]

QUEUE = "/admin/primary_market/deposit/"
REASON = {"reason": "Nobody asked for it."}


def address(deposit: Deposit, act: str = "change") -> str:
    return f"{QUEUE}{deposit.pk}/{act}/"


def unknown(quantity: str = "5") -> Deposit:
    """Return a deposit from a wallet that nobody has bound."""
    return redemptions.deposit(
        redemptions.market(), Decimal(quantity), sender=redemptions.stranger()
    )


@pytest.fixture
def officer() -> Client:
    return client_of(people.user(Role.OPERATIONS_OFFICER))


@pytest.fixture
def approver() -> Client:
    return client_of(people.user(Role.APPROVER))


class TestQueue:
    def test_says_of_each_that_waits_why_and_from_whom(self, officer: Client) -> None:
        deposit = unknown()

        page = text_of(officer, QUEUE)

        assert "Waits for a person (1)" in page
        assert deposit.get_cause_display() in page
        assert deposit.transfer.sender in page
        assert deposit.transfer.transaction_hash in page
        assert "bound by nobody" in page
        assert address(deposit) in page

    def test_names_the_participant_whose_wallet_it_came_from(self, officer: Client) -> None:
        market = redemptions.market()
        redemptions.deposit(market, Decimal(5))

        page = text_of(officer, QUEUE)

        assert f"{market.participant}, bound" in page

    def test_keeps_what_counts_for_a_redemption_apart(self, officer: Client) -> None:
        redemption = redemptions.redemption(state=RedemptionState.RECEIVED)

        page = text_of(officer, QUEUE)

        assert "Waits for a person (0)" in page
        assert "All others (1)" in page
        assert f"for {redemption.client_reference}" in page

    def test_says_what_would_be_here(self, officer: Client) -> None:
        page = text_of(officer, QUEUE)

        assert "Nothing waits." in page
        assert "No tokens have come yet." in page

    def test_is_for_staff_only(self) -> None:
        assert Client().get(QUEUE).status_code == 302
        assert client_of(people.user()).get(QUEUE).status_code == 403


class TestPage:
    def test_shows_the_transfer_and_why_it_waits(self, officer: Client) -> None:
        deposit = unknown()

        page = text_of(officer, address(deposit))

        assert f"<strong>{deposit.get_cause_display()}</strong>" in page
        assert deposit.transfer.transaction_hash in page
        assert deposit.transfer.recipient in page
        assert "no redemption" in page

    @pytest.mark.parametrize("state", list(ReturnState))
    def test_shows_a_return_in_every_state(self, officer: Client, state: ReturnState) -> None:
        deposit = unknown()
        redemptions.a_return(deposit, state=state)

        page = text_of(officer, address(deposit))

        assert state.label in page
        assert "Not asked for." in page

    def test_says_that_no_redemption_of_the_sender_waits(self, officer: Client) -> None:
        page = text_of(officer, address(unknown()))

        assert 'disabled aria-describedby="why-assign"' in page
        assert "No redemption of the sender waits for this token on this network." in page

    def test_offers_the_redemptions_of_the_sender_alone(self, officer: Client) -> None:
        market = redemptions.market()
        for quantity in (40, 50):
            redemptions.redemption(
                market, state=RedemptionState.AWAITING_TOKENS, quantity=Decimal(quantity)
            )
        other = redemptions.redemption(state=RedemptionState.AWAITING_TOKENS)
        deposit = redemptions.deposit(market, Decimal(5))

        page = text_of(officer, address(deposit))

        assert page.count("<option") == 3
        assert other.client_reference not in page

    @pytest.mark.parametrize("act", ["return", "confirm"])
    def test_disables_a_return_under_a_halt(
        self, officer: Client, approver: Client, act: str
    ) -> None:
        deposit = unknown()
        if act == "confirm":
            officer.post(address(deposit, "return"), REASON)
        token_id = deposit.transfer.deployment.token_id
        gate.hold(ScopeKind.TOKEN, token_id, effect=GateState.REDEEM_ONLY)
        assert f'aria-describedby="why-{act}"' not in text_of(approver, address(deposit))
        gate.hold(ScopeKind.TOKEN, token_id)

        page = text_of(approver, address(deposit))

        assert f'disabled aria-describedby="why-{act}"' in page
        assert "Halted: The books and the chain differ." in page

    def test_offers_an_auditor_nothing(self) -> None:
        page = text_of(client_of(people.user(Role.AUDITOR)), address(unknown()))

        assert "What you can do" not in page


class TestTake:
    def test_assigns(self, officer: Client) -> None:
        market = redemptions.market()
        first, second = (
            redemptions.redemption(
                market, state=RedemptionState.AWAITING_TOKENS, quantity=Decimal(quantity)
            )
            for quantity in (40, 50)
        )
        deposit = redemptions.deposit(market, Decimal(5))

        officer.post(address(deposit, "assign"), {"redemption": str(second.pk)})

        deposit.refresh_from_db()
        second.refresh_from_db()
        first.refresh_from_db()
        assert (deposit.state, deposit.redemption) == (DepositState.MATCHED, second)
        assert (first.received, second.received) == (Decimal(0), Decimal(5))

    def test_returns_by_two_persons(self, officer: Client, approver: Client) -> None:
        deposit = unknown()

        officer.post(address(deposit, "return"), REASON)
        proposal = Proposal.objects.get(subject_id=deposit.returns.get().pk)
        page = text_of(approver, address(deposit))
        assert f"<dt>SHA-256</dt><dd><code>{proposal.payload_hash}</code></dd>" in page
        approver.post(address(deposit, "confirm"), {"payload_hash": proposal.payload_hash})

        deposit.refresh_from_db()
        assert deposit.state == DepositState.RETURNING
        assert deposit.returns.get().state == ReturnState.APPROVED

    def test_refuses_the_proposer(self, approver: Client) -> None:
        deposit = unknown()
        approver.post(address(deposit, "return"), REASON)
        proposal = Proposal.objects.get(subject_id=deposit.returns.get().pk)

        page = text_of(approver, address(deposit))
        answer = approver.post(
            address(deposit, "confirm"), {"payload_hash": proposal.payload_hash}, follow=True
        )

        assert 'disabled aria-describedby="why-confirm"' in page
        assert b"Refused (same-person)" in answer.content
        assert deposit.returns.get().state == ReturnState.PROPOSED

    def test_declines_a_return(self, officer: Client, approver: Client) -> None:
        deposit = unknown()
        officer.post(address(deposit, "return"), REASON)

        approver.post(address(deposit, "decline"), REASON)

        assert deposit.returns.get().state == ReturnState.DECLINED

    def test_finds_no_return_to_confirm(self, approver: Client) -> None:
        deposit = unknown()

        assert approver.post(address(deposit, "decline"), REASON).status_code == 404

    def test_clears_a_quarantine(self) -> None:
        market = redemptions.market()
        redemptions.lapse()
        deposit = redemptions.deposit(market, Decimal(5))
        assert deposit.state == DepositState.QUARANTINED
        redemptions.renew()

        compliance = client_of(people.user(Role.COMPLIANCE_OFFICER))
        compliance.post(address(deposit, "clear"), REASON)

        deposit.refresh_from_db()
        assert deposit.state == DepositState.UNMATCHED

    @pytest.mark.parametrize("act", ["assign", "return", "confirm", "decline", "clear"])
    def test_refuses_an_auditor_everything(self, act: str) -> None:
        deposit = unknown()
        auditor = client_of(people.user(Role.AUDITOR))
        events = AuditEvent.objects.count()

        assert auditor.post(address(deposit, act), REASON).status_code == 403
        assert AuditEvent.objects.count() == events
