"""Everything that writes what chains say, and what we say to them."""

from issuer.chain.services._intents import (
    Prepared,
    broadcast,
    bump_fees,
    observe,
    prepare,
    record_booked,
    sign,
)
from issuer.chain.services._scanning import note_trouble, scan_deployment
from issuer.chain.services._signers import appoint_signer, retire_signer

__all__ = [
    "Prepared",
    "appoint_signer",
    "broadcast",
    "bump_fees",
    "note_trouble",
    "observe",
    "prepare",
    "record_booked",
    "retire_signer",
    "scan_deployment",
    "sign",
]
