"""From the signature of a burn to the shares that have left."""

from datetime import timedelta
from decimal import Decimal

import pytest

from issuer.chain.errors import FeesTooHigh, SignerMismatch
from issuer.chain.models import TransactionIntent
from issuer.chain.readers import FeeQuote
from issuer.chain.services import Prepared
from issuer.chain.states import IntentKind, IntentState
from issuer.custody import services as custody_services
from issuer.custody.errors import AccountSharesNotFree
from issuer.custody.selectors import current_statement
from issuer.custody.states import InstructionState
from issuer.foundation.actors import Actor
from issuer.foundation.errors import DomainError, IllegalTransition
from issuer.gate.errors import GateClosed
from issuer.gate.models import GateState, ScopeKind
from issuer.instruments import chart
from issuer.kyc.errors import KycNotCleared
from issuer.ledger import selectors as books
from issuer.ledger.models import Transfer
from issuer.parties import services as parties
from issuer.parties.errors import WalletNotBound
from issuer.primary_market import errors, selectors, services
from issuer.primary_market.models import RedemptionRequest
from issuer.primary_market.states import RedemptionState
from issuer.reserves import selectors as reserves
from issuer.reserves.cover import CoverStatus
from issuer.reserves.errors import SharesNotFree
from tests.make import chain, custody, gate, redemptions
from tests.make.primary_market import AT, Market
from tests.make.redemptions import redemption
from tests.primary_market.test_services_issuance import split, subject_of
from tests.primary_market.test_services_redemption import (
    assert_still,
    last_step,
    state_settled,
)

pytestmark = pytest.mark.django_db

_S = RedemptionState


@pytest.fixture
def market() -> Market:
    """A participant who holds 600 tokens and can return them."""
    return redemptions.market()


@pytest.fixture
def approved(market: Market) -> RedemptionRequest:
    return redemption(market, state=_S.APPROVED)


def burns() -> list[TransactionIntent]:
    return list(TransactionIntent.objects.filter(kind=IntentKind.BURN).order_by("id"))


class TestSignBurn:
    def test_commits_to_the_burn_and_sends_nothing(self, approved: RedemptionRequest) -> None:
        redemptions.sign(approved)

        approved.refresh_from_db()
        assert last_step(approved) == ("SIGN_BURN", "APPROVED", "BURNING")
        [intent] = burns()
        assert approved.burn_intent == intent
        assert (intent.state, intent.request_id) == (IntentState.SIGNED, approved.pk)
        assert intent.base_units == 100 * 10**18
        assert intent.account == redemptions.BURNER.address

    def test_goes_on_while_only_redemption_is_open(
        self, market: Market, approved: RedemptionRequest
    ) -> None:
        gate.hold(ScopeKind.TOKEN, market.token.pk, effect=GateState.REDEEM_ONLY)

        redemptions.sign(approved)

        assert len(burns()) == 1

    def test_refuses_a_second_time(self, approved: RedemptionRequest) -> None:
        redemptions.sign(approved)

        with pytest.raises(IllegalTransition):
            redemptions.sign(approved)

        assert len(burns()) == 1

    @pytest.mark.parametrize("state", sorted(set(_S) - {_S.APPROVED}))
    def test_refuses_what_is_not_approved(self, market: Market, state: RedemptionState) -> None:
        request = redemption(market, state=state)
        before = burns()

        with pytest.raises(IllegalTransition):
            redemptions.sign(request)

        assert burns() == before

    @pytest.mark.parametrize("kind", list(ScopeKind))
    def test_refuses_while_a_gate_is_halted(
        self, market: Market, approved: RedemptionRequest, kind: ScopeKind
    ) -> None:
        gate.hold(kind, subject_of(kind, market))

        assert_not_signed(approved, GateClosed)

    def test_refuses_once_kyc_is_over(self, approved: RedemptionRequest) -> None:
        redemptions.lapse()

        assert_not_signed(approved, KycNotCleared)

    def test_refuses_once_the_wallet_is_revoked(
        self, approved: RedemptionRequest, staff: Actor
    ) -> None:
        parties.revoke_wallet(approved.wallet, reason="Key lost.", actor=staff, at=AT)

        assert_not_signed(approved, WalletNotBound)

    def test_refuses_after_a_split(self, market: Market, approved: RedemptionRequest) -> None:
        split(market, Decimal(4), at=AT - timedelta(hours=1))

        assert_not_signed(approved, errors.MultiplierChanged)

    def test_refuses_once_the_shares_are_gone(
        self, market: Market, approved: RedemptionRequest
    ) -> None:
        state_settled(market, Decimal(99))

        assert_not_signed(approved, SharesNotFree)

    def test_refuses_fees_above_our_limit_and_the_key_of_another(
        self, approved: RedemptionRequest, system: Actor
    ) -> None:
        dear = FeeQuote(
            max_fee_per_gas=10**15, max_priority_fee_per_gas=1, gas_limit=chain.FEES.gas_limit
        )
        for signer, fees, refusal in (
            (redemptions.BURNER, dear, FeesTooHigh),
            (chain.signer(), chain.FEES, SignerMismatch),
        ):
            with pytest.raises(refusal):
                services.sign_burn(
                    approved.pk,
                    signer=signer,
                    prepared=Prepared(fees=fees, chain_nonce=0),
                    actor=system,
                    at=AT,
                )
            assert_still(approved, _S.APPROVED)

        assert burns() == []


