"""What PostgreSQL refuses of redemptions, deposits and returns, past all Python."""

from decimal import Decimal
from typing import Any

import pytest
from django.db import DatabaseError, IntegrityError, connection, models, transaction

from issuer.primary_market.models import (
    Deposit,
    DepositReturn,
    RedemptionRequest,
    RedemptionTransition,
)
from issuer.primary_market.states import DepositState, RedemptionState, ReturnState
from tests.make import redemptions
from tests.make.primary_market import AT, Market
from tests.make.redemptions import deposit, redemption
from tests.primary_market.test_models import constraint_of

pytestmark = pytest.mark.django_db

_S = RedemptionState
NONE = Decimal(0)


@pytest.fixture
def market() -> Market:
    """A participant who holds 600 tokens and can return them."""
    return redemptions.market()


def refusal_of(row: models.Model, **columns: Any) -> str | None:
    """Return which constraint refuses to set `columns`, at the end of the transaction at last."""
    check_what_was_deferred()
    with pytest.raises(DatabaseError) as refused, transaction.atomic():
        change(row, **columns)
    return constraint_of(refused.value)


def change(row: models.Model, **columns: Any) -> None:
    type(row)._default_manager.filter(pk=row.pk).update(**columns)
    check_what_was_deferred()


def check_what_was_deferred() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")


class TestRedemptionRequest:
    @pytest.mark.parametrize(
        ("name", "state", "columns"),
        [
            ("redemption_state_known", _S.REQUESTED, {"state": "PENDING"}),
            ("redemption_received_within_quantity", _S.REQUESTED, {"received": Decimal(-1)}),
            ("redemption_received_within_quantity", _S.REQUESTED, {"received": Decimal(101)}),
            ("redemption_all_received_before_approval", _S.RECEIVED, {"received": Decimal(99)}),
            (
                "redemption_all_received_before_approval",
                _S.AWAITING_TOKENS,
                {"state": _S.APPROVED},
            ),
            (
                "redemption_quarantined_with_tokens",
                _S.AWAITING_TOKENS,
                {"state": _S.QUARANTINED, "reason": "A hit."},
            ),
            (
                "redemption_accepted_says_where_to_deliver",
                _S.REQUESTED,
                {"state": _S.AWAITING_TOKENS},
            ),
            (
                "redemption_accepted_says_where_to_deliver",
                _S.AWAITING_TOKENS,
                {"receiving_party": ""},
            ),
            ("redemption_burn_known_iff_on_chain", _S.APPROVED, {"state": _S.BURNING}),
            ("redemption_burn_known_iff_on_chain", _S.BURNING, {"state": _S.APPROVED}),
            ("redemption_burn_known_iff_on_chain", _S.BURNING, {"burn_intent": None}),
            ("redemption_delivery_known_iff_instructed", _S.BURNED, {"state": _S.DELIVERING}),
            ("redemption_delivery_known_iff_instructed", _S.DELIVERING, {"instruction": None}),
            ("redemption_delivery_known_iff_instructed", _S.DELIVERING, {"state": _S.BURNED}),
            ("redemption_completed_iff_time", _S.DELIVERING, {"state": _S.COMPLETED}),
            ("redemption_completed_iff_time", _S.REQUESTED, {"completed_at": AT}),
            ("redemption_stopped_says_why", _S.REQUESTED, {"state": _S.REJECTED}),
            ("redemption_stopped_says_why", _S.REQUESTED, {"state": _S.FROZEN}),
            ("redemption_stopped_says_why", _S.QUARANTINED, {"reason": ""}),
            ("redemption_received_what_came", _S.AWAITING_TOKENS, {"received": Decimal(60)}),
            ("redemption_terms_unchangeable", _S.REQUESTED, {"quantity": Decimal(101)}),
            ("redemption_terms_unchangeable", _S.REQUESTED, {"minimum": Decimal(2)}),
            ("redemption_terms_unchangeable", _S.REQUESTED, {"deposit_address": "0x1"}),
            ("redemption_terms_unchangeable", _S.REQUESTED, {"client_reference": "other"}),
            (
                "redemption_requoted_with_a_booked_split",
                _S.REQUESTED,
                {"multiplier": Decimal(2)},
            ),
            ("redemption_requoted_with_a_booked_split", _S.REQUESTED, {"shares": Decimal(1)}),
        ],
    )
    def test_refuses_what_must_never_be(
        self, market: Market, name: str, state: RedemptionState, columns: dict[str, Any]
    ) -> None:
        request = redemption(market, state=state)

        assert refusal_of(request, **columns) == name

    @pytest.mark.parametrize(
        ("name", "columns"),
        [
            ("redemption_quantity_positive", {"quantity": NONE}),
            ("redemption_multiplier_positive", {"multiplier": NONE}),
            ("redemption_shares_positive", {"shares": NONE}),
        ],
    )
    def test_refuses_a_request_for_nothing(
        self, market: Market, name: str, columns: dict[str, Any]
    ) -> None:
        request = redemption(market)

        assert copy_refused_by(request, client_reference="other", **columns) == name

    def test_redemption_client_reference_once(self, market: Market) -> None:
        request = redemption(market)

        assert copy_refused_by(request) == "redemption_client_reference_once"

    def test_redemption_burn_of_one_request(self, market: Market) -> None:
        burning = redemption(market, state=_S.BURNING)
        other = redemption(market, state=_S.APPROVED)

        refused = refusal_of(other, state=_S.BURNING, burn_intent=burning.burn_intent)

        assert refused == "redemption_burn_of_one_request"

    def test_redemption_never_deleted(self, market: Market) -> None:
        request = redemption(market)

        with pytest.raises(DatabaseError) as refused, transaction.atomic():
            RedemptionRequest.objects.filter(pk=request.pk).delete()

        assert constraint_of(refused.value) == "redemption_never_deleted"

    @pytest.mark.parametrize(
        "state", [_S.COMPLETED, _S.RETURNED, _S.REJECTED, _S.CANCELLED, _S.EXPIRED]
    )
    def test_redemption_ended_stays_ended(self, market: Market, state: RedemptionState) -> None:
        request = redemption(market, state=state)

        assert refusal_of(request, reason="Again.") == "redemption_ended_stays_ended"


