"""Proposed by one person, confirmed by another, under the locks of equation and gates."""

from datetime import date, timedelta
from decimal import Decimal

import pytest

from issuer.approvals import selectors as approvals
from issuer.approvals.errors import PersonRequired, ProposalChanged, ProposalOpen, SamePerson
from issuer.approvals.models import Approval, Proposal
from issuer.approvals.states import ProposalState
from issuer.foundation.actors import Actor
from issuer.foundation.errors import DomainError, IllegalTransition
from issuer.gate.errors import GateClosed
from issuer.gate.models import ScopeKind
from issuer.kyc.errors import KycNotCleared
from issuer.kyc.models import Case
from issuer.parties import services as parties
from issuer.parties.errors import WalletNotBound
from issuer.people.actors import actor_of
from issuer.primary_market import errors, services
from issuer.primary_market.models import IssuanceRequest
from issuer.primary_market.payload import APPROVE_ISSUANCE, approval_payload
from issuer.primary_market.states import IssuanceState
from issuer.reserves import selectors as reserves
from issuer.reserves.errors import CoverUnknown, SharesNotFree
from tests.make import chain, custody, gate, people, primary_market
from tests.make.primary_market import AT, Market
from tests.primary_market.assertions import assert_still, holds_of, last_step
from tests.primary_market.test_services_issuance import split, subject_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def funded(market: Market) -> IssuanceRequest:
    return primary_market.issuance(market, state=IssuanceState.FUNDED)


@pytest.fixture
def proposed(funded: IssuanceRequest, staff: Actor) -> IssuanceRequest:
    services.propose_approval(funded.pk, actor=staff, at=AT)
    return funded


class TestProposeApproval:
    def test_binds_the_proposal_to_everything_that_would_be_minted(
        self, funded: IssuanceRequest, staff: Actor
    ) -> None:
        proposal = services.propose_approval(funded.pk, actor=staff, at=AT)

        assert proposal.state == ProposalState.OPEN
        assert proposal.payload == {
            "action": "issuance.approve",
            "request": str(funded.pk),
            "participant": funded.participant.entity.lei,
            "token": funded.token.symbol,
            "token_isin": funded.token.isin,
            "deployment": funded.deployment.caip10,
            "wallet": f"eip155:{funded.wallet.address}",
            "quantity": "600",
            "multiplier": "1",
            "shares": "600",
            "settlement_instruction": str(funded.instruction_id),
        }
        assert_still(funded, IssuanceState.FUNDED)

    @pytest.mark.parametrize(
        "state",
        [IssuanceState.REQUESTED, IssuanceState.ACCEPTED, IssuanceState.APPROVED],
    )
    def test_refuses_what_is_not_funded(
        self, market: Market, staff: Actor, state: IssuanceState
    ) -> None:
        request = primary_market.issuance(market, state=state)

        with pytest.raises(IllegalTransition):
            services.propose_approval(request.pk, actor=staff, at=AT)

        assert approvals.open_proposal(request, APPROVE_ISSUANCE) is None

    def test_refuses_a_second_proposal(self, proposed: IssuanceRequest, approver: Actor) -> None:
        with pytest.raises(ProposalOpen):
            services.propose_approval(proposed.pk, actor=approver, at=AT)

        assert Proposal.objects.count() == 1

    def test_refuses_the_house_itself(self, funded: IssuanceRequest, system: Actor) -> None:
        with pytest.raises(PersonRequired):
            services.propose_approval(funded.pk, actor=system, at=AT)

        assert not Proposal.objects.exists()

    def test_refuses_once_kyc_is_over(self, funded: IssuanceRequest, staff: Actor) -> None:
        Case.objects.update(valid_until=date(2026, 11, 19))

        with pytest.raises(KycNotCleared):
            services.propose_approval(funded.pk, actor=staff, at=AT)

        assert not Proposal.objects.exists()


