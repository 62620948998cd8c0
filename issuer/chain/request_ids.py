"""How a request of the books is named on chain."""

from uuid import UUID


def request_id_bytes32(request_id: UUID) -> str:
    """Return a request's id as the contract takes it: the UUID in the low 16 bytes, in hex."""
    return f"0x{request_id.int:064x}"
