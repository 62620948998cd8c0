"""The resources of the first version, from outside."""

import hashlib
import io
import zipfile
from datetime import timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

import pytest
from eth_account import Account
from eth_account.messages import encode_defunct
from pytest_django import DjangoAssertNumQueries

from issuer.api.models import Scope
from issuer.foundation import clock
from issuer.foundation.actors import Actor
from issuer.foundation.identifiers import uuid7
from issuer.gate.models import GateState, ScopeKind
from issuer.kyc.models import Case
from issuer.parties import services as parties
from issuer.parties.models import Wallet
from issuer.primary_market.models import IssuanceRequest
from issuer.primary_market.states import IssuanceState
from tests.api.test_idempotency import body_for
from tests.make import api, chain, gate, instruments, primary_market
from tests.make import attestation as make_attestation
from tests.make.api import Partner, problem
from tests.make.chain import ADMIN_KEY
from tests.make.primary_market import Market

pytestmark = pytest.mark.django_db


class TestTokens:
    def test_shows_where_a_token_is_and_what_it_stands_for(
        self, market: Market, anybody: Partner
    ) -> None:
        token, deployment = market.token, market.deployment

        assert anybody.get(f"tokens/{token.symbol}").json() == {
            "symbol": token.symbol,
            "name": token.name,
            "isin": token.isin,
            "program": token.program.code,
            "unit": "tokens",
            "underlying": {
                "isin": token.security.isin,
                "ticker": token.security.ticker,
                "mic": "XNAS",
                "name": "A share",
            },
            "issuance_open": True,
            "gate": {"state": "OPEN", "holds": []},
            "deployments": [
                {
                    "network": deployment.network.caip2,
                    "address": deployment.address,
                    "caip10": deployment.caip10,
                    "decimals": 18,
                    "multiplier": "1",
                    "multiplier_since": "2026-11-01T00:00:00.000000Z",
                }
            ],
        }

    def test_shows_the_tightest_hold(self, market: Market, anybody: Partner) -> None:
        gate.hold(ScopeKind.TOKEN, market.token.pk, effect=GateState.REDEEM_ONLY)
        gate.hold(ScopeKind.NETWORK, market.deployment.network_id, effect=GateState.HALTED)

        shown = anybody.get(f"tokens/{market.token.symbol}").json()["gate"]

        assert shown["state"] == "HALTED"
        assert [hold["scope"] for hold in shown["holds"]] == ["TOKEN", "NETWORK"]

    def test_lists_by_symbol_with_as_many_queries_for_one_as_for_all(
        self, market: Market, anybody: Partner, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        with django_assert_num_queries(6):
            anybody.get("tokens")
        for _ in range(3):
            instruments.deployment()

        with django_assert_num_queries(6):
            shown = anybody.get("tokens").json()["results"]

        symbols = [token["symbol"] for token in shown]
        assert len(symbols) == 4
        assert symbols == sorted(symbols)


class TestWallets:
    def test_binds_the_address_of_whoever_signs(self, market: Market, door: Partner) -> None:
        account = Account.from_key(ADMIN_KEY)
        challenge = door.post(
            "wallets/challenges", {"namespace": "eip155", "address": account.address}
        )
        assert challenge.status_code == 201
        signed = account.sign_message(encode_defunct(text=challenge.json()["message"]))

        bound = door.post(
            "wallets",
            {"challenge": challenge.json()["id"], "signature": f"0x{signed.signature.hex()}"},
        )

        assert bound.status_code == 201
        assert bound.json()["address"] == account.address
        assert bound.json()["state"] == "BOUND"
        wallet = Wallet.objects.get(address=account.address)
        assert wallet.participant == market.participant

    def test_lists_own_wallets_with_why_they_were_revoked(
        self, market: Market, door: Partner, staff: Actor
    ) -> None:
        primary_market.market(at=clock.now())  # somebody else's
        parties.revoke_wallet(market.wallet, reason="Key lost.", actor=staff, at=clock.now())

        [shown] = door.get("wallets").json()["results"]

        assert shown["address"] == market.wallet.address
        assert (shown["state"], shown["revocation_reason"]) == ("REVOKED", "Key lost.")

    def test_refuses_the_signature_of_another_key(self, market: Market, door: Partner) -> None:
        address = Account.from_key(ADMIN_KEY).address
        challenge = door.post("wallets/challenges", {"namespace": "eip155", "address": address})
        stranger = Account.create()
        signed = stranger.sign_message(encode_defunct(text=challenge.json()["message"]))

        refused = door.post(
            "wallets",
            {"challenge": challenge.json()["id"], "signature": f"0x{signed.signature.hex()}"},
        )

        assert problem(refused) == (422, "signature-mismatch")
        assert not Wallet.objects.filter(address=address).exists()

    def test_refuses_the_challenge_of_another_participant(
        self, market: Market, door: Partner
    ) -> None:
        other = primary_market.market(at=clock.now())
        challenge = parties.challenge_wallet(
            participant=other.participant,
            namespace="eip155",
            address=Account.from_key(ADMIN_KEY).address,
            actor=primary_market.PARTNER,
            at=clock.now(),
        )

        refused = door.post(
            "wallets", {"challenge": str(challenge.pk), "signature": "0x" + "00" * 65}
        )

        assert problem(refused) == (404, "wallet-challenge-missing")


class TestRequestIssuance:
    def test_answers_with_three_sides_and_what_is_needed(
        self, market: Market, door: Partner
    ) -> None:
        response = door.post("issuances", body_for(market))

        assert response.status_code == 201
        shown = response.json()
        assert {name: shown[name] for name in ("state", "business", "custody", "chain")} == {
            "state": "REQUESTED",
            "business": "created",
            "custody": "none",
            "chain": "none",
        }
        assert (shown["quantity"], shown["unit"], shown["decimals"]) == ("600", "tokens", 18)
        assert (shown["multiplier"], shown["shares"]) == ("1", "600")
        assert shown["requirements"] == [
            {
                "code": "acceptance",
                "detail": "We look at the request.",
                "awaiting_action_from": "issuer",
            }
        ]

    @pytest.mark.parametrize(
        ("members", "status", "code"),
        [
            ({"token": "MSFTx"}, 422, "token-unknown"),
            ({"network": "eip155:1"}, 422, "token-not-on-network"),
            ({"wallet": "0x0000000000000000000000000000000000000001"}, 422, "wallet-not-bound"),
            ({"wallet": "0x12"}, 422, "malformed-value"),
            ({"quantity": "0"}, 422, "quantity-malformed"),
            ({"quantity": "-1"}, 422, "quantity-malformed"),
            ({"quantity": "1e3"}, 422, "quantity-malformed"),
            ({"quantity": f"600.{'1' * 19}"}, 422, "quantity-too-fine"),
        ],
    )
    def test_refuses_and_writes_nothing(
        self, market: Market, door: Partner, members: dict[str, str], status: int, code: str
    ) -> None:
        response = door.post("issuances", body_for(market, **members))

        assert problem(response) == (status, code)
        assert not IssuanceRequest.objects.exists()

    @pytest.mark.parametrize("quantity", [600, 0.1, True, None, ["600"]])
    def test_points_at_a_quantity_that_is_no_string(
        self, market: Market, door: Partner, quantity: Any
    ) -> None:
        response = door.post("issuances", body_for(market, quantity=quantity))

        assert problem(response) == (400, "invalid-request")
        assert [error["pointer"] for error in response.json()["errors"]] == ["#/quantity"]
        assert not IssuanceRequest.objects.exists()

    def test_points_at_text_that_is_none(self, market: Market, door: Partner) -> None:
        response = door.post("issuances", body_for(market, client_reference=1042))

        assert [error["pointer"] for error in response.json()["errors"]] == ["#/client_reference"]

    def test_refuses_a_participant_whose_kyc_is_over(self, market: Market, door: Partner) -> None:
        Case.objects.update(valid_until=clock.now().date() - timedelta(days=1))

        assert problem(door.post("issuances", body_for(market))) == (403, "kyc-not-cleared")

    def test_refuses_while_the_gate_is_shut_and_says_why(
        self, market: Market, door: Partner
    ) -> None:
        gate.hold(ScopeKind.TOKEN, market.token.pk)

        response = door.post("issuances", body_for(market))

        assert problem(response) == (409, "reserve-gate-closed")
        assert response.json()["facts"]["reason"] == "The books and the chain differ."

    def test_refuses_a_key_that_may_only_read(self, market: Market) -> None:
        reader = Partner(api.key(market.participant, scopes=(Scope.READ,), at=clock.now())[1])

        response = reader.post("issuances", body_for(market))

        assert problem(response) == (403, "scope-missing")
        assert reader.get("issuances").status_code == 200


class TestIssuances:
    def test_shows_delivery_and_mint_of_a_completed_request(
        self, market: Market, door: Partner
    ) -> None:
        request = primary_market.issuance(market, state=IssuanceState.COMPLETED, at=clock.now())

        shown = door.get(f"issuances/{request.pk}").json()

        assert (shown["business"], shown["custody"], shown["chain"]) == (
            "completed",
            "settled",
            "finalized",
        )
        assert shown["delivery"]["account"] == market.account.reference
        assert shown["delivery"]["shares"] == "600"
        event = request.mint_intent.event if request.mint_intent else None
        assert event is not None
        assert shown["mint"]["transaction_hash"] == event.transaction_hash
        assert shown["requirements"] == []

    def test_what_is_somebody_elses_is_not_there(self, door: Partner) -> None:
        other = primary_market.issuance(at=clock.now())

        assert problem(door.get(f"issuances/{other.pk}")) == (404, "issuance-missing")
        cancelled = door.post(f"issuances/{other.pk}/cancel")
        assert problem(cancelled) == (404, "issuance-missing")
        assert door.get("issuances").json()["results"] == []
        other.refresh_from_db()
        assert other.state == IssuanceState.REQUESTED

    def test_pages_back_and_forth_while_new_requests_come(
        self, market: Market, door: Partner
    ) -> None:
        ids = [str(primary_market.issuance(market, at=clock.now()).pk) for _ in range(5)]

        first = door.get("issuances?limit=2").json()
        primary_market.issuance(market, at=clock.now())
        second = door.get(_path(first["next"])).json()
        third = door.get(_path(second["next"])).json()
        back = door.get(_path(third["previous"])).json()

        assert first["previous"] is None
        assert [_ids(page) for page in (first, second, third)] == [
            [ids[4], ids[3]],
            [ids[2], ids[1]],
            [ids[0]],
        ]
        assert third["next"] is None
        assert _ids(back) == _ids(second)

    @pytest.mark.parametrize(
        "query",
        [
            "limit=0",
            "limit=201",
            "limit=x",
            "limit=00000000199999",
            f"limit=000000001{'9' * 5000}",
            "token=%00",
            "cursor=x",
            "cursor=cD1hYmM%3D",  # p=abc
            "state=DONE",
            "created_at.gte=yesterday",
            "created_at.gte=2026-11-20T00:00:00",
            "created_at.lt=2026-13-45T00:00:00Z",
        ],
    )
    def test_names_the_parameter_that_is_not_valid(self, door: Partner, query: str) -> None:
        response = door.get(f"issuances?{query}")

        assert problem(response) == (400, "invalid-request")
        [error] = response.json()["errors"]
        assert error["parameter"] == query.partition("=")[0]

    def test_filters_by_state_token_and_time(self, market: Market, door: Partner) -> None:
        at = clock.now()
        primary_market.issuance(market, state=IssuanceState.CANCELLED, at=at)
        request = primary_market.issuance(market, at=at + timedelta(hours=1))
        moment = (at + timedelta(minutes=30)).isoformat().replace("+00:00", "Z")

        queries = [
            "state=REQUESTED",
            f"created_at.gte={moment}",
            f"token={market.token.symbol}&state=REQUESTED",
        ]
        found = [_ids(door.get(f"issuances?{query}").json()) for query in queries]

        assert found == [[str(request.pk)]] * 3
        assert _ids(door.get("issuances?token=NONEx").json()) == []
        assert len(_ids(door.get(f"issuances?created_at.lt={moment}").json())) == 1

    def test_lists_with_as_many_queries_for_one_as_for_many(
        self, market: Market, door: Partner, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        primary_market.issuance(market, state=IssuanceState.ACCEPTED, at=clock.now())
        with django_assert_num_queries(2):
            door.get("issuances")
        for _ in range(4):
            primary_market.issuance(market, state=IssuanceState.ACCEPTED, at=clock.now())

        with django_assert_num_queries(2):
            assert len(door.get("issuances").json()["results"]) == 5

    def test_cancels_a_request(self, market: Market, door: Partner) -> None:
        request = primary_market.issuance(market, at=clock.now())

        response = door.post(f"issuances/{request.pk}/cancel")

        assert response.status_code == 200
        assert response.json()["business"] == "cancelled"
        assert problem(door.post(f"issuances/{request.pk}/cancel")) == (409, "illegal-transition")


class TestReserves:
    def test_shows_what_is_held_and_owed_as_strings(self, market: Market, anybody: Partner) -> None:
        primary_market.issuance(market, state=IssuanceState.COMPLETED, at=clock.now())

        shown = anybody.get(f"reserves/{market.token.symbol}").json()

        figures = ("status", "unit", "held", "owed", "surplus", "ratio_bps", "headroom", "reasons")
        assert {name: shown[name] for name in figures} == {
            "status": "COVERED",
            "unit": "shares",
            "held": "600",
            "owed": "600",
            "surplus": "0",
            "ratio_bps": 10_000,
            "headroom": "0",
            "reasons": [],
        }
        [on_chain] = shown["chains"]
        newest = market.deployment.supply_snapshots.first()
        assert newest is not None
        assert (on_chain["supply"], on_chain["block_number"]) == ("600", newest.block_number)
        assert on_chain["block_hash"] == newest.block_hash
        [account] = shown["custody"]
        assert (account["settled"], account["eligible"]) == ("600", "600")
        assert account["account"] == market.account.reference[-4:]

    def test_what_is_not_known_is_null_and_says_why(self, market: Market, anybody: Partner) -> None:
        trouble = chain.trouble(market.deployment.network, reason="No key s3cret at this node.")

        answer = anybody.get(f"reserves/{market.token.symbol}")

        shown = answer.json()
        assert shown["status"] == "UNKNOWN"
        since = f"{trouble.since:%Y-%m-%d %H:%M:%S}Z"
        name = market.deployment.network.name
        assert shown["reasons"] == [f"{name} has not been read with confidence since {since}."]
        assert "s3cret" not in answer.content.decode()
        nulls = ("held", "owed", "owed_on_tokens", "surplus", "ratio_bps", "headroom", "reserved")
        assert {shown[name] for name in nulls} == {None}

    def test_a_reader_who_has_the_figures_is_not_sent_them_again(
        self, market: Market, anybody: Partner
    ) -> None:
        path = f"reserves/{market.token.symbol}"
        first = anybody.get(path)
        tag = first.headers["ETag"]

        unchanged = anybody.get(path, **{"If-None-Match": f'"other", {tag}'})
        assert (unchanged.status_code, unchanged.content) == (304, b"")
        assert unchanged.headers["ETag"] == tag

        primary_market.state_holdings(market.account, Decimal(2), at=clock.now())
        changed = anybody.get(path, **{"If-None-Match": tag})
        assert (changed.status_code, changed.json()["held"]) == (200, "2")

    def test_lists_with_as_many_queries_for_one_as_for_all(
        self, market: Market, anybody: Partner, django_assert_max_num_queries: Any
    ) -> None:
        with django_assert_max_num_queries(40) as one:
            anybody.get("reserves")
        for _ in range(3):
            primary_market.market(at=clock.now())

        with django_assert_max_num_queries(len(one.captured_queries)) as all_of_them:
            assert len(anybody.get("reserves").json()["results"]) == 4
        assert len(all_of_them.captured_queries) == len(one.captured_queries)


class TestAttestations:
    def test_there_are_none_at_first(self, anybody: Partner) -> None:
        assert anybody.get("attestations").json() == {
            "next": None,
            "previous": None,
            "results": [],
        }
        for part in ("", "/document", "/pdf", "/package"):
            refused = anybody.get(f"attestations/{uuid7()}{part}")
            assert problem(refused) == (404, "attestation-missing")

    def test_shows_what_was_published_with_its_files_to_the_byte(self, anybody: Partner) -> None:
        at = clock.now()
        world = make_attestation.world(at=at)
        make_attestation.frozen(make_attestation.world(at=at), at=at)  # not public
        published = make_attestation.published(world, at=at)

        [shown] = anybody.get("attestations").json()["results"]

        assert shown == anybody.get(f"attestations/{published.pk}").json()
        assert shown["id"] == str(published.pk)
        assert (shown["sequence"], shown["state"], shown["status"]) == (1, "PUBLISHED", "COVERED")
        document = anybody.get(_path(shown["document"]))
        assert hashlib.sha256(document.content).hexdigest() == shown["sha256"]
        assert document.content == bytes(published.document or b"")
        pdf = anybody.get(_path(shown["pdf"]), Accept="application/pdf")
        assert pdf.headers["Content-Type"] == "application/pdf"
        assert pdf.content.startswith(b"%PDF-")
        package = anybody.get(_path(shown["package"]))
        names = {
            name.rpartition("/")[2]
            for name in zipfile.ZipFile(io.BytesIO(package.content)).namelist()
        }
        assert {"verify_offline.py", "SHA256SUMS", "VERIFY.md"} <= names

    def test_files_are_not_sent_twice(self, anybody: Partner) -> None:
        at = clock.now()
        published = make_attestation.published(make_attestation.world(at=at), at=at)
        path = f"attestations/{published.pk}/document"
        first = anybody.get(path)
        assert first.headers["ETag"] == f'"{published.sha256}"'

        again = anybody.get(path, **{"If-None-Match": first.headers["ETag"]})

        assert (again.status_code, again.content) == (304, b"")


def _ids(page: dict[str, Any]) -> list[str]:
    return [row["id"] for row in page["results"]]


def _path(address: str) -> str:
    parts = urlsplit(address)
    return f"{parts.path.removeprefix('/api/v1/')}?{parts.query}"