class TestConfirmApproval:
    def test_approves_and_holds_the_shares(
        self, proposed: IssuanceRequest, approver: Actor
    ) -> None:
        primary_market.confirm(proposed, actor=approver)

        assert last_step(proposed) == ("APPROVE", "FUNDED", "APPROVED", str(approver))
        assert Approval.objects.get().approver_id == approver.person
        hold = reserves.active_hold(proposed.pk)
        assert hold is not None
        assert hold.quantity == 600
        assert reserves.cover_of(proposed.token, at=AT).free_for_approval == 0

    def test_refuses_the_person_who_proposed(self, proposed: IssuanceRequest, staff: Actor) -> None:
        with pytest.raises(SamePerson):
            primary_market.confirm(proposed, actor=staff)

        assert_not_approved(proposed)

    def test_refuses_that_person_by_another_login(self, funded: IssuanceRequest) -> None:
        first = people.user()
        second = people.user(person=first.person)
        services.propose_approval(funded.pk, actor=actor_of(first), at=AT)

        with pytest.raises(SamePerson):
            primary_market.confirm(funded, actor=actor_of(second))

        assert_not_approved(funded)

    def test_refuses_the_house_itself(self, proposed: IssuanceRequest, system: Actor) -> None:
        with pytest.raises(PersonRequired):
            primary_market.confirm(proposed, actor=system)

        assert_not_approved(proposed)

    def test_refuses_what_nobody_proposed(self, funded: IssuanceRequest, approver: Actor) -> None:
        with pytest.raises(errors.NotProposed):
            services.confirm_approval(funded.pk, payload_hash="0" * 64, actor=approver, at=AT)

        assert_not_approved(funded)

    def test_refuses_whoever_saw_something_else(
        self, proposed: IssuanceRequest, approver: Actor
    ) -> None:
        with pytest.raises(ProposalChanged):
            services.confirm_approval(proposed.pk, payload_hash="0" * 64, actor=approver, at=AT)

        assert_not_approved(proposed)

    def test_refuses_a_payload_that_is_not_the_one_proposed(
        self, proposed: IssuanceRequest, approver: Actor
    ) -> None:
        proposed.token.symbol = "OTHERx"
        proposed.token.save()
        assert approval_payload(proposed)["token"] == "OTHERx"

        with pytest.raises(ProposalChanged):
            primary_market.confirm(proposed, actor=approver)

        assert_not_approved(proposed)

    @pytest.mark.parametrize("kind", list(ScopeKind))
    def test_refuses_while_a_gate_is_shut(
        self, market: Market, proposed: IssuanceRequest, approver: Actor, kind: ScopeKind
    ) -> None:
        gate.hold(kind, subject_of(kind, market))

        with pytest.raises(GateClosed):
            primary_market.confirm(proposed, actor=approver)

        assert_not_approved(proposed)

    def test_refuses_once_kyc_is_over(self, proposed: IssuanceRequest, approver: Actor) -> None:
        Case.objects.update(valid_until=date(2026, 11, 19))

        assert_refused(proposed, approver, KycNotCleared)

    def test_refuses_once_the_wallet_is_revoked(
        self, proposed: IssuanceRequest, staff: Actor, approver: Actor
    ) -> None:
        parties.revoke_wallet(proposed.wallet, reason="Key lost.", actor=staff, at=AT)

        assert_refused(proposed, approver, WalletNotBound)

    def test_refuses_while_issuance_is_suspended(
        self, proposed: IssuanceRequest, approver: Actor
    ) -> None:
        proposed.token.issuance_open = False
        proposed.token.save()

        assert_refused(proposed, approver, errors.IssuanceClosed)

    def test_refuses_after_a_split(
        self, market: Market, proposed: IssuanceRequest, approver: Actor
    ) -> None:
        split(market, Decimal(4), at=AT - timedelta(hours=1))

        assert_refused(proposed, approver, errors.MultiplierChanged)

    def test_refuses_while_the_chain_is_not_known(
        self, proposed: IssuanceRequest, approver: Actor
    ) -> None:
        chain.trouble(proposed.deployment.network)

        assert_refused(proposed, approver, CoverUnknown)

    def test_refuses_shares_that_are_lent(
        self, market: Market, proposed: IssuanceRequest, approver: Actor
    ) -> None:
        later = AT + timedelta(days=3)
        custody.statement(
            market.account.custodian,
            [custody.line(market.account, Decimal(600), lent=Decimal(1))],
            at=later,
        )
        chain.snapshot(market.deployment, block_number=10**6, taken_at=later)

        with pytest.raises(SharesNotFree) as refused:
            primary_market.confirm(proposed, actor=approver, at=later)

        assert refused.value.facts == {"free": "599", "needed": "600"}
        assert_not_approved(proposed)


class TestDeclineApproval:
    def test_closes_the_proposal_and_leaves_the_request_funded(
        self, proposed: IssuanceRequest, approver: Actor
    ) -> None:
        services.decline_approval(proposed.pk, reason="Ask again.", actor=approver, at=AT)

        assert Proposal.objects.get().state == ProposalState.DECLINED
        assert_still(proposed, IssuanceState.FUNDED)

    def test_refuses_what_nobody_proposed(self, funded: IssuanceRequest, approver: Actor) -> None:
        with pytest.raises(errors.NotProposed):
            services.decline_approval(funded.pk, reason="Nothing.", actor=approver, at=AT)


class TestWithdrawApproval:
    def test_lets_the_shares_go_and_can_be_proposed_again(
        self, market: Market, staff: Actor
    ) -> None:
        request = primary_market.issuance(market, state=IssuanceState.APPROVED)

        services.withdraw_approval(request.pk, reason="Looked again.", actor=staff, at=AT)

        request.refresh_from_db()
        assert (request.state, request.reason) == (IssuanceState.FUNDED, "Looked again.")
        assert holds_of(request) == ["RELEASED"]
        primary_market.approve(request)
        assert holds_of(request) == ["RELEASED", "ACTIVE"]

    def test_refuses_once_the_mint_is_signed(self, market: Market, staff: Actor) -> None:
        request = primary_market.issuance(market, state=IssuanceState.MINTING)

        with pytest.raises(IllegalTransition):
            services.withdraw_approval(request.pk, reason="Too late.", actor=staff, at=AT)

        assert_still(request, IssuanceState.MINTING)
        assert holds_of(request) == ["ACTIVE"]


def assert_refused(proposed: IssuanceRequest, approver: Actor, refusal: type[DomainError]) -> None:
    with pytest.raises(refusal):
        primary_market.confirm(proposed, actor=approver)
    assert_not_approved(proposed)


def assert_not_approved(request: IssuanceRequest) -> None:
    assert_still(request, IssuanceState.FUNDED)
    assert not Approval.objects.exists()
    assert holds_of(request) == []
