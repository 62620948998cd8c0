"""A real chain for the tests of this room, one a file; each test finds it as the file began.

Anvil forgets old states in the end, so that one chain does not serve them all.
"""

from collections.abc import Iterator

import pytest

from issuer.sandbox.anvil import Anvil, running
from tests.chain.stock import Stock


@pytest.fixture(scope="module")
def deployed() -> Iterator[Stock]:
    with running() as anvil:
        yield Stock(anvil)


@pytest.fixture
def stock(deployed: Stock) -> Iterator[Stock]:
    """A token contract with which nothing has been done yet, on a chain that mines at once."""
    beginning = deployed.anvil.snapshot()
    yield deployed
    deployed.anvil.rpc.call("evm_setAutomine", [True], result=object)
    deployed.anvil.revert(beginning)
    # Anvil goes on asking for what it asked last, whatever block it goes back to.
    newest = deployed.anvil.rpc.call("eth_getBlockByNumber", ["latest", False], result=dict)
    fee = newest["baseFeePerGas"]
    deployed.anvil.rpc.call("anvil_setNextBlockBaseFeePerGas", [fee], result=object)


@pytest.fixture
def anvil(stock: Stock) -> Anvil:
    """The chain that `stock` is on."""
    return stock.anvil
