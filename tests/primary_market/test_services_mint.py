"""From the signature to the books."""

from datetime import date, timedelta
from decimal import Decimal

import pytest

from issuer.chain.errors import FeesTooHigh
from issuer.chain.models import TransactionIntent
from issuer.chain.readers import FeeQuote
from issuer.chain.services import Prepared
from issuer.chain.states import IntentState
from issuer.foundation.actors import Actor
from issuer.foundation.errors import DomainError, IllegalTransition
from issuer.gate.errors import GateClosed
from issuer.gate.models import ScopeKind
from issuer.instruments import chart
from issuer.kyc.errors import KycNotCleared
from issuer.kyc.models import Case
from issuer.ledger import selectors as books
from issuer.ledger.models import Transfer
from issuer.parties import services as parties
from issuer.parties.errors import WalletNotBound
from issuer.primary_market import calls, errors, services
from issuer.primary_market.models import IssuanceRequest
from issuer.primary_market.states import IssuanceState
from issuer.reserves import selectors as reserves
from issuer.reserves.cover import CoverStatus
from issuer.reserves.errors import CoverUnknown, SharesNotFree
from tests.make import chain, custody, gate, primary_market
from tests.make.primary_market import AT, Market
from tests.primary_market.assertions import assert_still, holds_of, last_step
from tests.primary_market.test_services_issuance import split, subject_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def approved(market: Market) -> IssuanceRequest:
    return primary_market.issuance(market, state=IssuanceState.APPROVED)


class TestSignMint:
    def test_commits_to_the_mint_and_sends_nothing(self, approved: IssuanceRequest) -> None:
        primary_market.sign(approved)

        approved.refresh_from_db()
        assert last_step(approved)[:3] == ("SIGN_MINT", "APPROVED", "MINTING")
        intent = approved.mint_intent
        assert intent is not None
        assert (intent.state, intent.request_id) == (IntentState.SIGNED, approved.pk)
        assert (intent.base_units, intent.account) == (600 * 10**18, approved.wallet.address)
        assert len(intent.gate_scopes) == 4
        assert holds_of(approved) == ["ACTIVE"]

    def test_counts_in_the_base_units_of_the_contract(self) -> None:
        market = primary_market.market(decimals=8)
        request = primary_market.issuance(
            market, state=IssuanceState.MINTING, quantity=Decimal("0.00000001")
        )

        assert request.mint_intent is not None
        assert request.mint_intent.base_units == 1

    def test_refuses_a_second_time(self, approved: IssuanceRequest) -> None:
        primary_market.sign(approved)

        with pytest.raises(IllegalTransition):
            primary_market.sign(approved)

        assert TransactionIntent.objects.count() == 1

    def test_refuses_what_is_not_approved(self, market: Market) -> None:
        request = primary_market.issuance(market, state=IssuanceState.FUNDED)

        with pytest.raises(IllegalTransition):
            primary_market.sign(request)

        assert not TransactionIntent.objects.exists()

    def test_refuses_once_kyc_is_over(self, approved: IssuanceRequest) -> None:
        Case.objects.update(valid_until=date(2026, 11, 19))

        assert_not_signed(approved, KycNotCleared)

    def test_refuses_once_the_wallet_is_revoked(
        self, approved: IssuanceRequest, staff: Actor
    ) -> None:
        parties.revoke_wallet(approved.wallet, reason="Key lost.", actor=staff, at=AT)

        assert_not_signed(approved, WalletNotBound)

    @pytest.mark.parametrize("kind", list(ScopeKind))
    def test_refuses_while_a_gate_is_shut(
        self, market: Market, approved: IssuanceRequest, kind: ScopeKind
    ) -> None:
        gate.hold(kind, subject_of(kind, market))

        assert_not_signed(approved, GateClosed)

    def test_refuses_while_issuance_is_suspended(self, approved: IssuanceRequest) -> None:
        approved.token.issuance_open = False
        approved.token.save()

        assert_not_signed(approved, errors.IssuanceClosed)

    def test_refuses_after_a_split(self, market: Market, approved: IssuanceRequest) -> None:
        split(market, Decimal(4), at=AT - timedelta(hours=1))

        assert_not_signed(approved, errors.MultiplierChanged)

    def test_refuses_while_cover_is_not_known(self, approved: IssuanceRequest) -> None:
        chain.trouble(approved.deployment.network)

        assert_not_signed(approved, CoverUnknown)

    def test_refuses_once_the_shares_are_gone(
        self, market: Market, approved: IssuanceRequest
    ) -> None:
        later = AT + timedelta(days=3)
        custody.statement(
            market.account.custodian,
            [custody.line(market.account, Decimal(600), blocked=Decimal(600))],
            at=later,
        )
        chain.snapshot(market.deployment, block_number=10**6, taken_at=later)

        with pytest.raises(SharesNotFree):
            primary_market.sign(approved, at=later)

        assert_still(approved, IssuanceState.APPROVED)
        assert not TransactionIntent.objects.exists()

    def test_refuses_fees_above_our_limit(self, approved: IssuanceRequest, system: Actor) -> None:
        dear = FeeQuote(
            max_fee_per_gas=10**15, max_priority_fee_per_gas=1, gas_limit=chain.FEES.gas_limit
        )

        with pytest.raises(FeesTooHigh):
            services.sign_mint(
                approved.pk,
                signer=chain.signer(),
                prepared=Prepared(fees=dear, chain_nonce=0),
                actor=system,
                at=AT,
            )

        assert_still(approved, IssuanceState.APPROVED)
        assert not TransactionIntent.objects.exists()


