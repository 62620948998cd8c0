"""The commands of this room."""

from datetime import datetime
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings

from issuer.chain import selectors, services
from issuer.chain.models import SignerAccount
from issuer.chain.states import SignerPurpose
from issuer.foundation.actors import Actor
from issuer.instruments.models import Network
from tests.make import chain as make
from tests.make import instruments

pytestmark = pytest.mark.django_db


class TestAppointSigners:
    @pytest.fixture
    def network(self, settings: Settings) -> Network:
        network = instruments.network()
        settings.SIGNER_KEYS = {network.caip2: make.SIGNER_KEYS}
        return network

    def appoint(self) -> str:
        told = StringIO()
        call_command("appoint_signers", stdout=told)
        return told.getvalue()

    def test_appoints_the_first_key_of_each_purpose_once(self, network: Network) -> None:
        told = self.appoint()

        appointed = {each.purpose: each.address for each in selectors.signers_of(network)}
        assert appointed == {
            purpose: make.signer(key).address for purpose, key in make.KEYS.items()
        }
        assert f"Minter {make.signer().address} on {network} signs." in told
        assert self.appoint() == ""

    def test_appoints_nobody_after_one_who_was_retired(
        self, network: Network, system: Actor, at: datetime
    ) -> None:
        make.signer_account(network)
        services.retire_signer(
            network=network, purpose=SignerPurpose.MINTER, reason="Stolen.", actor=system, at=at
        )

        self.appoint()

        assert selectors.signer_in_use(network, SignerPurpose.MINTER) is None

    def test_leaves_a_network_without_keys_alone(self, settings: Settings) -> None:
        instruments.network()
        settings.SIGNER_KEYS = {}

        assert self.appoint() == ""
        assert not SignerAccount.objects.exists()

    def test_refuses_one_key_for_two_purposes(self, settings: Settings) -> None:
        network = instruments.network()
        keys = {"MINTER": [make.MINTER_KEY], "BURNER": [make.MINTER_KEY]}
        settings.SIGNER_KEYS = {network.caip2: keys}

        with pytest.raises(CommandError, match="signs for another purpose"):
            self.appoint()
