"""What staff and partners are told of a request."""

from datetime import date, timedelta
from decimal import Decimal

import pytest
from pytest_django import DjangoAssertNumQueries

from issuer.chain.models import TransactionIntent
from issuer.chain.states import IntentState
from issuer.custody import services as custody_services
from issuer.foundation.actors import Actor
from issuer.foundation.identifiers import uuid7
from issuer.gate.models import ScopeKind
from issuer.kyc.models import Case
from issuer.parties import services as parties
from issuer.primary_market import errors, selectors, services
from issuer.primary_market.axes import Business, Custody, OnChain
from issuer.primary_market.models import IssuanceRequest
from issuer.primary_market.selectors import Party
from issuer.primary_market.states import FINAL_STATES, IssuanceState
from tests.make import chain, custody, gate, primary_market
from tests.make.primary_market import AT, Market

pytestmark = pytest.mark.django_db

_S = IssuanceState


def axes(request: IssuanceRequest) -> tuple[Business, Custody, OnChain]:
    found = selectors.axes_of(selectors.issuances().get(pk=request.pk))
    return found.business, found.custody, found.chain


class TestAxesOf:
    @pytest.mark.parametrize(
        ("state", "expected"),
        [
            (_S.REQUESTED, (Business.CREATED, Custody.NONE, OnChain.NONE)),
            (_S.ACCEPTED, (Business.AWAITING_TRANSFER, Custody.PENDING, OnChain.NONE)),
            (_S.FUNDED, (Business.AWAITING_APPROVAL, Custody.SETTLED, OnChain.NONE)),
            (_S.APPROVED, (Business.APPROVED, Custody.SETTLED, OnChain.NONE)),
            (_S.MINTING, (Business.IN_PROGRESS, Custody.SETTLED, OnChain.INTENDED)),
            (_S.COMPLETED, (Business.COMPLETED, Custody.SETTLED, OnChain.FINALIZED)),
            (_S.REJECTED, (Business.REJECTED, Custody.NONE, OnChain.NONE)),
            (_S.CANCELLED, (Business.CANCELLED, Custody.NONE, OnChain.NONE)),
            (_S.EXPIRED, (Business.EXPIRED, Custody.NONE, OnChain.NONE)),
            (_S.FROZEN, (Business.FROZEN, Custody.NONE, OnChain.NONE)),
        ],
    )
    def test_derives_three_sides_of_every_state(
        self, market: Market, state: IssuanceState, expected: tuple[Business, Custody, OnChain]
    ) -> None:
        assert axes(primary_market.issuance(market, state=state)) == expected

    @pytest.mark.parametrize(
        ("intent", "expected"),
        [
            (IntentState.BROADCAST, OnChain.SUBMITTED),
            (IntentState.MINED, OnChain.MINED),
        ],
    )
    def test_follows_the_mint(self, market: Market, intent: IntentState, expected: OnChain) -> None:
        request = primary_market.issuance(market, state=_S.MINTING)
        TransactionIntent.objects.update(state=intent)

        assert axes(request)[2] == expected

    def test_remembers_a_mint_that_failed_until_the_next(
        self, market: Market, system: Actor
    ) -> None:
        request = primary_market.issuance(market, state=_S.MINTING)
        primary_market.fail(request, IntentState.REVERTED)
        services.record_failed_mint(request.pk, actor=system, at=AT)
        assert axes(request) == (Business.APPROVED, Custody.SETTLED, OnChain.REVERTED)

        primary_market.sign(request)

        assert axes(request)[2] == OnChain.INTENDED

    def test_shows_a_delivery_that_is_late_and_one_that_was_called_off(
        self, market: Market, staff: Actor
    ) -> None:
        request = primary_market.issuance(market, state=_S.ACCEPTED)
        assert request.instruction_id is not None
        custody_services.fail_instruction(
            request.instruction_id, reason="It did not come.", actor=staff, at=AT
        )
        assert axes(request)[1] == Custody.FAILED

        custody_services.cancel_instruction(request.instruction_id, actor=staff, at=AT)

        assert axes(request)[1] == Custody.CANCELLED


