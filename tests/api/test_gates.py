"""The gate of a token: it means the same in the API and in statements."""

from datetime import timedelta

import pytest
from django.test import Client

from issuer.attestation import selectors
from issuer.foundation import clock
from issuer.gate.models import GateState, ScopeKind
from tests.make import attestation, chain, gate, instruments

pytestmark = pytest.mark.django_db


class TestGateOutput:
    def test_is_the_tightest_of_all_chains_as_in_statements(self, client: Client) -> None:
        at = clock.now()
        world = attestation.world(at=at)
        token = world.deployment.token
        second = instruments.deployment(token_=token)
        chain.snapshot(second, total_supply_base_units=0, taken_at=at - timedelta(minutes=1))
        gate.hold(ScopeKind.NETWORK, second.network_id, effect=GateState.HALTED)

        mint = selectors.content_of(attestation.frozen(world, at=at))["tokens"][0]["mint"]
        shown = client.get(f"/api/v1/reserves/{token.symbol}").json()["gate"]

        assert (mint["state"], shown["state"]) == ("HALTED", "HALTED")
        assert {one["chain"]: one["state"] for one in mint["headroom"]} == {
            world.deployment.network.caip2: "OPEN",
            second.network.caip2: "HALTED",
        }
