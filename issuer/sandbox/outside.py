"""The world outside, as far as it moves by itself: the custodian and the chains' time."""

import time
from collections.abc import Sequence
from typing import Final

import structlog

from issuer.chain.errors import ChainUnavailable
from issuer.foundation import clock
from issuer.sandbox.anvil import Anvil
from issuer.sandbox.custodian import DemoCustodian

logger = structlog.get_logger(__name__)

_POLL_SECONDS: Final = 0.3
#: A chain that lags less is left alone: blocks come once a second, and the clock has fractions.
_LAG_MAX_SECONDS: Final = 10


def go_on(custodian: DemoCustodian, chains: Sequence[Anvil]) -> None:
    """Let the world outside follow the clock for as long as the process lives."""
    while True:
        now = clock.now()
        for path in custodian.send_due_statements(now):
            logger.info("The custodian sent a statement", file=path.name)
        for anvil in chains:
            try:
                if (now - anvil.time).total_seconds() > _LAG_MAX_SECONDS:
                    anvil.follow(now)
                    anvil.finalize()
            except ChainUnavailable as refusal:
                logger.warning(
                    "A chain does not follow the clock", chain=anvil.chain_id, reason=str(refusal)
                )
        time.sleep(_POLL_SECONDS)