class TestIssuanceOf:
    def test_shows_nobody_the_request_of_another(self, market: Market) -> None:
        request = primary_market.issuance(market)
        other = primary_market.cleared_participant(market.token.program)

        assert selectors.issuance_of(market.participant, request.pk) == request
        for participant, request_id in ((other, request.pk), (market.participant, uuid7())):
            with pytest.raises(errors.IssuanceMissing):
                selectors.issuance_of(participant, request_id)


class TestRequirements:
    @pytest.mark.parametrize(
        ("state", "code", "party"),
        [
            (_S.REQUESTED, "acceptance", Party.ISSUER),
            (_S.ACCEPTED, "delivery", Party.CUSTODIAN),
            (_S.FUNDED, "proposal", Party.ISSUER),
            (_S.APPROVED, "mint", Party.ISSUER),
            (_S.MINTING, "finality", Party.NETWORK),
            (_S.FROZEN, "release", Party.ISSUER),
        ],
    )
    def test_names_the_one_thing_that_comes_next(
        self, market: Market, state: IssuanceState, code: str, party: Party
    ) -> None:
        request = primary_market.issuance(market, state=state)

        [needed] = selectors.requirements(request, at=AT)

        assert (needed.code, needed.awaiting_action_from) == (code, party)

    @pytest.mark.parametrize("state", sorted(FINAL_STATES))
    def test_what_has_ended_needs_nothing(self, market: Market, state: IssuanceState) -> None:
        request = primary_market.issuance(market, state=state)

        assert selectors.requirements(request, at=AT) == []

    def test_shares_are_the_participants_to_deliver_until_their_day(
        self, market: Market, staff: Actor
    ) -> None:
        request = primary_market.issuance(market)
        services.accept(
            request.pk, delivering_party="Broker AG", trade_date=AT.date(), actor=staff, at=AT
        )
        request.refresh_from_db()

        found = [
            selectors.requirements(request, at=AT + timedelta(days=days))[0] for days in (0, 3, 4)
        ]

        assert [(one.code, one.awaiting_action_from) for one in found] == [
            ("delivery", Party.PARTICIPANT),
            ("delivery", Party.CUSTODIAN),
            ("late-delivery", Party.PARTICIPANT),
        ]
        assert found[0].detail == (
            f"600 shares from Broker AG to account {market.account.reference} at "
            f"{market.account.custodian}, to settle on 2026-11-23."
        )

    def test_shares_that_have_come_wait_for_us(self, market: Market) -> None:
        request = primary_market.issuance(market, state=_S.ACCEPTED)
        primary_market.deliver(request)
        request = selectors.issuances().get(pk=request.pk)

        assert selectors.requirements(request, at=AT)[0].code == "funding"

    def test_a_delivery_that_was_called_off_ends_the_request(
        self, market: Market, staff: Actor
    ) -> None:
        request = primary_market.issuance(market, state=_S.ACCEPTED)
        assert request.instruction_id is not None
        custody_services.cancel_instruction(request.instruction_id, actor=staff, at=AT)
        request = selectors.issuances().get(pk=request.pk)

        assert selectors.requirements(request, at=AT)[0].code == "delivery-cancelled"

    def test_a_proposal_waits_for_a_second_person(self, market: Market, staff: Actor) -> None:
        request = primary_market.issuance(market, state=_S.FUNDED)
        services.propose_approval(request.pk, actor=staff, at=AT)

        assert selectors.requirements(request, at=AT)[0].code == "confirmation"

    def test_a_failed_mint_says_so(self, market: Market, system: Actor) -> None:
        request = primary_market.issuance(market, state=_S.MINTING)
        primary_market.fail(request, IntentState.REVERTED)
        services.record_failed_mint(request.pk, actor=system, at=AT)
        request.refresh_from_db()

        [needed] = selectors.requirements(request, at=AT)

        assert needed.detail.endswith("the last one failed: The chain did not carry it out.")

    def test_a_shut_gate_is_needed_open(self, market: Market) -> None:
        request = primary_market.issuance(market, state=_S.FUNDED)
        gate.hold(ScopeKind.NETWORK, market.deployment.network_id)

        codes = [needed.code for needed in selectors.requirements(request, at=AT)]

        assert codes == ["proposal", "open-gate"]

    def test_shares_that_are_gone_are_needed_back(self, market: Market) -> None:
        request = primary_market.issuance(market, state=_S.APPROVED)
        current = market.account.custodian.statements.first()
        assert current is not None
        custody.statement(
            market.account.custodian,
            [custody.line(market.account, Decimal(600), lent=Decimal("0.5"))],
            at=AT,
            supersedes=current.reference,
        )

        [_, needed] = selectors.requirements(request, at=AT)

        assert (needed.code, needed.detail) == ("shares", "0.5 settled shares are missing.")


