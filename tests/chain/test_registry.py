"""From configuration to nodes and keys."""

from datetime import datetime

import pytest
from pytest_django import Settings

from issuer.chain import registry, services
from issuer.chain.errors import NetworkNotConfigured
from issuer.chain.evm import EvmChain
from issuer.chain.states import SignerPurpose
from issuer.foundation.actors import Actor
from issuer.instruments.models import Network
from tests.chain.stock import Stock
from tests.make import chain as make
from tests.make import instruments

ANVIL = Network(caip2="eip155:31337")


class TestReaderFor:
    def test_reads_the_first_node_that_answers(self, stock: Stock, settings: Settings) -> None:
        urls = ["http://127.0.0.1:9/", stock.anvil.url]
        settings.NETWORKS = {ANVIL.caip2: {"rpc_urls": urls}}

        reader = registry.reader_for(ANVIL)

        assert isinstance(reader, EvmChain)
        assert reader.final_block().number > 0
        assert registry.sender_for(ANVIL) is reader

    @pytest.mark.parametrize("networks", [{}, {"eip155:31337": {}}, {"eip155:1": {"rpc_urls": []}}])
    def test_refuses_a_network_without_nodes(
        self, settings: Settings, networks: dict[str, dict[str, list[str]]]
    ) -> None:
        settings.NETWORKS = networks

        with pytest.raises(NetworkNotConfigured, match="NETWORKS names no node"):
            registry.reader_for(ANVIL)


@pytest.mark.django_db
class TestSignerFor:
    @pytest.fixture
    def network(self, settings: Settings) -> Network:
        network = instruments.network(caip2=ANVIL.caip2)
        settings.SIGNER_KEYS = {network.caip2: make.SIGNER_KEYS}
        return network

    @pytest.mark.parametrize(
        ("purpose", "address"),
        [
            (SignerPurpose.ADMIN, "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"),
            (SignerPurpose.MINTER, "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"),
            (SignerPurpose.PAUSER, "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC"),
            (SignerPurpose.SEIZER, "0x90F79bf6EB2c4f870365E785982E1f101E93b906"),
            (SignerPurpose.BURNER, "0x15d34AAf54267DB7D7c367839AAf71A00a2C6A65"),
            (SignerPurpose.MULTIPLIER, "0x9965507D1a55bcC2695C58ba16FB37d819B0A4dc"),
        ],
    )
    def test_signs_with_the_key_of_the_account_in_use(
        self, network: Network, purpose: SignerPurpose, address: str
    ) -> None:
        make.signer_account(network, purpose)

        assert registry.signer_for(network, purpose).address == address

    def test_signs_with_the_successor_once_it_is_appointed(
        self, network: Network, system: Actor, at: datetime
    ) -> None:
        retired = make.signer_account(network)
        services.retire_signer(
            network=network, purpose=SignerPurpose.MINTER, reason="Stolen.", actor=system, at=at
        )
        successor = make.signer(make.SUCCESSOR_KEY).address
        services.appoint_signer(
            network=network, purpose=SignerPurpose.MINTER, address=successor, actor=system, at=at
        )

        assert registry.signer_for(network, SignerPurpose.MINTER).address == successor
        assert registry.signer_of(retired).address == retired.address

    def test_refuses_a_purpose_that_nobody_is_appointed_for(self, network: Network) -> None:
        with pytest.raises(NetworkNotConfigured, match="No minter is appointed on eip155:31337"):
            registry.signer_for(network, SignerPurpose.MINTER)

    def test_refuses_an_account_whose_key_is_elsewhere(
        self, network: Network, settings: Settings
    ) -> None:
        make.signer_account(network)
        settings.SIGNER_KEYS = {network.caip2: {"MINTER": [make.SUCCESSOR_KEY]}}

        with pytest.raises(NetworkNotConfigured, match="SIGNER_KEYS has no key of 0x7099"):
            registry.signer_for(network, SignerPurpose.MINTER)

    def test_lists_the_keys_that_are_here_in_their_order(self, network: Network) -> None:
        configured = registry.signers_configured(network, SignerPurpose.MINTER)

        assert [signer.address for signer in configured] == [
            "0x70997970C51812dc3A010C7d01b50e0d17dc79C8",
            "0x976EA74026E726554dB657fA54763abd0C3a0aa9",
        ]
