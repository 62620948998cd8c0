"""A request until its shares have come, or never will."""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from issuer.audit.models import AuditEvent
from issuer.custody import services as custody_services
from issuer.custody.models import SettlementInstruction
from issuer.custody.states import InstructionState
from issuer.events.models import Event
from issuer.foundation.actors import Actor
from issuer.foundation.errors import DomainError, IllegalTransition, Malformed
from issuer.foundation.identifiers import uuid7
from issuer.foundation.quantities import QuantityMalformed, QuantityTooFine
from issuer.gate.errors import GateClosed
from issuer.gate.models import ScopeKind
from issuer.instruments import chart
from issuer.instruments.models import Multiplier
from issuer.kyc.errors import KycNotCleared
from issuer.kyc.models import Case
from issuer.ledger import selectors as books
from issuer.parties import services as parties
from issuer.parties.errors import WalletNotBound
from issuer.primary_market import errors, services
from issuer.primary_market.models import IssuanceRequest
from issuer.primary_market.services._issuance import REQUEST_VALIDITY
from issuer.primary_market.states import IssuanceState
from tests.make import custody, gate, instruments, primary_market
from tests.make import parties as make_parties
from tests.make.primary_market import AT, Market
from tests.primary_market.assertions import assert_still, last_step

pytestmark = pytest.mark.django_db


def request_issuance(market: Market, **arguments: Any) -> IssuanceRequest:
    defaults: dict[str, Any] = {
        "participant": market.participant,
        "token": market.token,
        "network": market.deployment.network.caip2,
        "wallet_address": market.wallet.address,
        "quantity": Decimal(600),
        "client_reference": "desk-1042",
        "actor": primary_market.PARTNER,
        "at": AT,
    }
    return services.request_issuance(**defaults | arguments)