class TestTimeline:
    def test_tells_everything_in_its_order_with_its_evidence(self, market: Market) -> None:
        request = primary_market.issuance(market, state=_S.COMPLETED)
        request = selectors.issuances().get(pk=request.pk)

        moments = selectors.timeline(request)

        titles = [moment.title for moment in moments]
        assert titles[0] == "Requested"
        assert {
            "Accepted",
            "Receipt of shares instructed",
            "Receipt of shares settled",
            "Funded",
            "Proposed for approval",
            "Proposal confirmed",
            "Approved",
            "Mint signed",
            "Exact bytes of the mint kept",
            "Completed",
        } <= set(titles)
        evidence = {moment.title: moment.evidence for moment in moments}
        assert request.instruction is not None
        statement = request.instruction.evidence
        assert statement is not None
        settled = evidence["Receipt of shares settled"]
        assert settled["statement SHA-256"] == statement.sha256
        proposed = next(one for one in moments if one.title == "Proposed for approval")
        approved = next(one for one in moments if one.title == "Approved")
        assert proposed.person
        assert approved.person not in {"", proposed.person}

    def test_tells_what_was_declined_and_why(
        self, market: Market, staff: Actor, approver: Actor
    ) -> None:
        request = primary_market.issuance(market, state=_S.FUNDED)
        services.propose_approval(request.pk, actor=staff, at=AT)
        services.decline_approval(request.pk, reason="Ask again.", actor=approver, at=AT)

        last = selectors.timeline(request)[-1]

        assert (last.title, last.reason, last.person) == ("Proposal declined", "Ask again.", "")

    def test_tells_of_an_open_proposal_and_of_steps_on_chain(
        self, market: Market, staff: Actor
    ) -> None:
        request = primary_market.issuance(market, state=_S.MINTING)
        intent = request.mint_intent
        assert intent is not None
        intent.transitions.create(
            serial=1,
            step="SEE_MINED",
            origin="SIGNED",
            destination="MINED",
            block_number=7,
            block_hash="0x07",
            actor=str(staff),
            occurred_at=AT + timedelta(minutes=1),
        )
        intent.transitions.create(
            serial=2,
            step="BROADCAST",
            origin="SIGNED",
            destination="BROADCAST",
            actor=str(staff),
            occurred_at=AT + timedelta(minutes=2),
        )

        mined, sent = selectors.timeline(request)[-2:]

        assert mined.evidence == {"block": "7", "block hash": "0x07"}
        assert (sent.title, sent.evidence) == ("Mint: sent, not seen in a block", {})

    def test_tells_of_a_request_without_anything(self, market: Market) -> None:
        request = primary_market.issuance(market)

        assert [moment.title for moment in selectors.timeline(request)] == ["Requested"]

    def test_tells_of_a_proposal_that_waits(self, market: Market, staff: Actor) -> None:
        request = primary_market.issuance(market, state=_S.FUNDED)
        services.propose_approval(request.pk, actor=staff, at=AT)

        assert selectors.timeline(request)[-1].title == "Proposed for approval"


