"""A write is carried out once per participant and key."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from django.db import connection, connections, transaction

from issuer.api.models import ServedRequest
from issuer.approvals.models import Proposal
from issuer.foundation import clock
from issuer.gate import services as gate
from issuer.gate.models import Cause, GateState, ScopeKind
from issuer.primary_market.models import IssuanceRequest
from tests.make import api, primary_market
from tests.make.api import Partner, problem
from tests.make.primary_market import Market


def body_for(market: Market, **members: Any) -> dict[str, Any]:
    return {
        "token": market.token.symbol,
        "network": market.deployment.network.caip2,
        "wallet": market.wallet.address,
        "quantity": "600",
        "client_reference": "desk-1042",
    } | members


@pytest.mark.django_db
class TestIdempotent:
    def test_repeats_the_first_answer_to_the_byte(self, market: Market, door: Partner) -> None:
        first = door.post("issuances", body_for(market), key="desk-1042")
        again = door.post("issuances", body_for(market), key="desk-1042")

        assert (first.status_code, again.status_code) == (201, 201)
        assert again.content == first.content
        assert "Idempotent-Replayed" not in first.headers
        assert again.headers["Idempotent-Replayed"] == "true"
        assert IssuanceRequest.objects.count() == 1

    def test_repeats_it_although_the_request_has_gone_on(
        self, market: Market, door: Partner
    ) -> None:
        first = door.post("issuances", body_for(market), key="1")
        door.post(f"issuances/{first.json()['id']}/cancel", key="2")

        assert door.post("issuances", body_for(market), key="1").json()["state"] == "REQUESTED"

    def test_refuses_another_body_under_the_same_key(self, market: Market, door: Partner) -> None:
        door.post("issuances", body_for(market), key="1")

        response = door.post("issuances", body_for(market, quantity="601"), key="1")

        assert problem(response) == (422, "idempotency-key-reused")
        assert IssuanceRequest.objects.count() == 1

    def test_refuses_another_address_under_the_same_key(
        self, market: Market, door: Partner
    ) -> None:
        first = door.post("issuances", body_for(market), key="1")

        response = door.post(f"issuances/{first.json()['id']}/cancel", key="1")

        assert problem(response) == (422, "idempotency-key-reused")

    @pytest.mark.parametrize("key", [None, "two words", "ü", "x" * 129])
    def test_refuses_a_write_without_a_usable_key(
        self, market: Market, door: Partner, key: str | None
    ) -> None:
        response = door.post("issuances", body_for(market), key=key)

        assert problem(response) == (400, "idempotency-key-missing")
        assert not IssuanceRequest.objects.exists()

    def test_a_refused_request_leaves_no_key(self, market: Market, door: Partner) -> None:
        refused = door.post("issuances", body_for(market, quantity="0"), key="1")
        taken = door.post("issuances", body_for(market), key="1")

        assert problem(refused) == (422, "quantity-malformed")
        assert taken.status_code == 201
        assert ServedRequest.objects.count() == 1

    def test_keys_of_two_participants_have_nothing_to_do_with_each_other(
        self, market: Market, door: Partner
    ) -> None:
        other = primary_market.market(at=clock.now())
        other_door = Partner(api.key(other.participant, at=clock.now())[1])

        first = door.post("issuances", body_for(market), key="1")
        second = other_door.post("issuances", body_for(other), key="1")

        assert (first.status_code, second.status_code) == (201, 201)
        assert first.json()["id"] != second.json()["id"]

    def test_two_keys_of_one_participant_share_what_they_sent(
        self, market: Market, door: Partner
    ) -> None:
        other_door = Partner(api.key(market.participant, at=clock.now())[1])

        first = door.post("issuances", body_for(market), key="1")
        again = other_door.post("issuances", body_for(market), key="1")

        assert again.content == first.content


@pytest.mark.django_db(transaction=True)
class TestAtOnce:
    def test_twenty_equal_posts_make_one_request(self, market: Market, door: Partner) -> None:
        barrier = Barrier(20)

        def post(_: int) -> tuple[int, bytes, bool]:
            barrier.wait(timeout=30)
            try:
                response = door.post("issuances", body_for(market), key="desk-1042")
            finally:
                connection.close()
            return response.status_code, response.content, "Idempotent-Replayed" in response.headers

        with ThreadPoolExecutor(20) as pool:
            answers = list(pool.map(post, range(20)))

        assert IssuanceRequest.objects.count() == 1
        assert {(status, content) for status, content, _ in answers} == {(201, answers[0][1])}
        assert sorted(replayed for _, _, replayed in answers) == [False] + [True] * 19
        assert not Proposal.objects.exists()

    def test_who_waits_too_long_is_told_to_come_again(self, market: Market, door: Partner) -> None:
        with ThreadPoolExecutor(1) as pool, transaction.atomic():
            # A halt that is under way, and not committed yet.
            gate.place_hold(
                kind=ScopeKind.TOKEN,
                subject_id=market.token.pk,
                effect=GateState.HALTED,
                cause=Cause.PERSON,
                reason="Looked into.",
                actor=primary_market.PARTNER,
                at=clock.now(),
            )
            response = pool.submit(impatient, door, body_for(market)).result()

        assert problem(response) == (503, "busy")
        assert response.headers["Retry-After"] == "5"
        assert not IssuanceRequest.objects.exists()
        assert not ServedRequest.objects.exists()


def impatient(door: Partner, body: dict[str, Any]) -> Any:
    try:
        with connections["default"].cursor() as cursor:
            cursor.execute("SET lock_timeout = '200ms'")
        return door.post("issuances", body)
    finally:
        connection.close()
