"""From configuration to nodes and keys."""

import pytest
from pytest_django import Settings

from issuer.chain import registry
from issuer.chain.errors import NetworkNotConfigured
from issuer.chain.evm import EvmChain
from issuer.instruments.models import Network
from tests.chain.stock import Stock
from tests.make.chain import MINTER_KEY

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


class TestSignerFor:
    def test_signs_with_the_key_of_the_network(self, settings: Settings) -> None:
        settings.MINTER_KEYS = {ANVIL.caip2: MINTER_KEY}

        signer = registry.signer_for(ANVIL)

        assert signer.address == "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"

    def test_refuses_a_network_without_a_key(self, settings: Settings) -> None:
        settings.MINTER_KEYS = {"eip155:1": MINTER_KEY}

        with pytest.raises(NetworkNotConfigured, match="MINTER_KEYS has no key"):
            registry.signer_for(ANVIL)
