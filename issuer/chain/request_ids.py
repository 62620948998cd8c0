"""How a request of the books is named on chain."""

from typing import Final
from uuid import UUID

UUID_BITS: Final = 128


def request_id_bytes32(request_id: UUID, serial: int = 0) -> str:
    """Return a request's id as the contract takes it, in hex.

    The UUID is in the low 16 bytes, so that everybody sees what it is for; the 16 above are zero,
    or count how often others had used the request's id up before.
    """
    return f"0x{serial << UUID_BITS | request_id.int:064x}"


def request_of(request_id: str) -> tuple[UUID, int]:
    """Return the request that a bytes32 of the chain (in hex) names, and its serial."""
    serial, number = divmod(int(request_id, 16), 1 << UUID_BITS)
    return UUID(int=number), serial
