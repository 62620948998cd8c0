"""The one table from configuration to the nodes and keys of networks.

`NETWORKS` says where the nodes of a network are, `MINTER_KEYS` whose key mints there. Where a node
fails, the next is asked; state is read as of a block's hash, so mixing nodes mixes no histories.
"""

from functools import cache

from django.conf import settings

from issuer.chain.errors import NetworkNotConfigured
from issuer.chain.evm import EvmChain
from issuer.chain.readers import Chain
from issuer.chain.rpc import FirstThatAnswers, HttpJsonRpc
from issuer.chain.signing import LocalKeySigner, Signer
from issuer.instruments.models import Network


def reader_for(network: Network) -> Chain:
    """Return what reads `network`.

    Raises:
        NetworkNotConfigured: if no node of it is configured.
    """
    urls = settings.NETWORKS.get(network.caip2, {}).get("rpc_urls", [])
    if not urls:
        raise NetworkNotConfigured(f"NETWORKS names no node of {network.caip2}.")
    return _chain(int(network.caip2.partition(":")[2]), tuple(urls))


def sender_for(network: Network) -> Chain:
    """Return what sends transactions to `network` and follows them.

    Raises:
        NetworkNotConfigured: if no node of it is configured.
    """
    return reader_for(network)


def signer_for(network: Network) -> Signer:
    """Return who signs mints on `network`.

    Raises:
        NetworkNotConfigured: if no key of it is configured.
    """
    key = settings.MINTER_KEYS.get(network.caip2)
    if not key:
        raise NetworkNotConfigured(f"MINTER_KEYS has no key of {network.caip2}.")
    return _signer(key)


@cache
def _chain(chain_id: int, urls: tuple[str, ...]) -> Chain:
    nodes = FirstThatAnswers([HttpJsonRpc(url) for url in urls])
    return EvmChain(nodes, chain_id=chain_id)


@cache
def _signer(key: str) -> Signer:
    return LocalKeySigner(key)
