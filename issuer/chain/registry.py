"""The one table from configuration to the nodes and keys of networks.

`NETWORKS` says where the nodes of a network are, `SIGNER_KEYS` which keys are here for it, by
purpose: a successor's is here before it is appointed. Where a node fails, the next is asked; state
is read as of a block's hash, so mixing nodes mixes no histories.

`TRANSACTION_GUARDS` says whom to ask, by the kind of a transaction, whether it is still wanted:
those who had it signed are on a higher floor, which this room does not know. Likewise
`CONFIRMATION_GUARDS` and `SIGNATURE_GUARDS` say whom to ask whether a contract act may be confirmed
now, and signed.
"""

from collections.abc import Mapping
from functools import cache

from django.conf import settings
from django.utils.module_loading import import_string

from issuer.chain import selectors
from issuer.chain.errors import NetworkNotConfigured
from issuer.chain.evm import EvmChain
from issuer.chain.models import SignerAccount
from issuer.chain.readers import Chain
from issuer.chain.rpc import FirstThatAnswers, HttpJsonRpc
from issuer.chain.services import ActGuard, Guard
from issuer.chain.signing import LocalKeySigner, Signer
from issuer.chain.states import IntentKind, SignerPurpose
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


def signer_for(network: Network, purpose: SignerPurpose) -> Signer:
    """Return who signs for `purpose` on `network`: the account in use, if its key is here.

    Raises:
        NetworkNotConfigured: if none is appointed, or its key is not here.
    """
    account = selectors.signer_in_use(network, purpose)
    if account is None:
        detail = f"No {purpose.label.lower()} is appointed on {network.caip2}."
        raise NetworkNotConfigured(detail)
    return signer_of(account)


def signer_of(account: SignerAccount) -> Signer:
    """Return who holds the key of `account`, in use or retired.

    Raises:
        NetworkNotConfigured: if its key is not here.
    """
    network = account.network
    for signer in signers_configured(network, SignerPurpose(account.purpose)):
        if signer.address == account.address:
            return signer
    detail = f"SIGNER_KEYS has no key of {account.address}, {account.purpose} of {network.caip2}."
    raise NetworkNotConfigured(detail)


def signers_configured(network: Network, purpose: SignerPurpose) -> list[Signer]:
    """Return the signers whose keys are here, in their order, appointed or not."""
    keys = settings.SIGNER_KEYS.get(network.caip2, {}).get(purpose.value, [])
    return [_signer(key) for key in keys]


def guard_of(kind: IntentKind) -> Guard | None:
    """Return whom to ask whether a transaction of `kind` is still wanted, if anybody."""
    path = settings.TRANSACTION_GUARDS.get(kind.value)
    return None if path is None else import_string(path)


def confirmation_guard_of(kind: IntentKind) -> ActGuard | None:
    """Return whom to ask whether an act of `kind` may be confirmed, if anybody."""
    return _act_guard(settings.CONFIRMATION_GUARDS, kind)


def signature_guard_of(kind: IntentKind) -> ActGuard | None:
    """Return whom to ask whether what an act of `kind` calls may be signed, if anybody."""
    return _act_guard(settings.SIGNATURE_GUARDS, kind)


def _act_guard(guards: Mapping[str, str], kind: IntentKind) -> ActGuard | None:
    path = guards.get(kind.value)
    return None if path is None else import_string(path)


@cache
def _chain(chain_id: int, urls: tuple[str, ...]) -> Chain:
    nodes = FirstThatAnswers([HttpJsonRpc(url) for url in urls])
    return EvmChain(nodes, chain_id=chain_id)


@cache
def _signer(key: str) -> Signer:
    return LocalKeySigner(key)