class TestRecordFailedBurn:
    @pytest.mark.parametrize(
        ("failure", "step"),
        [(IntentState.REVERTED, "REVERT_BURN"), (IntentState.DROPPED, "DROP_BURN")],
    )
    def test_goes_back_to_approved_and_is_signed_again(
        self, market: Market, system: Actor, failure: IntentState, step: str
    ) -> None:
        request = redemption(market, state=_S.BURNING)
        redemptions.fail(request.burn_intent, failure)

        services.record_failed_burn(request.pk, actor=system, at=AT)

        request.refresh_from_db()
        assert last_step(request) == (step, "BURNING", "APPROVED")
        assert (request.burn_intent, request.received) == (None, 100)
        redemptions.sign(request)
        assert [intent.state for intent in burns()] == [failure, IntentState.SIGNED]

    @pytest.mark.parametrize(
        "state", [IntentState.SIGNED, IntentState.BROADCAST, IntentState.MINED]
    )
    def test_refuses_while_the_chain_may_carry_it_out(
        self, market: Market, system: Actor, state: IntentState
    ) -> None:
        request = redemption(market, state=_S.BURNING)
        TransactionIntent.objects.filter(pk=request.burn_intent_id).update(state=state)

        with pytest.raises(errors.BurnNotFailed):
            services.record_failed_burn(request.pk, actor=system, at=AT)

        assert_still(request, _S.BURNING)


class TestCompleteBurn:
    def test_owes_the_shares_to_the_participant_by_name(
        self, market: Market, system: Actor
    ) -> None:
        request = redemption(market, state=_S.BURNING)
        redemptions.finalize(request)

        services.complete_burn(request.pk, actor=system, at=AT)

        token = market.token
        assert last_step(request) == ("BOOK_BURN", "BURNING", "BURNED")
        assert books.balance(chart.tokens_outstanding(token)) == 500
        assert books.balance(chart.tokens_issued(token)) == 500
        assert books.balance(chart.shares_owed_on_tokens(token)) == 500
        assert books.balance(chart.shares_burned_not_delivered(token)) == 100
        assert books.balance(chart.shares_own(token)) == 0
        assert burns()[0].state == IntentState.BOOKED
        assert set(books.trial_balance().values()) == {0}
        cover = reserves.cover_of(token, at=AT)
        assert (cover.status, cover.surplus) == (CoverStatus.COVERED, Decimal(0))
        assert list(selectors.undelivered([token.pk])) == [request]

    def test_keeps_what_no_custodian_can_count_as_our_own(self, system: Actor) -> None:
        market = redemptions.market(multiplier=Decimal("1.0025"))
        quantity = Decimal("1.0000000001")
        request = redemption(market, state=_S.BURNED, quantity=quantity)

        token = market.token
        assert request.shares == Decimal("1.0025")
        assert books.balance(chart.shares_burned_not_delivered(token)) == Decimal("1.0025")
        assert books.balance(chart.shares_own(token)) == Decimal("0.00000000010025")
        owed = books.balance(chart.shares_owed_on_tokens(token))
        assert owed == (600 - quantity) * Decimal("1.0025")

    @pytest.mark.parametrize(
        "state", [IntentState.SIGNED, IntentState.BROADCAST, IntentState.MINED]
    )
    def test_refuses_a_burn_that_can_still_be_reorganized(
        self, market: Market, system: Actor, state: IntentState
    ) -> None:
        request = redemption(market, state=_S.BURNING)
        TransactionIntent.objects.filter(pk=request.burn_intent_id).update(state=state)

        with pytest.raises(errors.BurnNotFinal):
            services.complete_burn(request.pk, actor=system, at=AT)

        assert_still(request, _S.BURNING)
        assert not Transfer.objects.filter(reference__endswith=":burn").exists()

    def test_refuses_a_second_time(self, market: Market, system: Actor) -> None:
        request = redemption(market, state=_S.BURNED)

        with pytest.raises(IllegalTransition):
            services.complete_burn(request.pk, actor=system, at=AT)

        assert books.balance(chart.tokens_outstanding(market.token)) == 500


