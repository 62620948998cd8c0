"""Keys: shown once, kept as a hash, ended by time or by revocation."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import DatabaseError, IntegrityError, transaction
from psycopg import errors as psycopg_errors

from issuer.api import errors, keys, selectors, services
from issuer.api.models import ApiKey, Scope, ServedRequest
from issuer.audit.models import AuditEvent
from issuer.foundation.actors import Actor
from tests.make import api, parties

pytestmark = pytest.mark.django_db

AT = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)


class TestIssueKey:
    def test_returns_the_key_once_and_keeps_its_hash_only(self, staff: Actor) -> None:
        participant = parties.participant()

        key, text = services.issue_key(
            participant=participant,
            label="Trading desk",
            scopes=[Scope.TRADE, Scope.READ],
            expires_at=AT + timedelta(days=365),
            actor=staff,
            at=AT,
        )

        plain = keys.parse(text)
        assert plain is not None
        assert text == f"iss_{key.prefix}_{plain.secret}"
        assert len(plain.secret) == 64
        assert key.scopes == ["READ", "TRADE"]
        stored = str(ApiKey.objects.values().get())
        assert plain.secret not in stored
        assert plain.secret not in str(AuditEvent.objects.values_list("facts"))
        assert plain.secret not in repr(plain)
        assert AuditEvent.objects.get(action="api_key.issue").facts["prefix"] == key.prefix

    @pytest.mark.parametrize("days", [-1, 0, 367])
    def test_refuses_a_key_that_is_over_or_lives_too_long(self, days: int) -> None:
        with pytest.raises(errors.KeyLifetimeRefused):
            api.key(at=AT, lifetime=timedelta(days=days))

        assert not ApiKey.objects.exists()


class TestRevokeKey:
    def test_ends_the_key(self, staff: Actor) -> None:
        key, text = api.key(at=AT)

        services.revoke_key(key.pk, actor=staff, at=AT)

        with pytest.raises(errors.KeyRevoked):
            selectors.key_in_force(text, at=AT)

    def test_refuses_a_second_time(self, staff: Actor) -> None:
        key, _ = api.key(at=AT)
        services.revoke_key(key.pk, actor=staff, at=AT)

        with pytest.raises(errors.KeyRevokedBefore):
            services.revoke_key(key.pk, actor=staff, at=AT + timedelta(days=1))

        key.refresh_from_db()
        assert key.revoked_at == AT


class TestKeyInForce:
    def test_knows_a_key_until_it_ends(self) -> None:
        key, text = api.key(at=AT, lifetime=timedelta(days=1))

        assert selectors.key_in_force(text, at=AT + timedelta(hours=23)) == key
        with pytest.raises(errors.KeyExpired):
            selectors.key_in_force(text, at=AT + timedelta(days=1))

    @pytest.mark.parametrize("change", ["another secret", "another prefix", "no form", "nothing"])
    def test_refuses_what_was_not_issued(self, change: str) -> None:
        key, text = api.key(at=AT)
        texts = {
            "another secret": f"iss_{key.prefix}_{'0' * 64}",
            "another prefix": f"iss_{'0' * 12}_{text[-64:]}",
            "no form": f"{text} ",
            "nothing": "",
        }

        with pytest.raises(errors.KeyInvalid):
            selectors.key_in_force(texts[change], at=AT)

    def test_tells_nobody_without_the_secret_that_a_key_was_revoked(self, staff: Actor) -> None:
        key, _ = api.key(at=AT)
        services.revoke_key(key.pk, actor=staff, at=AT)

        with pytest.raises(errors.KeyInvalid):
            selectors.key_in_force(f"iss_{key.prefix}_{'0' * 64}", at=AT)


class TestForgetServedRequests:
    def test_forgets_what_is_older_than_answers_are_kept(self) -> None:
        participant = parties.participant()
        for number, age in enumerate([timedelta(), services.ANSWERS_KEPT, timedelta(days=8)]):
            ServedRequest.objects.create(
                participant=participant,
                idempotency_key=str(number),
                fingerprint="0" * 64,
                status=201,
                body="{}",
                served_at=AT - age,
            )

        assert services.forget_served_requests(at=AT) == 1
        assert ServedRequest.objects.count() == 2


class TestConstraints:
    """What PostgreSQL refuses, past all Python."""

    @pytest.mark.parametrize(
        ("name", "columns"),
        [
            ("api_key_hash_is_sha256", {"secret_hash": "plain"}),
            ("api_key_expires_after_issue", {"expires_at": AT}),
            ("api_key_has_a_scope", {"scopes": []}),
            ("api_key_has_a_scope", {"scopes": ["ADMIN"]}),
            ("api_key_has_a_label", {"label": ""}),
            ("api_key_revocation_has_time_and_author", {"revoked_by": "STAFF:1"}),
            ("api_key_revocation_has_time_and_author", {"revoked_at": AT}),
        ],
    )
    def test_refuses_a_key_that_is_none(self, name: str, columns: dict[str, object]) -> None:
        values = {
            "participant": parties.participant(),
            "label": "Desk",
            "prefix": "0" * 12,
            "secret_hash": "0" * 64,
            "scopes": ["READ"],
            "issued_by": "STAFF:1",
            "issued_at": AT,
            "expires_at": AT + timedelta(days=1),
        }

        with pytest.raises(IntegrityError, match=name), transaction.atomic():
            ApiKey.objects.create(**values | columns)

    @pytest.mark.parametrize(
        "columns",
        [{"scopes": ["READ"]}, {"expires_at": AT + timedelta(days=900)}, {"label": "Other"}],
    )
    def test_api_key_only_revoked(self, columns: dict[str, object]) -> None:
        key, _ = api.key(at=AT)

        assert refusal_of(key, **columns) == "api_key_only_revoked"

    def test_api_key_only_revoked_once(self, staff: Actor) -> None:
        key, _ = api.key(at=AT)
        services.revoke_key(key.pk, actor=staff, at=AT)

        columns = {"revoked_at": None, "revoked_by": ""}
        assert refusal_of(key, **columns) == "api_key_only_revoked"

    def test_api_key_never_deleted(self) -> None:
        api.key(at=AT)

        with pytest.raises(DatabaseError) as refused, transaction.atomic():
            ApiKey.objects.all().delete()

        assert constraint_of(refused.value) == "api_key_never_deleted"

    @pytest.mark.parametrize(
        ("name", "columns"),
        [
            ("served_request_answer_is_whole", {"status": 201}),
            ("served_request_answer_is_whole", {"body": "{}"}),
            ("served_request_fingerprint_is_sha256", {"fingerprint": "x"}),
            ("served_request_key_is_printable", {"idempotency_key": "a b"}),
            ("served_request_key_is_printable", {"idempotency_key": ""}),
        ],
    )
    def test_refuses_an_answer_that_is_none(self, name: str, columns: dict[str, object]) -> None:
        values = {
            "participant": parties.participant(),
            "idempotency_key": "1",
            "fingerprint": "0" * 64,
            "served_at": AT,
        }

        with pytest.raises(IntegrityError, match=name), transaction.atomic():
            ServedRequest.objects.create(**values | columns)

    def test_served_request_once_per_participant_and_key(self) -> None:
        participant = parties.participant()
        values = {"idempotency_key": "1", "fingerprint": "0" * 64, "served_at": AT}
        ServedRequest.objects.create(participant=participant, **values)
        ServedRequest.objects.create(participant=parties.participant(), **values)

        with (
            pytest.raises(IntegrityError, match="served_request_once_per_participant_and_key"),
            transaction.atomic(),
        ):
            ServedRequest.objects.create(participant=participant, **values)


def refusal_of(key: ApiKey, **columns: object) -> str | None:
    with pytest.raises(DatabaseError) as refused, transaction.atomic():
        ApiKey.objects.filter(pk=key.pk).update(**columns)
    return constraint_of(refused.value)


def constraint_of(refused: DatabaseError) -> str | None:
    cause = refused.__cause__
    assert isinstance(cause, psycopg_errors.Error)
    return cause.diag.constraint_name