class TestRecordFailedMint:
    @pytest.mark.parametrize(
        ("failure", "step"),
        [
            (IntentState.REVERTED, "REVERT_MINT"),
            (IntentState.DROPPED, "DROP_MINT"),
            (IntentState.CANCELLED, "CANCEL_MINT"),
        ],
    )
    def test_goes_back_to_approved_with_the_shares_still_held(
        self, market: Market, system: Actor, failure: IntentState, step: str
    ) -> None:
        request = primary_market.issuance(market, state=IssuanceState.MINTING)
        primary_market.fail(request, failure)

        services.record_failed_mint(request.pk, actor=system, at=AT)

        request.refresh_from_db()
        assert last_step(request) == (step, "MINTING", "APPROVED", str(system))
        assert request.mint_intent is None
        assert request.reason == "The chain did not carry it out."
        assert holds_of(request) == ["ACTIVE"]

    def test_is_signed_again_as_another_mint_of_the_same_request(
        self, market: Market, system: Actor
    ) -> None:
        request = primary_market.issuance(market, state=IssuanceState.MINTING)
        primary_market.fail(request, IntentState.DROPPED)
        services.record_failed_mint(request.pk, actor=system, at=AT)

        primary_market.sign(request)

        nonces = TransactionIntent.objects.order_by("nonce").values_list(
            "nonce", "request_id", "state"
        )
        assert list(nonces) == [(0, request.pk, "DROPPED"), (1, request.pk, "SIGNED")]

    @pytest.mark.parametrize(
        "state",
        [
            IntentState.SIGNED,
            IntentState.BROADCAST,
            IntentState.MINED,
            IntentState.CANCELLING,
            IntentState.CANCEL_SENT,
        ],
    )
    def test_refuses_while_the_chain_may_carry_it_out(
        self, market: Market, system: Actor, state: IntentState
    ) -> None:
        request = primary_market.issuance(market, state=IssuanceState.MINTING)
        TransactionIntent.objects.update(state=state, cancel_reason="Halted.")

        with pytest.raises(errors.MintNotFailed):
            services.record_failed_mint(request.pk, actor=system, at=AT)

        assert_still(request, IssuanceState.MINTING)

    def test_refuses_a_mint_that_is_final(self, market: Market, system: Actor) -> None:
        request = primary_market.issuance(market, state=IssuanceState.MINTING)
        primary_market.finalize(request)

        with pytest.raises(errors.MintNotFailed):
            services.record_failed_mint(request.pk, actor=system, at=AT)

        assert_still(request, IssuanceState.MINTING)