class TestTheAccountThatSharesLeaveFrom:
    def test_must_have_them_before_the_tokens_are_burned(self, market: Market) -> None:
        approved = redemption(market, state=_S.APPROVED)
        elsewhere = custody.account(token_=market.token)
        custody.settled_shares(elsewhere, Decimal(540), at=AT)
        lines = [custody.line(market.account, Decimal(600), lent=Decimal(501))]
        current = current_statement(market.account.custodian)
        assert current is not None
        custody.statement(market.account.custodian, lines, at=AT, supersedes=current.reference)

        assert_not_signed(approved, AccountSharesNotFree)


class TestDelivery:
    def test_is_instructed_one_cycle_after_the_session(self, market: Market, system: Actor) -> None:
        request = redemption(market, state=_S.BURNED)

        services.instruct_delivery(request.pk, actor=system, at=AT)

        request.refresh_from_db()
        assert last_step(request) == ("INSTRUCT_DELIVERY", "BURNED", "DELIVERING")
        instruction = request.instruction
        assert instruction is not None
        assert (instruction.quantity, instruction.counterparty) == (100, "A broker")
        assert instruction.trade_date.isoformat() == "2026-11-20"
        assert instruction.settlement_date.isoformat() == "2026-11-23"
        assert books.balance(chart.shares_burned_not_delivered(market.token)) == 0

    def test_is_not_instructed_for_a_party_that_lapsed(self, market: Market, system: Actor) -> None:
        request = redemption(market, state=_S.BURNED)
        redemptions.lapse()

        with pytest.raises(KycNotCleared):
            services.instruct_delivery(request.pk, actor=system, at=AT)

        assert_still(request, _S.BURNED)

    @pytest.mark.parametrize(
        "state", [_S.REQUESTED, _S.RECEIVED, _S.APPROVED, _S.BURNING, _S.DELIVERING, _S.COMPLETED]
    )
    def test_is_not_instructed_before_the_burn_is_booked_nor_twice(
        self, market: Market, system: Actor, state: RedemptionState
    ) -> None:
        request = redemption(market, state=state)

        with pytest.raises(IllegalTransition):
            services.instruct_delivery(request.pk, actor=system, at=AT)

        assert_still(request, state)

    def test_is_over_once_a_later_statement_shows_the_shares_gone(
        self, market: Market, system: Actor
    ) -> None:
        request = redemption(market, state=_S.DELIVERING)
        with pytest.raises(errors.SharesNotDelivered):
            services.complete_redemption(request.pk, actor=system, at=AT)
        assert_still(request, _S.DELIVERING)

        later = redemptions.deliver(request)
        services.complete_redemption(request.pk, actor=system, at=later)

        request.refresh_from_db()
        assert (request.state, request.completed_at) == (_S.COMPLETED, later)
        token = market.token
        settled = chart.shares_settled(token, market.account.reference)
        assert books.balance(settled) == 500
        assert set(books.trial_balance().values()) == {0}

    def test_stays_open_while_it_is_late(self, market: Market, system: Actor) -> None:
        request = redemption(market, state=_S.DELIVERING)
        assert request.instruction is not None
        custody_services.fail_instruction(
            request.instruction.pk, reason="It did not come.", actor=system, at=AT
        )
        request.refresh_from_db()

        [needed] = selectors.redemption_requirements(request, at=AT)

        assert (needed.code, needed.awaiting_action_from) == ("late-delivery", "custodian")
        assert selectors.redemption_axes_of(request).custody == "failed"

    def test_that_failed_is_instructed_again_and_completed(
        self, market: Market, staff: Actor, system: Actor
    ) -> None:
        request = redemption(market, state=_S.DELIVERING)
        delivery = request.instruction
        assert delivery is not None
        late = AT + timedelta(days=4)
        custody.statement(
            market.account.custodian, [custody.line(market.account, Decimal(600))], at=late
        )
        [failed] = custody_services.fail_overdue(actor=system, at=late)
        assert (failed.pk, failed.state) == (delivery.pk, InstructionState.FAILED)

        custody_services.reinstruct(
            delivery.pk,
            trade_date=late.date(),
            settlement_date=late.date() + timedelta(days=1),
            counterparty="Another broker",
            actor=staff,
            at=late,
        )
        with pytest.raises(errors.SharesNotDelivered):
            services.complete_redemption(request.pk, actor=system, at=late)
        later = late + timedelta(days=1)
        custody.statement(
            market.account.custodian, [custody.line(market.account, Decimal(500))], at=later
        )
        services.complete_redemption(request.pk, actor=system, at=later)

        self.assert_completed(request, market)

    def test_that_failed_and_was_canceled_is_delivered_by_another_and_completed(
        self, market: Market, staff: Actor, system: Actor
    ) -> None:
        request = redemption(market, state=_S.DELIVERING)
        assert request.instruction is not None
        custody_services.fail_instruction(
            request.instruction.pk, reason="Not matched.", actor=system, at=AT
        )
        custody_services.cancel_instruction(request.instruction.pk, actor=staff, at=AT)
        assert books.balance(chart.shares_burned_not_delivered(market.token)) == 100
        services.record_cancelled_delivery(request.pk, actor=system, at=AT)
        services.unfreeze_redemption(request.pk, reason="Right party.", actor=staff, at=AT)
        services.instruct_delivery(request.pk, actor=system, at=AT)
        request.refresh_from_db()

        services.complete_redemption(request.pk, actor=system, at=redemptions.deliver(request))

        self.assert_completed(request, market)

    def assert_completed(self, request: RedemptionRequest, market: Market) -> None:
        request.refresh_from_db()
        assert request.state == _S.COMPLETED
        token = market.token
        expected = {
            chart.shares_settled(token, market.account.reference): 500,
            chart.shares_pending_delivery(token, market.account.reference): 0,
            chart.shares_burned_not_delivered(token): 0,
            chart.shares_owed_on_tokens(token): 500,
            chart.tokens_outstanding(token): 500,
        }
        assert {code: books.balance(code) for code in expected} == expected
        assert set(books.trial_balance().values()) == {0}

    def test_that_was_cancelled_is_looked_at_and_instructed_again(
        self, market: Market, staff: Actor, system: Actor
    ) -> None:
        request = redemption(market, state=_S.DELIVERING)
        assert request.instruction is not None
        with pytest.raises(errors.SharesNotDelivered):
            services.record_cancelled_delivery(request.pk, actor=system, at=AT)
        custody_services.cancel_instruction(request.instruction.pk, actor=staff, at=AT)

        services.record_cancelled_delivery(request.pk, actor=system, at=AT)
        assert last_step(request) == ("LOSE_DELIVERY", "DELIVERING", "FROZEN")
        services.unfreeze_redemption(request.pk, reason="Right party.", actor=staff, at=AT)
        services.instruct_delivery(request.pk, actor=system, at=AT)

        request.refresh_from_db()
        assert request.state == _S.DELIVERING
        assert request.instruction is not None
        assert request.instruction.state == InstructionState.INSTRUCTED


def assert_not_signed(approved: RedemptionRequest, refusal: type[DomainError]) -> None:
    with pytest.raises(refusal):
        redemptions.sign(approved)
    assert_still(approved, _S.APPROVED)
    assert burns() == []