class TestApprovalView:
    def test_shows_cover_before_and_after_and_lets_a_second_person_confirm(
        self, market: Market, staff: Actor, approver: Actor
    ) -> None:
        request = primary_market.issuance(market, state=_S.FUNDED)
        services.propose_approval(request.pk, actor=staff, at=AT)

        view = selectors.approval_view(request, actor=approver, at=AT)

        assert view.proposal is not None
        assert view.payload_hash == view.proposal.payload_hash
        assert view.not_to_confirm == ()
        assert [refusal.code for refusal in view.not_to_propose] == ["proposal-open"]
        before, after = view.cover_before, view.cover_after
        none, all_of_them = Decimal(0), Decimal(600)
        assert (before.owed_on_tokens, before.paid_not_minted) == (none, all_of_them)
        assert (after.owed_on_tokens, after.paid_not_minted) == (all_of_them, none)
        assert before.held == after.held == all_of_them

    def test_says_all_that_stands_against_it(self, market: Market, staff: Actor) -> None:
        request = primary_market.issuance(market, state=_S.FUNDED)
        services.propose_approval(request.pk, actor=staff, at=AT)
        Case.objects.update(valid_until=date(2026, 11, 19))
        parties.revoke_wallet(market.wallet, reason="Key lost.", actor=staff, at=AT)
        gate.hold(ScopeKind.TOKEN, market.token.pk)
        chain.trouble(market.deployment.network)

        view = selectors.approval_view(request, actor=staff, at=AT)

        assert [refusal.code for refusal in view.not_to_confirm] == [
            "kyc-not-cleared",
            "wallet-not-bound",
            "same-person",
            "reserve-gate-closed",
            "cover-unknown",
        ]
        assert view.cover_after == view.cover_before

    def test_says_that_it_has_changed_since(
        self, market: Market, staff: Actor, approver: Actor
    ) -> None:
        request = primary_market.issuance(market, state=_S.FUNDED)
        services.propose_approval(request.pk, actor=staff, at=AT)
        request.token.symbol = "OTHERx"

        view = selectors.approval_view(request, actor=approver, at=AT)

        assert "proposal-changed" in [refusal.code for refusal in view.not_to_confirm]

    def test_says_what_comes_before(self, market: Market, system: Actor) -> None:
        request = primary_market.issuance(market)

        view = selectors.approval_view(request, actor=system, at=AT)

        assert [refusal.code for refusal in view.not_to_confirm] == [
            "illegal-transition",
            "person-required",
            "approval-not-proposed",
            "shares-not-free",
        ]

    def test_says_how_many_shares_are_free(self, market: Market, approver: Actor) -> None:
        request = primary_market.issuance(market, quantity=Decimal("0.5"))

        [*_, refusal] = selectors.approval_view(request, actor=approver, at=AT).not_to_confirm

        assert refusal.detail == "0.5 shares are needed; 0 are free."


class TestLists:
    def test_open_issuances_are_those_that_have_not_ended(self, market: Market) -> None:
        primary_market.issuance(market, state=_S.CANCELLED)
        first = primary_market.issuance(market)
        second = primary_market.issuance(market, state=_S.FROZEN)

        assert list(selectors.open_issuances()) == [first, second]

    def test_lists_take_one_query(
        self, market: Market, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        for _ in range(3):
            primary_market.issuance(market, state=_S.ACCEPTED)

        with django_assert_num_queries(1):
            for request in selectors.issuances():
                selectors.axes_of(request)
                assert request.token.security.isin
                assert request.instruction is not None
                assert str(request.instruction.account.custodian)