class TestRequestIssuance:
    def test_opens_a_request_with_its_terms_a_trail_and_an_event(self, market: Market) -> None:
        request = request_issuance(market)

        request.refresh_from_db()
        assert request.state == IssuanceState.REQUESTED
        assert (request.quantity, request.multiplier, request.shares) == (600, 1, 600)
        assert request.wallet == market.wallet
        assert request.deployment == market.deployment
        assert request.expires_at == AT + REQUEST_VALIDITY
        trail = AuditEvent.objects.get(subject_id=request.pk)
        assert (trail.action, trail.actor) == ("issuance.request", str(primary_market.PARTNER))
        assert trail.facts == {"token": market.token.symbol, "quantity": "600"}
        event = Event.objects.get(subject_id=request.pk)
        assert (event.type, event.sequence) == ("issuance.requested", 1)
        assert event.data["state"] == "REQUESTED"

    def test_asks_for_the_shares_that_the_tokens_stand_for_rounded_up(self) -> None:
        market = primary_market.market(multiplier=Decimal("1.0025"))

        request = request_issuance(market, quantity=Decimal("0.0000001"))

        assert request.multiplier == Decimal("1.0025")
        assert request.shares == Decimal("0.000000101")  # 0.00000010025, to nine places

    def test_refuses_more_shares_than_the_books_can_count(self, market: Market) -> None:
        with pytest.raises(QuantityMalformed):
            request_issuance(market, quantity=Decimal("99999999999999999999.9999999999"))

        assert not IssuanceRequest.objects.exists()

    def test_takes_a_reference_that_another_participant_used(self, market: Market) -> None:
        request_issuance(market)
        other = primary_market.market()

        assert request_issuance(other).client_reference == "desk-1042"

    @pytest.mark.parametrize(
        ("arguments", "refusal"),
        [
            pytest.param({"network": "eip155:1"}, errors.TokenNotOnNetwork, id="other network"),
            pytest.param({"quantity": Decimal(0)}, QuantityMalformed, id="nothing"),
            pytest.param({"quantity": Decimal(-1)}, QuantityMalformed, id="less than nothing"),
            pytest.param({"wallet_address": "0x12"}, Malformed, id="no address"),
            pytest.param(
                {"wallet_address": make_parties.evm_address()}, WalletNotBound, id="not bound"
            ),
        ],
    )
    def test_refuses_and_writes_nothing(
        self, market: Market, arguments: dict[str, Any], refusal: type[DomainError]
    ) -> None:
        with pytest.raises(refusal):
            request_issuance(market, **arguments)

        assert_nothing_written()

    def test_refuses_a_quantity_that_the_contract_cannot_carry(self) -> None:
        market = primary_market.market(decimals=8)

        with pytest.raises(QuantityTooFine) as refused:
            request_issuance(market, quantity=Decimal("0.123456789"))

        assert refused.value.facts == {"quantity": "0.123456789", "decimals": "8"}
        assert_nothing_written()

    def test_refuses_a_token_of_another_program(self, market: Market) -> None:
        other = primary_market.market()

        with pytest.raises(errors.TokenOfAnotherProgram):
            request_issuance(market, token=other.token)

        assert_nothing_written()

    def test_refuses_while_issuance_is_suspended(self, market: Market) -> None:
        market.token.issuance_open = False
        market.token.save()

        with pytest.raises(errors.IssuanceClosed):
            request_issuance(market)

        assert_nothing_written()

    def test_refuses_a_participant_whose_kyc_is_over(self, market: Market) -> None:
        Case.objects.update(valid_until=date(2026, 11, 19))

        with pytest.raises(KycNotCleared):
            request_issuance(market)

        assert_nothing_written()

    def test_refuses_the_wallet_of_another_participant(self, market: Market) -> None:
        wallet = make_parties.wallet(primary_market.cleared_participant(market.token.program))

        with pytest.raises(WalletNotBound):
            request_issuance(market, wallet_address=wallet.address)

        assert_nothing_written()

    @pytest.mark.parametrize("kind", list(ScopeKind))
    def test_refuses_while_a_gate_is_shut(self, market: Market, kind: ScopeKind) -> None:
        gate.hold(kind, subject_of(kind, market))

        with pytest.raises(GateClosed):
            request_issuance(market)

        assert_nothing_written()

    def test_refuses_a_reference_that_names_another_request(self, market: Market) -> None:
        first = request_issuance(market)

        with pytest.raises(errors.ClientReferenceUsed) as refused:
            request_issuance(market, quantity=Decimal(1))

        assert refused.value.facts == {"client_reference": "desk-1042"}
        assert list(IssuanceRequest.objects.all()) == [first]


