"""What hashes and addresses look like, for the constraints of every model."""

from typing import Final

HASH: Final = r"^0x[0-9a-f]{64}$"
EVM_ADDRESS: Final = r"^0x[0-9a-fA-F]{40}$"