class TestCopiedRequestId:
    def test_is_stepped_over_when_the_mint_is_signed_again(
        self, market: Market, system: Actor
    ) -> None:
        request = primary_market.issuance(market, state=IssuanceState.MINTING)
        chain.event(market.deployment, request_id=request.pk)
        primary_market.fail(request, IntentState.REVERTED)
        services.record_failed_mint(request.pk, actor=system, at=AT)

        primary_market.sign(request)

        request.refresh_from_db()
        assert request.mint_intent is not None
        assert (request.mint_intent.request_id, request.mint_intent.request_serial) == (
            request.pk,
            1,
        )
        assert calls.mint_of(request).calldata == bytes(request.mint_intent.calldata)


class TestComplete:
    def test_books_the_mint_and_ends_the_request(self, market: Market, system: Actor) -> None:
        request = primary_market.issuance(market, state=IssuanceState.MINTING)
        primary_market.finalize(request)

        services.complete(request.pk, actor=system, at=AT)

        request.refresh_from_db()
        token = market.token
        assert (request.state, request.completed_at) == (IssuanceState.COMPLETED, AT)
        assert books.balance(chart.tokens_issued(token)) == 600
        assert books.balance(chart.tokens_outstanding(token)) == 600
        assert books.balance(chart.shares_paid_not_minted(token)) == 0
        assert books.balance(chart.shares_owed_on_tokens(token)) == 600
        assert books.balance(chart.shares_own(token)) == 0
        assert set(books.trial_balance().values()) == {0}
        assert TransactionIntent.objects.get().state == IntentState.BOOKED
        assert holds_of(request) == ["CONSUMED"]
        assert reserves.cover_of(token, at=AT).status == CoverStatus.COVERED

    def test_keeps_what_was_delivered_beyond_the_tokens_as_our_own(self, system: Actor) -> None:
        market = primary_market.market(multiplier=Decimal("1.0025"))
        request = primary_market.issuance(
            market, state=IssuanceState.COMPLETED, quantity=Decimal("0.0000001")
        )

        owed = books.balance(chart.shares_owed_on_tokens(market.token))
        assert owed == Decimal("0.00000010025")
        assert books.balance(chart.shares_own(market.token)) == request.shares - owed
        assert books.balance(chart.shares_paid_not_minted(market.token)) == 0

    @pytest.mark.parametrize(
        "state", [IntentState.SIGNED, IntentState.BROADCAST, IntentState.MINED]
    )
    def test_refuses_a_mint_that_can_still_be_reorganized(
        self, market: Market, system: Actor, state: IntentState
    ) -> None:
        request = primary_market.issuance(market, state=IssuanceState.MINTING)
        TransactionIntent.objects.update(state=state)

        with pytest.raises(errors.MintNotFinal):
            services.complete(request.pk, actor=system, at=AT)

        assert_still(request, IssuanceState.MINTING)
        assert not Transfer.objects.filter(reference__endswith=":mint").exists()

    def test_refuses_a_second_time(self, market: Market, system: Actor) -> None:
        request = primary_market.issuance(market, state=IssuanceState.COMPLETED)

        with pytest.raises(IllegalTransition):
            services.complete(request.pk, actor=system, at=AT)

        assert books.balance(chart.tokens_outstanding(market.token)) == 600


def assert_not_signed(approved: IssuanceRequest, refusal: type[DomainError]) -> None:
    with pytest.raises(refusal):
        primary_market.sign(approved)
    assert_still(approved, IssuanceState.APPROVED)
    assert not TransactionIntent.objects.exists()
    assert holds_of(approved) == ["ACTIVE"]