class TestAccept:
    def test_instructs_the_receipt_of_the_shares(self, market: Market, staff: Actor) -> None:
        request = primary_market.issuance(market)

        services.accept(
            request.pk,
            delivering_party="Broker AG",
            trade_date=date(2026, 11, 20),
            actor=staff,
            at=AT,
        )

        request.refresh_from_db()
        assert request.state == IssuanceState.ACCEPTED
        instruction = request.instruction
        assert instruction is not None
        assert instruction.account == market.account
        assert instruction.quantity == 600
        assert instruction.request_id == request.pk
        assert instruction.settlement_date == date(2026, 11, 23)  # the Monday
        assert books.balance(chart.shares_awaited(market.token)) == 600
        assert last_step(request) == ("ACCEPT", "REQUESTED", "ACCEPTED", str(staff))

    def test_takes_the_account_that_is_named_where_there_are_several(
        self, market: Market, staff: Actor
    ) -> None:
        other = custody.account(token_=market.token)
        request = primary_market.issuance(market)

        services.accept(
            request.pk,
            delivering_party="Broker AG",
            trade_date=AT.date(),
            account_id=other.pk,
            actor=staff,
            at=AT,
        )

        request.refresh_from_db()
        assert request.instruction is not None
        assert request.instruction.account == other

    def test_refuses_to_choose_among_several_accounts(self, market: Market, staff: Actor) -> None:
        custody.account(token_=market.token)
        request = primary_market.issuance(market)

        with pytest.raises(errors.CustodyAccountUndetermined):
            accept(request, staff)

        assert_still(request, IssuanceState.REQUESTED)

    def test_refuses_a_second_time(self, market: Market, staff: Actor) -> None:
        request = primary_market.issuance(market, state=IssuanceState.ACCEPTED)

        with pytest.raises(IllegalTransition):
            accept(request, staff)

        assert SettlementInstruction.objects.count() == 1

    def test_refuses_after_the_multiplier_has_changed(self, market: Market, staff: Actor) -> None:
        request = primary_market.issuance(market)
        split(market, Decimal(4), at=AT)

        with pytest.raises(errors.MultiplierChanged) as refused:
            accept(request, staff, at=AT + timedelta(hours=1))

        assert refused.value.facts == {"requested": "1", "current": "4"}
        assert_still(request, IssuanceState.REQUESTED)

    def test_refuses_a_participant_whose_wallet_was_revoked(
        self, market: Market, staff: Actor
    ) -> None:
        request = primary_market.issuance(market)
        parties.revoke_wallet(market.wallet, reason="Key lost.", actor=staff, at=AT)

        with pytest.raises(WalletNotBound):
            accept(request, staff)

        assert_still(request, IssuanceState.REQUESTED)


class TestStopping:
    @pytest.mark.parametrize("state", [IssuanceState.REQUESTED, IssuanceState.ACCEPTED])
    def test_reject_says_why_and_calls_the_delivery_off(
        self, market: Market, staff: Actor, state: IssuanceState
    ) -> None:
        request = primary_market.issuance(market, state=state)

        services.reject(request.pk, reason="Not these shares.", actor=staff, at=AT)

        request.refresh_from_db()
        assert (request.state, request.reason) == (IssuanceState.REJECTED, "Not these shares.")
        assert books.balance(chart.shares_awaited(market.token)) == 0
        if request.instruction is not None:
            assert request.instruction.state == InstructionState.CANCELLED

    def test_a_participant_cancels_their_own_request(self, market: Market) -> None:
        request = primary_market.issuance(market)

        services.cancel(
            request.pk, participant=market.participant, actor=primary_market.PARTNER, at=AT
        )

        request.refresh_from_db()
        assert request.state == IssuanceState.CANCELLED
        assert request.reason == "Cancelled by the participant."

    def test_nobody_cancels_the_request_of_another(self, market: Market) -> None:
        request = primary_market.issuance(market)
        other = primary_market.cleared_participant(market.token.program)

        with pytest.raises(errors.IssuanceMissing):
            services.cancel(request.pk, participant=other, actor=primary_market.PARTNER, at=AT)

        assert_still(request, IssuanceState.REQUESTED)

    def test_a_request_that_does_not_exist_is_missing(self, market: Market, staff: Actor) -> None:
        with pytest.raises(errors.IssuanceMissing):
            services.reject(uuid7(), reason="Nothing there.", actor=staff, at=AT)

    @pytest.mark.parametrize(
        "state",
        [
            IssuanceState.FUNDED,
            IssuanceState.APPROVED,
            IssuanceState.MINTING,
            IssuanceState.COMPLETED,
            IssuanceState.FROZEN,
        ],
    )
    def test_nothing_stops_a_request_that_is_not_waiting_for_shares(
        self, market: Market, staff: Actor, state: IssuanceState
    ) -> None:
        request = primary_market.issuance(market, state=state)

        with pytest.raises(IllegalTransition):
            services.reject(request.pk, reason="Too late.", actor=staff, at=AT)
        with pytest.raises(IllegalTransition):
            services.expire(request.pk, actor=staff, at=AT + REQUEST_VALIDITY)

        assert_still(request, state)

    def test_shares_that_have_settled_are_not_turned_away(
        self, market: Market, staff: Actor
    ) -> None:
        request = primary_market.issuance(market, state=IssuanceState.ACCEPTED)
        primary_market.deliver(request)

        with pytest.raises(errors.SharesReceived):
            services.reject(request.pk, reason="Too late.", actor=staff, at=AT)

        assert_still(request, IssuanceState.ACCEPTED)
        assert books.balance(chart.shares_paid_not_minted(market.token)) == 600

    def test_a_delivery_that_was_called_off_before_is_no_obstacle(
        self, market: Market, staff: Actor
    ) -> None:
        request = primary_market.issuance(market, state=IssuanceState.ACCEPTED)
        assert request.instruction_id is not None
        make_cancelled(request, staff)

        services.reject(request.pk, reason="Nothing comes.", actor=staff, at=AT)

        request.refresh_from_db()
        assert request.state == IssuanceState.REJECTED

    def test_a_request_expires_when_its_time_is_over(self, market: Market, staff: Actor) -> None:
        request = primary_market.issuance(market, state=IssuanceState.ACCEPTED)

        services.expire(request.pk, actor=staff, at=request.expires_at)

        request.refresh_from_db()
        assert request.state == IssuanceState.EXPIRED
        assert request.reason == "The shares have not settled in time."


