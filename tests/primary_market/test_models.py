"""What PostgreSQL refuses of requests, past all Python."""

from decimal import Decimal
from typing import Any

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction
from psycopg import errors as psycopg_errors

from issuer.primary_market.models import IssuanceRequest, IssuanceTransition
from issuer.primary_market.states import FINAL_STATES, IssuanceState
from tests.make import primary_market
from tests.make.primary_market import AT, Market

pytestmark = pytest.mark.django_db

_S = IssuanceState


class TestIssuanceRequest:
    @pytest.mark.parametrize(
        ("name", "state", "columns"),
        [
            ("issuance_state_known", _S.REQUESTED, {"state": "PENDING"}),
            ("issuance_accepted_has_instruction", _S.REQUESTED, {"state": _S.ACCEPTED}),
            ("issuance_accepted_has_instruction", _S.FUNDED, {"instruction": None}),
            ("issuance_mint_known_iff_on_chain", _S.APPROVED, {"state": _S.MINTING}),
            ("issuance_mint_known_iff_on_chain", _S.MINTING, {"state": _S.APPROVED}),
            ("issuance_mint_known_iff_on_chain", _S.MINTING, {"mint_intent": None}),
            ("issuance_completed_iff_time", _S.MINTING, {"state": _S.COMPLETED}),
            ("issuance_completed_iff_time", _S.REQUESTED, {"completed_at": AT}),
            ("issuance_stopped_says_why", _S.REQUESTED, {"state": _S.REJECTED}),
            ("issuance_stopped_says_why", _S.REQUESTED, {"state": _S.CANCELLED}),
            ("issuance_stopped_says_why", _S.FROZEN, {"reason": ""}),
        ],
    )
    def test_refuses_a_state_of_another_shape(
        self, market: Market, name: str, state: IssuanceState, columns: dict[str, Any]
    ) -> None:
        request = primary_market.issuance(market, state=state)

        assert refusal_of(request, **columns) == name

    @pytest.mark.parametrize(
        ("name", "columns"),
        [
            ("issuance_quantity_positive", {"quantity": Decimal(0)}),
            ("issuance_multiplier_positive", {"multiplier": Decimal(0)}),
            ("issuance_shares_positive", {"shares": Decimal(0)}),
        ],
    )
    def test_refuses_a_request_for_nothing(
        self, market: Market, name: str, columns: dict[str, Any]
    ) -> None:
        with pytest.raises(IntegrityError, match=name), transaction.atomic():
            create(market, **columns)

    def test_issuance_client_reference_once(self, market: Market) -> None:
        create(market)

        with (
            pytest.raises(IntegrityError, match="issuance_client_reference_once"),
            transaction.atomic(),
        ):
            create(market)

    @pytest.mark.parametrize(
        "columns",
        [
            {"quantity": Decimal(601)},
            {"client_reference": "other"},
            {"expires_at": AT},
            {"requested_by": "SYSTEM:somebody"},
        ],
    )
    def test_issuance_terms_unchangeable(self, market: Market, columns: dict[str, Any]) -> None:
        request = primary_market.issuance(market)

        assert refusal_of(request, **columns) == "issuance_terms_unchangeable"

    @pytest.mark.parametrize("columns", [{"shares": Decimal(1)}, {"multiplier": Decimal(2)}])
    def test_issuance_requoted_with_a_booked_split(
        self, market: Market, columns: dict[str, Any]
    ) -> None:
        request = primary_market.issuance(market)

        assert refusal_of(request, **columns) == "issuance_requoted_with_a_booked_split"

    def test_issuance_never_deleted(self, market: Market) -> None:
        request = primary_market.issuance(market)

        with pytest.raises(DatabaseError) as refused, transaction.atomic():
            IssuanceRequest.objects.filter(pk=request.pk).delete()

        assert constraint_of(refused.value) == "issuance_never_deleted"

    @pytest.mark.parametrize("state", sorted(FINAL_STATES))
    def test_issuance_ended_stays_ended(self, market: Market, state: IssuanceState) -> None:
        request = primary_market.issuance(market, state=state)

        assert refusal_of(request, state=_S.REQUESTED) == "issuance_ended_stays_ended"


class TestIssuanceTransition:
    @pytest.mark.parametrize(
        "statement",
        [
            "UPDATE primary_market_issuancetransition SET actor = 'SYSTEM:somebody'",
            "DELETE FROM primary_market_issuancetransition",
        ],
    )
    def test_primary_market_issuancetransition_append_only(
        self, market: Market, statement: str
    ) -> None:
        primary_market.issuance(market, state=_S.ACCEPTED)

        with (
            pytest.raises(DatabaseError) as refused,
            transaction.atomic(),
            connection.cursor() as cursor,
        ):
            cursor.execute(statement)

        assert constraint_of(refused.value) == "primary_market_issuancetransition_append_only"
        assert IssuanceTransition.objects.get().step == "ACCEPT"

    def test_reads_as_a_way(self, market: Market) -> None:
        request = primary_market.issuance(market, state=_S.ACCEPTED, client_reference="desk-1")

        assert str(request) == f"desk-1 ({request.pk})"
        assert str(request.transitions.get()) == "REQUESTED to ACCEPTED"


def create(market: Market, **columns: Any) -> IssuanceRequest:
    values: dict[str, Any] = {
        "participant": market.participant,
        "token": market.token,
        "deployment": market.deployment,
        "wallet": market.wallet,
        "quantity": Decimal(600),
        "multiplier": Decimal(1),
        "shares": Decimal(600),
        "client_reference": "desk-1042",
        "requested_by": "PARTNER:1",
        "requested_at": AT,
        "expires_at": AT,
    }
    return IssuanceRequest.objects.create(**values | columns)


def refusal_of(request: IssuanceRequest, **columns: Any) -> str | None:
    with pytest.raises(DatabaseError) as refused, transaction.atomic():
        IssuanceRequest.objects.filter(pk=request.pk).update(**columns)
    return constraint_of(refused.value)


def constraint_of(refused: DatabaseError) -> str | None:
    cause = refused.__cause__
    assert isinstance(cause, psycopg_errors.Error)
    return cause.diag.constraint_name
