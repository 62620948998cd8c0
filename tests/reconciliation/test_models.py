"""What PostgreSQL refuses, past all Python."""

from datetime import datetime
from decimal import Decimal
from importlib import import_module
from typing import Any

import pytest
from django.db import IntegrityError, connection, models, transaction
from psycopg import errors as psycopg_errors

from issuer.foundation.identifiers import uuid7
from issuer.reconciliation.models import Break, Line, TokenResult
from issuer.reconciliation.states import BreakCode
from tests.make import chain, parties, reconciliation, reserves

pytestmark = pytest.mark.django_db

LATER = datetime.fromisoformat("2026-12-01T00:00:00+00:00")
EARLIER = datetime.fromisoformat("2026-10-01T00:00:00+00:00")


def name_of(refusal: IntegrityError) -> str | None:
    cause = refusal.__cause__
    assert isinstance(cause, psycopg_errors.IntegrityError)
    return cause.diag.constraint_name


def inserted_again(row: models.Model, **columns: Any) -> str | None:
    """Return the name of the constraint that refuses a second row like `row`."""
    row.pk = uuid7()
    for name, value in columns.items():
        setattr(row, name, value)
    with pytest.raises(IntegrityError) as refusal, transaction.atomic():
        type(row)._base_manager.bulk_create([row])
    return name_of(refusal.value)


class TestTokenResult:
    @pytest.fixture
    def result(self, at: datetime) -> TokenResult:
        token, _, _ = reserves.backed_token(at=at)
        result: TokenResult = reconciliation.run(token.program, at=at).results.get()
        return result

    def test_is_one_per_run_and_token(self, result: TokenResult) -> None:
        assert inserted_again(result) == "result_once_per_run_and_token"

    def test_has_a_known_status(self, result: TokenResult) -> None:
        result.run = reconciliation.run()

        assert inserted_again(result, status="FINE") == "result_status_known"

    @pytest.mark.parametrize(
        "columns",
        [
            {"owed_shares": None},
            {"held_shares": None},
            {"surplus_shares": None},
            {"headroom": None},
            {"status": "UNKNOWN", "reasons": ["Silence."]},
            {"status": "UNKNOWN", "surplus_shares": None, "headroom": None},
        ],
    )
    def test_is_unknown_exactly_where_a_figure_is_missing(
        self, columns: dict[str, Any], result: TokenResult
    ) -> None:
        result.run = reconciliation.run()

        assert inserted_again(result, **columns) == "result_unknown_iff_a_figure_is_missing"

    def test_may_be_unknown_with_a_reason(self, at: datetime) -> None:
        token, deployment, _ = reserves.backed_token(at=at)
        chain.trouble(deployment.network)

        result = reconciliation.run(token.program, at=at).results.get()

        assert result.status == "UNKNOWN"


class TestLine:
    def test_is_one_per_result_and_code(self, at: datetime) -> None:
        token, _, _ = reserves.backed_token(at=at)
        reconciliation.run(token.program, at=at)

        assert inserted_again(Line.objects.get(code="A1")) == "line_code_once_per_result"


class TestBreak:
    @pytest.mark.parametrize(
        ("columns", "name"),
        [
            ({"code": "ODD"}, "break_code_known"),
            ({"severity": "DIRE"}, "break_severity_known"),
            ({"state": "LOST"}, "break_state_known"),
            ({"ended_at": LATER}, "break_ended_has_time_and_ground"),
            ({"state": "CLEARED", "ended_at": LATER}, "break_ended_has_time_and_ground"),
            ({"state": "CLOSED", "ended_at": LATER}, "break_ended_has_time_and_ground"),
            ({"state": "CLOSED", "explanation": "Why."}, "break_ended_has_time_and_ground"),
            ({"last_seen_at": EARLIER}, "break_seen_after_it_opened"),
        ],
    )
    def test_has_a_shape(self, columns: dict[str, Any], name: str) -> None:
        found = reconciliation.break_(quantity=Decimal(5))

        with pytest.raises(IntegrityError) as refusal, transaction.atomic():
            Break.objects.filter(pk=found.pk).update(**columns)

        assert name_of(refusal.value) in {name, *self.besides(columns)}

    def test_is_open_once_per_cause(self) -> None:
        found = reconciliation.break_()

        assert inserted_again(found) == "break_open_once_per_cause"

    @staticmethod
    def besides(columns: dict[str, Any]) -> set[str]:
        """An unknown state has no shape either; PostgreSQL names the first rule that it meets."""
        return {"break_ended_has_time_and_ground"} if columns.get("state") == "LOST" else set()


class TestBreaksFromBeforeRolesWereNamed:
    def test_are_named_after_minters_and_back(self) -> None:
        migration = import_module("issuer.reconciliation.migrations.0002_name_the_role_in_breaks")
        address = parties.evm_address()
        found = reconciliation.break_(code=BreakCode.CHN_UNK)
        Break.objects.update(subject=f"eip155:1:{address}")

        with connection.cursor() as cursor:
            cursor.execute(migration.NAME_THE_ROLE)
            found.refresh_from_db()
            assert found.subject == f"eip155:1:MINTER:{address}"
            cursor.execute(migration.FORGET_THE_ROLE)

        found.refresh_from_db()
        assert found.subject == f"eip155:1:{address}"