class TestRedemptionTransition:
    @pytest.mark.parametrize(
        "statement",
        [
            "UPDATE primary_market_redemptiontransition SET actor = 'SYSTEM:somebody'",
            "DELETE FROM primary_market_redemptiontransition",
        ],
    )
    def test_primary_market_redemptiontransition_append_only(
        self, market: Market, statement: str
    ) -> None:
        request = redemption(market, state=_S.AWAITING_TOKENS, client_reference="back-1")

        with (
            pytest.raises(DatabaseError) as refused,
            transaction.atomic(),
            connection.cursor() as cursor,
        ):
            cursor.execute(statement)

        assert constraint_of(refused.value) == "primary_market_redemptiontransition_append_only"
        assert str(RedemptionTransition.objects.get()) == "REQUESTED to AWAITING_TOKENS"
        assert str(request) == f"back-1 ({request.pk})"


class TestDeposit:
    @pytest.mark.parametrize(
        ("name", "quantity", "columns"),
        [
            ("deposit_state_known", 110, {"state": "LOST"}),
            ("deposit_cause_known", 110, {"cause": "LOST"}),
            ("deposit_parts_within_it", 110, {"returned": Decimal(111)}),
            ("deposit_matched_as_a_whole_or_says_why", 60, {"cause": "SURPLUS"}),
            ("deposit_matched_as_a_whole_or_says_why", 60, {"state": DepositState.UNMATCHED}),
            ("deposit_matched_as_a_whole_or_says_why", 110, {"state": DepositState.MATCHED}),
            ("deposit_returned_iff_it_went_back", 110, {"state": DepositState.RETURNING}),
            ("deposit_keeps_what_came", 60, {"quantity": Decimal(61)}),
            ("deposit_keeps_what_came", 60, {"matched": Decimal(59)}),
            ("deposit_keeps_what_came", 60, {"redemption": None, "matched": NONE}),
            ("deposit_keeps_what_came", 60, {"returned": Decimal(-1)}),
        ],
    )
    def test_refuses_what_must_never_be(
        self, market: Market, name: str, quantity: int, columns: dict[str, Any]
    ) -> None:
        redemption(market, state=_S.AWAITING_TOKENS)
        found = deposit(market, Decimal(quantity))

        assert refusal_of(found, **columns) == name

    @pytest.mark.parametrize(
        ("name", "columns"),
        [
            ("deposit_of_something", {"quantity": NONE}),
            ("deposit_matched_iff_redemption", {"matched": Decimal(1)}),
        ],
    )
    def test_refuses_one_of_another_shape(
        self, market: Market, name: str, columns: dict[str, Any]
    ) -> None:
        came = redemptions.transfer(market, Decimal(60))
        values: dict[str, Any] = {
            "transfer": came,
            "quantity": Decimal(60),
            "state": DepositState.UNMATCHED,
            "cause": "NOTHING_OPEN",
            "recorded_at": AT,
        }

        with pytest.raises(IntegrityError) as refused, transaction.atomic():
            Deposit.objects.create(**values | columns)

        assert constraint_of(refused.value) == name

    def test_deposit_counted_where_it_is_matched(self, market: Market) -> None:
        request = redemption(market, state=_S.AWAITING_TOKENS)
        found = deposit(market, Decimal(60), sender=redemptions.stranger())

        refused = refusal_of(
            found,
            redemption=request,
            matched=Decimal(60),
            state=DepositState.MATCHED,
            cause="",
        )

        assert refused == "deposit_counted_where_it_is_matched"

    def test_deposit_never_deleted(self, market: Market) -> None:
        found = deposit(market, Decimal(60))

        with pytest.raises(DatabaseError) as refused, transaction.atomic():
            Deposit.objects.filter(pk=found.pk).delete()

        assert constraint_of(refused.value) == "deposit_never_deleted"
        assert str(found) == f"Deposit of 60 {market.token}"