class TestConfirmFunding:
    def test_records_what_a_statement_has_shown(self, market: Market, staff: Actor) -> None:
        request = primary_market.issuance(market, state=IssuanceState.ACCEPTED)
        primary_market.deliver(request)

        services.confirm_funding(request.pk, actor=staff, at=AT)

        request.refresh_from_db()
        assert request.state == IssuanceState.FUNDED
        assert books.balance(chart.shares_paid_not_minted(market.token)) == 600

    def test_refuses_while_the_shares_are_on_their_way(self, market: Market, staff: Actor) -> None:
        request = primary_market.issuance(market, state=IssuanceState.ACCEPTED)

        with pytest.raises(errors.SharesNotReceived):
            services.confirm_funding(request.pk, actor=staff, at=AT)

        assert_still(request, IssuanceState.ACCEPTED)

    def test_refuses_a_second_time(self, market: Market, staff: Actor) -> None:
        request = primary_market.issuance(market, state=IssuanceState.FUNDED)

        with pytest.raises(IllegalTransition):
            services.confirm_funding(request.pk, actor=staff, at=AT)


def accept(request: IssuanceRequest, actor: Actor, *, at: datetime = AT) -> IssuanceRequest:
    return services.accept(
        request.pk, delivering_party="Broker AG", trade_date=at.date(), actor=actor, at=at
    )


def make_cancelled(request: IssuanceRequest, actor: Actor) -> None:
    assert request.instruction_id is not None
    custody_services.cancel_instruction(request.instruction_id, actor=actor, at=AT)


def split(market: Market, value: Decimal, *, at: datetime) -> None:
    """Let a token stand for `value` shares from `at` on."""
    current = Multiplier.objects.get(deployment=market.deployment)
    current.effective = type(current.effective)(current.effective.lower, at)
    current.save()
    instruments.multiplier(market.deployment, value, start=at)


def subject_of(kind: ScopeKind, market: Market) -> Any:
    subjects: dict[ScopeKind, Callable[[], Any]] = {
        ScopeKind.PROGRAM: lambda: market.token.program_id,
        ScopeKind.TOKEN: lambda: market.token.pk,
        ScopeKind.NETWORK: lambda: market.deployment.network_id,
        ScopeKind.CUSTODIAN: lambda: market.account.custodian_id,
    }
    return subjects[kind]()


def assert_nothing_written() -> None:
    assert not IssuanceRequest.objects.exists()
    assert not AuditEvent.objects.filter(action__startswith="issuance.").exists()
    assert not Event.objects.filter(type__startswith="issuance.").exists()
