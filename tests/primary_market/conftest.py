"""What the tests of this room stand on; all of them have a database."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from issuer.foundation.actors import Actor
from issuer.people.roles import Role

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.chain.stock import Stock
    from tests.make.primary_market import Market


@pytest.fixture
def market() -> Market:
    """One participant, one token, one network; no shares yet."""
    from tests.make import primary_market  # needs models, so not before Django is set up

    return primary_market.market()


@pytest.fixture
def approver() -> Actor:
    """Another person than the operations officer."""
    from tests.make import people  # needs models, so not before Django is set up

    return people.staff_actor(Role.APPROVER)


@pytest.fixture(scope="module")
def deployed() -> Iterator[Stock]:
    from issuer.sandbox.anvil import running
    from tests.chain.stock import Stock

    with running() as anvil:
        yield Stock(anvil)


@pytest.fixture
def stock(deployed: Stock) -> Iterator[Stock]:
    """A token contract with which nothing has been done yet, on a real chain."""
    beginning = deployed.anvil.snapshot()
    yield deployed
    deployed.anvil.rpc.call("evm_setAutomine", [True], result=object)
    deployed.anvil.revert(beginning)
