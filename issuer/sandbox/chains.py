"""The chains of the demo world: two, so that one supply is the sum of two."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from django.conf import settings

from issuer.sandbox.anvil import HOST, Anvil


@dataclass(frozen=True)
class DemoChain:
    """One anvil process; its port is the setting `port_setting`."""

    name: str
    chain_id: int
    port_setting: str

    @property
    def caip2(self) -> str:
        """The chain's CAIP-2 id."""
        return f"eip155:{self.chain_id}"

    @property
    def port(self) -> int:
        """Where the chain listens."""
        port: int = getattr(settings, self.port_setting)
        return port

    @property
    def url(self) -> str:
        """Where the chain answers."""
        return f"http://{HOST}:{self.port}"

    @property
    def state_file(self) -> Path:
        """Where the chain is saved."""
        return Path(settings.DATA_DIR) / "sandbox" / f"chain-{self.chain_id}.json"

    def anvil(self) -> Anvil:
        """Return the levers of the chain."""
        return Anvil(port=self.port, chain_id=self.chain_id)


FIRST: Final = DemoChain("Anvil", 31337, "ANVIL_PORT")
SECOND: Final = DemoChain("Bourse", 31338, "SECOND_ANVIL_PORT")
CHAINS: Final = (FIRST, SECOND)