class TestDepositReturn:
    @pytest.mark.parametrize(
        ("name", "state", "columns"),
        [
            ("return_state_known", ReturnState.PROPOSED, {"state": "LOST", "closed_at": AT}),
            ("return_of_something", ReturnState.PROPOSED, {"quantity": NONE}),
            ("return_says_why", ReturnState.PROPOSED, {"reason": ""}),
            ("return_intent_known_iff_on_chain", ReturnState.APPROVED, {"state": "SIGNED"}),
            ("return_intent_known_iff_on_chain", ReturnState.SIGNED, {"state": "APPROVED"}),
            ("return_closed_iff_time", ReturnState.PROPOSED, {"state": "DECLINED"}),
            ("return_closed_iff_time", ReturnState.PROPOSED, {"closed_at": AT}),
        ],
    )
    def test_refuses_what_must_never_be(
        self, market: Market, name: str, state: ReturnState, columns: dict[str, Any]
    ) -> None:
        found = redemptions.a_return(deposit(market, Decimal(60)), state=state)

        assert refusal_of(found, **columns) == name

    def test_return_open_once_per_deposit(self, market: Market) -> None:
        waiting = deposit(market, Decimal(60))
        found = redemptions.a_return(waiting)

        with pytest.raises(IntegrityError) as refused, transaction.atomic():
            DepositReturn.objects.create(
                deposit=waiting,
                quantity=Decimal(1),
                recipient=found.recipient,
                reason="Again.",
                proposed_by="SYSTEM:make",
                proposed_at=AT,
            )

        assert constraint_of(refused.value) == "return_open_once_per_deposit"
        assert str(found) == f"Return of 60 to {market.wallet.address}"


def copy_refused_by(request: RedemptionRequest, **columns: Any) -> str | None:
    """Return which constraint refuses another request like `request`."""
    kept = {
        field.attname: getattr(request, field.attname)
        for field in RedemptionRequest._meta.concrete_fields
        if field.name != "id"
    }
    with pytest.raises(IntegrityError) as refused, transaction.atomic():
        RedemptionRequest.objects.create(**kept | columns)
    return constraint_of(refused.value)
