"""Everything that writes what chains say, and what we say to them."""

from issuer.chain.services._intents import (
    Prepared,
    broadcast,
    bump_fees,
    observe,
    prepare_mint,
    record_booked,
    sign_mint,
)
from issuer.chain.services._scanning import note_trouble, scan_deployment

__all__ = [
    "Prepared",
    "broadcast",
    "bump_fees",
    "note_trouble",
    "observe",
    "prepare_mint",
    "record_booked",
    "scan_deployment",
    "sign_mint",
]
